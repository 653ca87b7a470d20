"""The processes that compile: a group each, so that a compile that takes too long can be killed with all its children.

One belongs to one thread. What dies, however it dies, costs the unit that it was compiling and nothing else.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from edgetpu_build.compiler.interface import Backend, Progress, Request, Result
from edgetpu_build.engine import worker
from edgetpu_build.engine.executor import took_too_long
from edgetpu_build.errors import EdgeTpuBuildError, error

GRACE = 1.0
"""Seconds that a backend has to end itself at its time limit, and to say more than we could."""


class DiedError(EdgeTpuBuildError):
    """The process that compiled ended, and not of its own will."""


class BugError(Exception):
    """A compile ended with an exception that is not for users; the message is its traceback."""


class Workers:
    """The worker processes of one build, one a thread. ``close`` leaves none, nor any child of theirs."""

    def __init__(self) -> None:
        self._workers: dict[int, _Worker] = {}
        self._closed = False

    def compile(
        self, backend: Backend, request: Request, timeout: float, progress: Progress, *, key: str = ""
    ) -> Result:
        """What the backend makes of it. ETB313 when time is over, ETB312 when it took two processes with it.

        One process may be killed by somebody who is short of memory; two are no accident.
        """
        try:
            return self._compile(backend, request, timeout, progress)
        except DiedError:
            if self._closed:
                raise
            return self._compile(backend, request, timeout, progress)

    def _compile(self, backend: Backend, request: Request, timeout: float, progress: Progress) -> Result:
        slot = threading.get_ident()
        found = self._workers.get(slot)
        if found is None or found.ended:
            found = self._workers[slot] = _Worker()
        if self._closed:
            found.kill()
        return found.compile(backend, request, timeout, progress)

    def close(self) -> None:
        self._closed = True
        for found in list(self._workers.values()):
            found.kill()

    def __enter__(self) -> Workers:  # noqa: PYI034 - Self is of Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Worker:
    def __init__(self) -> None:
        script = f"import sys; sys.path[:] = {_path()!r}; from edgetpu_build.engine.worker import main; main()"
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                with suppress(OSError):
                    stream.close()

    def compile(self, backend: Backend, request: Request, timeout: float, progress: Progress) -> Result:
        deadline = time.monotonic() + timeout + GRACE
        try:
            assert self._process.stdin is not None  # noqa: S101 - Popen was asked for a pipe
            worker.send(self._process.stdin, (backend, request, timeout))
            while True:
                kind, value = self._receive(deadline)
                if kind == "progress":
                    progress(value)
                else:
                    return _answer(kind, value)
        except TimeoutError:
            self.kill()
            raise took_too_long(timeout) from None
        except (EOFError, OSError, ValueError):
            self.kill()
            raise _died(self._process.returncode) from None

    def _receive(self, deadline: float) -> tuple[str, Any]:
        size = int.from_bytes(self._read(worker.LENGTH, deadline), "little")
        kind, value = pickle.loads(self._read(size, deadline))  # noqa: S301 - from our own child
        return kind, value

    def _read(self, size: int, deadline: float) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - Popen was asked for a pipe
        fd, read = self._process.stdout.fileno(), bytearray()
        while len(read) < size:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                raise TimeoutError
            piece = os.read(fd, min(size - len(read), 1 << 20))
            if not piece:
                raise EOFError
            read += piece
        return bytes(read)


def _answer(kind: str, value: Any) -> Result:
    if kind == "failed":
        raise value
    if kind == "bug":
        raise BugError(value)
    result: Result = value
    return result


def _died(code: int | None) -> DiedError:
    by = f"by signal {-code} ({signal.Signals(-code).name})" if code is not None and code < 0 else f"with code {code}"
    hint = "the system kills what takes too much memory: try fewer `jobs`" if code == -signal.SIGKILL else ""
    return DiedError(*error("ETB312", f"the process that compiled it was ended {by}", hint).diagnostics)


def _path() -> list[str]:
    """Ours, so that a worker imports what we do; our own package first, however it was found."""
    own = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return list(dict.fromkeys([own, *(os.path.abspath(path) for path in sys.path)]))

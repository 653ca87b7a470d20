"""A process that compiles for another one. Started by ``executor``, ends with it.

Frames on stdin and stdout: eight bytes of length, then a pickle. In: (backend, request, timeout). Out: any number of
("progress", text), then one of ("done", result), ("failed", error), ("bug", traceback). When stdin ends, whoever
started us is gone or has had enough: the whole process group goes, the compiler's own children with it.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from typing import IO, Any

LENGTH = 8


def main() -> None:
    """Compile what comes until nothing comes any more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not mix with the frames
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    jobs = _Mailbox()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, jobs), daemon=True).start()
    while True:
        backend, request, timeout = jobs.get()
        send(answers, _compile(backend, request, timeout, answers))


def send(stream: IO[bytes], message: object) -> None:
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    stream.write(len(data).to_bytes(LENGTH, "little") + data)
    stream.flush()


def _compile(backend: Any, request: Any, timeout: float, answers: IO[bytes]) -> tuple[str, Any]:
    from edgetpu_build.errors import EdgeTpuBuildError

    try:
        return "done", backend.compile(
            request, timeout=timeout, progress=lambda text: send(answers, ("progress", text))
        )
    except EdgeTpuBuildError as failure:
        return "failed", failure
    except Exception:  # noqa: BLE001 - told as a bug of ours, with its traceback, by whoever asked
        import traceback

        return "bug", traceback.format_exc()


class _Mailbox:
    """One message at a time, from the listening thread to the compiling one."""

    def __init__(self) -> None:
        self._full = threading.Semaphore(0)
        self._message: Any = None

    def put(self, message: Any) -> None:
        self._message = message
        self._full.release()

    def get(self) -> Any:
        self._full.acquire()
        return self._message


def _listen(stream: IO[bytes], jobs: _Mailbox) -> None:
    """Take in jobs for as long as there are whole ones; a torn one is of a parent that died while it wrote."""
    try:
        while len(head := stream.read(LENGTH)) == LENGTH:
            jobs.put(pickle.loads(stream.read(int.from_bytes(head, "little"))))  # noqa: S301 - from our own parent
    finally:
        if os.getpgid(0) == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

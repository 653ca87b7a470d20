"""The process between us and Google's program: whatever becomes of us, it leaves nothing behind.

Started by ``session`` as a script, in a session of its own. It owns the private folder and the program's process group.
When its stdin ends, because we are done or because we were killed, the group is killed and the folder removed; so a
build that dies by SIGKILL in the midst of a compile leaves no process and no file. Imports nothing of ours.

Lines of JSON. In: {"argv", "timeout"} a run. Out: ["ready", folder] or ["refused", why]; then a run's ["started", pid],
any number of ["text", piece], ["end", code, timed_out]. What cannot be started has no code, but a reason.
"""

from __future__ import annotations

import codecs
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress

PREFIX = "edgetpu-build-"
GRACE = 0.4
"""Seconds between asking the program to end and ending it; with the reading they fit into the executor's grace."""
DAY = 24 * 3600.0
PR_SET_CHILD_SUBREAPER = 36
MOST_TEXT = 4 << 20
"""Bytes of output that are passed on; more is garbage."""


def main() -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    _adopt_orphans()
    with suppress(OSError):
        _sweep(tempfile.gettempdir())
    try:
        folder = tempfile.mkdtemp(prefix=PREFIX)
    except OSError as failure:
        _say("refused", f"no folder can be made in `{tempfile.gettempdir()}`: {failure.strerror}")
        return
    try:
        for name in ("out", "tmp"):
            os.mkdir(os.path.join(folder, name))
        _say("ready", folder)
        owner = _Owner()
        while (line := owner.line()) is not None:
            _run(json.loads(line), folder, owner)
    except BrokenPipeError:
        pass
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Owner:
    """Whoever started us, at the other end of stdin."""

    def __init__(self) -> None:
        self._read = b""

    def line(self) -> bytes | None:
        """The next order; None when there will be none."""
        while b"\n" not in self._read:
            piece = os.read(0, 1 << 16)
            if not piece:
                return None
            self._read += piece
        line, _, self._read = self._read.partition(b"\n")
        return line


def _run(order: dict[str, object], folder: str, owner: _Owner) -> None:
    environment = {**os.environ, "TMPDIR": os.path.join(folder, "tmp")}
    children, wake = os.pipe()
    os.set_blocking(wake, False)
    before = signal.signal(signal.SIGCHLD, lambda *_: None), signal.set_wakeup_fd(wake)
    try:
        process = subprocess.Popen(
            order["argv"],  # type: ignore[call-overload]
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError) as failure:
        _say("end", None, getattr(failure, "strerror", None) or str(failure))
    else:
        with process:
            timed_out = False
            try:
                _say("started", process.pid)
                timed_out = _follow(process, children, time.monotonic() + float(order["timeout"]))  # type: ignore[arg-type]
            finally:
                _end(process)
            _say("end", process.returncode, timed_out)
    finally:
        signal.set_wakeup_fd(before[1])
        os.close(children)
        os.close(wake)


def _follow(process: subprocess.Popen[bytes], children: int, deadline: float) -> bool:
    """Pass on what it prints until it ends; True if its time was over. Leaves by an exception when the owner does."""
    assert process.stdout is not None  # noqa: S101 - Popen was asked for a pipe
    text, passed = codecs.getincrementaldecoder("utf-8")("replace"), 0
    with selectors.DefaultSelector() as ready:
        for fd in (0, children, process.stdout.fileno()):
            ready.register(fd, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return True
            found = {key.fd for key, _ in ready.select(left)}
            if 0 in found:
                raise BrokenPipeError
            if process.stdout.fileno() in found:
                piece = os.read(process.stdout.fileno(), 1 << 16)
                if not piece:
                    ready.unregister(process.stdout.fileno())
                elif passed < MOST_TEXT:
                    passed += len(piece)
                    _say("text", text.decode(piece))
                continue
            if children in found:
                os.read(children, 1 << 10)
                if process.poll() is not None:
                    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing of its group: what does not end when it is asked to is killed."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    _end_orphans()


def _adopt_orphans() -> None:
    """Become the parent of what the program leaves behind, also of what left its group (Linux only)."""
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_orphans() -> None:
    while True:
        try:
            with open(f"/proc/self/task/{os.getpid()}/children") as file:
                orphans = [int(number) for number in file.read().split()]
        except OSError:
            return
        if not orphans:
            return
        for orphan in orphans:
            with suppress(ProcessLookupError, PermissionError, ChildProcessError):
                os.kill(orphan, signal.SIGKILL)
                os.waitpid(orphan, 0)


def _say(*words: object) -> None:
    data = json.dumps(words).encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]


def _sweep(temporary: str) -> None:
    """Folders of guards that were killed themselves, once they are a day old."""
    for entry in os.scandir(temporary):
        if not entry.name.startswith(PREFIX):
            continue
        with suppress(OSError):
            found = entry.stat(follow_symlinks=False)
            if found.st_uid == os.getuid() and time.time() - found.st_mtime > DAY:
                shutil.rmtree(entry.path, ignore_errors=True)


if __name__ == "__main__":
    main()

"""Files written whole or not at all. The only fsync and rename of the project.

A new file is a temporary one in the folder of its target, written, synced and moved over it: whoever looks sees the old
bytes or the new ones, also after a kill or a power cut. What a killed process leaves behind starts with ``TEMP_PREFIX``
and is swept when a day old. Every failure of the file system is ETB501, with the path and the system's own words.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TypeVar

from edgetpu_build.errors import error

TEMP_PREFIX = ".edgetpu-tmp-"
DAY = 86_400.0
StrPath = str | os.PathLike[str]
Stat = os.stat_result

_BINARY: int = getattr(os, "O_BINARY", 0)
_NONBLOCK: int = getattr(os, "O_NONBLOCK", 0)
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_PASSING = {errno.ESTALE, errno.EINTR}
_ATTEMPTS = 5
_T = TypeVar("_T")


def write_atomic(path: StrPath, data: bytes, *, mode: int = 0o644, durable: bool = True) -> bool:
    """Let ``path`` hold ``data``; False, with the file untouched, if it does already. Missing folders are made.

    ``mode`` is what the umask leaves of it. What is not ``durable`` may be empty or torn after a power cut: for memos
    that are checked when they are read. Raises ETB501.
    """
    with _told("write", path, len(data)):
        if _holds(path, data):
            return False
        temp = _temp_beside(path)
        try:
            _fill(temp, data, mode, durable=durable)
            os.replace(temp, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temp)
            raise
        return True


def write_together(contents: Mapping[str, bytes], *, mode: int = 0o644) -> None:
    """Let each path hold its bytes, or leave all as they are: nothing is moved until everything is written and synced.

    A kill between two moves leaves some old and some new, each whole. Raises ETB501.
    """
    temps: dict[str, str] = {}
    try:
        for path, data in contents.items():
            with _told("write", path, len(data)):
                temps[path] = _temp_beside(path)
                _fill(temps[path], data, mode)
        for path in contents:
            with _told("write", path):
                os.replace(temps[path], path)
                del temps[path]
    finally:
        for temp in temps.values():
            with suppress(OSError):
                os.unlink(temp)


def read_stable(path: StrPath) -> tuple[bytes, Stat]:
    """The bytes of a regular file and the stat that belongs to them.

    Read again while it changes under the reader; ETB317 if it does not come to rest, ETB501 if it cannot be read.
    """
    with _told("read", path):
        for _ in range(_ATTEMPTS):
            data, before = _again(lambda: _read(path))
            after = os.stat(path)
            if _same(before, after) and len(data) == after.st_size:
                return data, after
    raise error("ETB317", f"`{os.fspath(path)}` changed each time it was read", "build again when it is written")


def read_bytes(path: StrPath) -> bytes:
    """The bytes of a regular file, for readers who can do without it: raises OSError, nothing else."""
    return _again(lambda: _read(path))[0]


def move(source: StrPath, target: StrPath) -> None:
    """Rename within one file system, over whatever file is there. Raises ETB501."""
    with _told("move", source):
        _in_made_folder(target, lambda: os.replace(source, target))


def remove(path: StrPath) -> bool:
    """Unlink a file; False if there is none. Raises ETB501."""
    with _told("remove", path):
        try:
            os.unlink(path)
        except FileNotFoundError:
            return False
        return True


def sweep_temps(folder: StrPath, older_than: float = DAY, *, now: float | None = None) -> int:
    """Remove what killed writers left in ``folder`` (not below) and is ``older_than`` seconds; the number removed.

    A stamp as far in the future counts as old, too: the clock was set back. Never fails.
    """
    now = time.time() if now is None else now
    swept = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(TEMP_PREFIX):
                with suppress(OSError):
                    if abs(now - entry.stat(follow_symlinks=False).st_mtime) > older_than:
                        os.unlink(entry.path)
                        swept += 1
    return swept


@contextmanager
def _told(verb: str, path: StrPath, needed: int = 0) -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        reason = failure.strerror or str(failure)
        message, hint = f"cannot {verb} `{os.fspath(path)}`: {reason}", ""
        if failure.errno in _FULL:
            message, hint = f"{message} ({needed} bytes needed)", "free some space on that file system, then run again"
        raise error("ETB501", message, hint) from failure


def _holds(path: StrPath, data: bytes) -> bool:
    try:
        if os.stat(path).st_size != len(data):
            return False
        return _read(path)[0] == data
    except OSError:
        return False


def _temp_beside(path: StrPath) -> str:
    return os.path.join(os.path.dirname(os.fspath(path)), f"{TEMP_PREFIX}{os.getpid()}-{os.urandom(6).hex()}")


def _fill(temp: str, data: bytes, mode: int, *, durable: bool = True) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY
    fd = _in_made_folder(temp, lambda: os.open(temp, flags, mode))
    try:
        _write_all(fd, data)
        if durable:
            os.fsync(fd)
    finally:
        os.close(fd)


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _read(path: StrPath) -> tuple[bytes, Stat]:
    """Bytes, and the stat from before. Opened without blocking: a FIFO must not hang a build."""
    fd = os.open(path, os.O_RDONLY | _BINARY | _NONBLOCK)
    try:
        before = os.fstat(fd)
        if not stat.S_ISREG(before.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        pieces = [os.read(fd, before.st_size + 1)]
        while pieces[-1] and sum(map(len, pieces)) != before.st_size:
            pieces.append(os.read(fd, 1 << 20))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces), before
    finally:
        os.close(fd)


def _same(one: Stat, other: Stat) -> bool:
    return (
        one.st_ino == other.st_ino
        and one.st_size == other.st_size
        and one.st_mtime_ns == other.st_mtime_ns
        and one.st_ctime_ns == other.st_ctime_ns
    )


def _again(act: Callable[[], _T]) -> _T:
    """Network file systems lose a handle when a file is replaced elsewhere; opened anew, it is there."""
    for _ in range(_ATTEMPTS):
        try:
            return act()
        except OSError as failure:
            if failure.errno not in _PASSING:
                raise
    return act()


def _in_made_folder(target: StrPath, act: Callable[[], _T]) -> _T:
    try:
        return act()
    except FileNotFoundError:
        os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
        return act()

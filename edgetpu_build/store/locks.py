"""Locks that save work: two builds that want the same thing compile it once. Correctness never depends on them.

A lock is ``flock`` on a file that is never removed (removing one lets two processes hold two files of one name). The
system gives it back when its holder dies, however it dies. Two sorts:

- ``unit``: one of 256, by the first byte of the fingerprint: held around "look again, compile, store"
- ``store``: shared while something is stored, exclusive while something is removed
- ``tally``: held while counts are added up

A thread that holds a unit's lock waits for another only in ascending order, so builds cannot wait for each other in a
ring, nor a thread for itself; out of order it goes on without, at worst to compile what somebody else compiles, too.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal

try:
    import fcntl
except ImportError:  # not POSIX
    fcntl = None  # type: ignore[assignment]

Held = Literal["held", "busy", "none"]
Warn = Callable[[OSError], None]
Blocked = Callable[[], None]


class Locks:
    """The locks of one store folder. ``warn`` is told when the file system has none to give."""

    def __init__(self, folder: str, warn: Warn) -> None:
        self._folder = folder
        self._warn = warn
        self._mine = threading.local()

    @contextmanager
    def unit(self, fingerprint: str, blocked: Blocked | None = None) -> Iterator[Held]:
        """Exclusive among all who build this fingerprint."""
        name = fingerprint[:2]
        mine: list[str] = self._mine.__dict__.setdefault("names", [])
        with self._hold(f"{name}.lock", exclusive=True, wait=name > max(mine, default=""), blocked=blocked) as held:
            mine.append(name)
            try:
                yield held
            finally:
                mine.remove(name)

    def shared(self) -> AbstractContextManager[Held]:
        """Held while blobs and records are written, so that none is removed in between."""
        return self._hold("store.lock", exclusive=False, wait=True)

    def whole(self, *, wait: bool, blocked: Blocked | None = None) -> AbstractContextManager[Held]:
        """Held while blobs and records are removed. Without ``wait`` it may be busy."""
        return self._hold("store.lock", exclusive=True, wait=wait, blocked=blocked)

    def tally(self) -> AbstractContextManager[Held]:
        """Held while what is counted over all builds is read, added to and written."""
        return self._hold("tally.lock", exclusive=True, wait=True)

    @contextmanager
    def _hold(self, name: str, *, exclusive: bool, wait: bool, blocked: Blocked | None = None) -> Iterator[Held]:
        fd = -1
        held: Held = "none"
        try:
            fd = self._open(name)
            held = _lock(fd, exclusive=exclusive, wait=wait, blocked=blocked)
        except OSError as failure:
            self._warn(failure)
        try:
            yield held
        finally:
            if fd >= 0:
                os.close(fd)

    def _open(self, name: str) -> int:
        path = f"{self._folder}/{name}"
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:
            os.makedirs(self._folder, exist_ok=True)
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)


def _lock(fd: int, *, exclusive: bool, wait: bool, blocked: Blocked | None) -> Held:
    if fcntl is None:
        return "none"
    how = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        if not wait:
            return "busy"
        if blocked:
            blocked()
        fcntl.flock(fd, how)
    return "held"

"""Hints that something changed, from the operating system or by polling. A hint may be wrong; only `seen` decides.

Folders are watched, never files: editors and compilers replace files, and a watch on a file dies with it. watchdog is
imported when watching begins.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from errno import EMFILE, ENOSPC
from queue import Empty, SimpleQueue
from typing import Any, Protocol

POLL_SECONDS = 0.2
# Reading is no change (we read ourselves), and a folder's own times say nothing that its entries do not.
_IGNORED = ("opened", "closed_no_write")
_REMOTE = ("nfs", "cifs", "smb", "9p", "fuse.", "virtiofs", "vboxsf", "prl_fs", "afs", "ceph", "drvfs", "fakeowner")
_LIMITS = {
    ENOSPC: "the limit of watches is reached (raise fs.inotify.max_user_watches)",
    EMFILE: "the limit of watchers is reached (raise fs.inotify.max_user_instances)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """``writing``: a writer is at the file and has not closed it yet; a hint without it follows."""

    path: str
    writing: bool = False
    folder: bool = False


class Events(Protocol):
    """Where hints come from. Owns whatever it needs to get them until ``close``.

    ``least``: seconds without a hint that it takes to know that a file is no longer being written.
    """

    @property
    def least(self) -> float: ...

    def watch(self, folders: Iterable[str]) -> bool:
        """Watch exactly these; True if one of them is new, or another folder of the same name than before."""
        ...

    def wait(self, seconds: float) -> Hint | None:
        """The next hint, None when the time is over."""
        ...

    def close(self) -> None: ...


class Observed:
    """Hints of a watchdog observer. ``reason``: why it polls, "" while the operating system tells it.

    ``tells_ends``: the observer reports when a writer closes its file. ``poller`` makes the one that takes over when
    the system has no more watches to give.
    """

    def __init__(self, observer: Any, *, tells_ends: bool, poller: Callable[[], Any] | None = None) -> None:
        self.reason = ""
        self._observer = observer
        self._tells_ends = tells_ends
        self._poller = poller
        self._watches: dict[str, tuple[Any, tuple[int, int]]] = {}
        self._hints: SimpleQueue[Hint] = SimpleQueue()
        observer.start()

    @property
    def least(self) -> float:
        """Polling sees a slow writer at each of its looks; one of them must have seen nothing."""
        return 1.5 * POLL_SECONDS if self.reason else 0.0

    def watch(self, folders: Iterable[str]) -> bool:
        wanted = {folder: identity for folder in folders if (identity := _identity(folder))}
        for folder, (watch, identity) in list(self._watches.items()):
            if wanted.get(folder) != identity:
                del self._watches[folder]
                with suppress(KeyError, OSError):
                    self._observer.unschedule(watch)
        new = [folder for folder in wanted if folder not in self._watches]
        try:
            for folder in new:
                with suppress(FileNotFoundError, NotADirectoryError):
                    self._watches[folder] = (self._observer.schedule(self, folder), wanted[folder])
        except OSError as problem:
            if not self._poller:
                raise
            self._poll(self._poller, _LIMITS.get(problem.errno or 0, str(problem)))
            return self.watch(wanted)
        return bool(new)

    def wait(self, seconds: float) -> Hint | None:
        try:
            return self._hints.get(timeout=max(0.0, seconds))
        except Empty:
            return None

    def close(self) -> None:
        self._observer.stop()
        self._observer.join()

    def dispatch(self, event: Any) -> None:
        """What watchdog calls, in its own thread."""
        if event.event_type in _IGNORED or (event.is_directory and event.event_type == "modified"):
            return
        writing = self._tells_ends and event.event_type == "modified"
        for path in (event.src_path, event.dest_path):
            if path:
                self._hints.put(Hint(path=os.fsdecode(path), writing=writing, folder=event.is_directory))

    def _poll(self, poller: Callable[[], Any], reason: str) -> None:
        self.close()
        self._observer, self._poller, self._tells_ends, self.reason = poller(), None, False, reason
        self._watches.clear()
        self._observer.start()


def open_events(folders: Iterable[str], *, poll: bool = False) -> Observed:
    """Events for these folders, already watched: polled if asked for or if the file system tells nothing."""
    folders = list(folders)
    reason = "asked for" if poll else next(filter(None, map(silent, folders)), "")
    if reason:
        events = Observed(_polling(), tells_ends=False)
        events.reason = reason
    else:
        from watchdog.observers import Observer

        events = Observed(Observer(), tells_ends=sys.platform == "linux", poller=_polling)
    events.watch(folders)
    return events


def _polling() -> Any:
    from watchdog.observers.polling import PollingObserver

    return PollingObserver(timeout=POLL_SECONDS)


def silent(folder: str, mounts: str = "/proc/self/mountinfo") -> str:
    """Why changes in a folder may come without events: it lies on another machine's file system. "" if it does not."""
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as file:
            rows = [row.split() for row in file]
    except OSError:
        return ""
    folder = os.path.realpath(folder)
    best, kind = "", ""
    for row in rows:
        point = row[4].replace("\\040", " ")
        inside = folder == point or folder.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):  # a later mount hides an earlier one
            best, kind = point, row[row.index("-") + 1]
    return f"{kind} gives no events for changes made elsewhere" if kind.startswith(_REMOTE) else ""


def _identity(folder: str) -> tuple[int, int] | None:
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_dev, found.st_ino

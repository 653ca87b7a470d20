"""What is known of a project's files without reading them: the memo of digests, and the index of the no-op build.

Both lie in the project's folder in the cache, are text, and may be deleted at any time. The memo says which content had
which stamps::

    edgetpu-build digests 1
    root of the project
    time of writing, ns
    mtime_ns size inode ctime_ns sha256 path ...

A digest is taken from the memo only if all four stamps are equal. It is put there only if the file was last touched
more than two seconds before it was read: a later change must show in its stamps even where they are coarse (the racy
rule of git's index). A memo from the future is of a clock that was set back: nothing of it holds. ``noop`` describes
the index.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress

from edgetpu_build import __version__, files, noop
from edgetpu_build.engine.project import Project
from edgetpu_build.errors import EdgeTpuBuildError

RACY_NS = 2_000_000_000
_MAGIC = b"edgetpu-build digests 1"
Stamps = tuple[int, int, int, int]


class StatIndex:
    """The digests of one project's files. ``now_ns``: when this run started looking, nanoseconds since 1970.

    ``trust`` False: every file is read once, whatever is remembered of it. ``hashed`` counts the files that were read.
    ``stats`` is what each file looked like when its content was known last. ``looks``: what files looked like a moment
    ago, when this run planned; good for one question each.
    """

    stands_for_models = False

    def __init__(
        self,
        root: str,
        folder: str,
        now_ns: int,
        *,
        trust: bool = True,
        looks: dict[str, os.stat_result] | None = None,
    ) -> None:
        self.root, self.now_ns, self.hashed = root, now_ns, 0
        self._looks = {} if looks is None else looks
        self.stats: dict[str, os.stat_result] = {}
        self._file = os.path.join(folder, "digests")
        self._known = _load(self._file, root, now_ns) if trust else {}
        self._fresh: dict[str, tuple[Stamps, str]] = {}
        self._used: set[str] = set()

    def digest(self, path: str) -> tuple[str, int] | None:
        """SHA-256 and size of a file (relative path); None if there is none. Raises ETB501 if it cannot be read."""
        full = self._at(path)
        try:
            found = self._looks.pop(path, None) or os.stat(full)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            return self._read(path, full)
        self.stats[path] = found
        stamps = stamps_of(found)
        known = self._fresh.get(path) or self._known.get(path)
        if known is None or known[0] != stamps:
            return self._read(path, full)
        self._used.add(path)
        return known[1], found.st_size

    def read(self, path: str) -> bytes:
        """The content of a file. Raises ETB501."""
        return files.read_stable(self._at(path))[0]

    def note(self, path: str, sha256: str, stat: os.stat_result) -> None:
        """Remember the digest of what was just read or written, good for this run; for later ones if not racy."""
        self.stats[path] = stat
        self._fresh[path] = (stamps_of(stat), sha256)

    def save(self) -> None:
        """Keep what may be trusted later of the files asked for in this run. A memo that cannot be kept is none."""
        rows = {path: self._known[path] for path in self._used if path in self._known}
        rows |= {path: row for path, row in self._fresh.items() if not is_racy(row[0], self.now_ns)}
        if rows == self._known:
            return
        self._known = rows
        lines = [_MAGIC, os.fsencode(self.root), b"%d" % self.now_ns]
        lines += [
            b"%d %d %d %d %s %s" % (*s, d.encode(), os.fsencode(p)) for p, (s, d) in rows.items() if "\n" not in p
        ]
        with suppress(EdgeTpuBuildError):
            files.write_atomic(self._file, b"\n".join(lines), durable=False)

    def _at(self, path: str) -> str:
        return path if path[:1] == "/" else f"{self.root}/{path}"

    def _read(self, path: str, full: str) -> tuple[str, int]:
        data, found = files.read_stable(full)
        self.hashed += 1
        sha256 = hashlib.sha256(data).hexdigest()
        self.note(path, sha256, found)
        return sha256, len(data)


def stamps_of(found: os.stat_result) -> Stamps:
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns


def is_racy(stamps: Stamps, now_ns: int) -> bool:
    """Whether a file was touched so lately that a change after ``now_ns`` might not show in its stamps."""
    return max(stamps[0], stamps[3]) >= now_ns - RACY_NS


def remember(project: Project, question: str, paths: Iterable[str], index: StatIndex, *, units: int) -> None:
    """Let the next plain `build` or `check` be answered at once if these files are still as they were looked at."""
    root, paths = os.fsencode(project.root), list(paths)
    names = list(map(os.fsencode, paths))
    with suppress(OSError, EdgeTpuBuildError):
        stats = [index.stats.get(path) or os.stat(os.path.join(project.root, path)) for path in paths]
        racy = max(max(found.st_mtime_ns, found.st_ctime_ns) for found in stats) >= index.now_ns - RACY_NS
        head = [noop.MAGIC, __version__.encode(), root, b"racy" if racy else b"settled", b"%d" % noop.fold(stats)]
        if not any(b"\n" in name for name in names):
            data = b"\n".join([*head, noop.summary(units).encode(), *names])
            files.write_atomic(os.path.join(project.state, question), data, durable=False)


def forget(project: Project, question: str) -> None:
    """The next run must look for itself."""
    with suppress(OSError):
        os.unlink(os.path.join(project.state, question))


def _load(file: str, root: str, now_ns: int) -> Mapping[str, tuple[Stamps, str]]:
    try:
        magic, where, written, *lines = files.read_bytes(file).split(b"\n")
        if magic != _MAGIC or where != os.fsencode(root) or int(written) > now_ns:
            return {}
        return dict(map(_row, lines))
    except (OSError, ValueError):
        return {}


def _row(line: bytes) -> tuple[str, tuple[Stamps, str]]:
    mtime, size, inode, ctime, sha256, path = line.split(b" ", 5)
    return os.fsdecode(path), ((int(mtime), int(size), int(inode), int(ctime)), sha256.decode())

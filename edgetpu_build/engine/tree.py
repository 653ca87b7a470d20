"""Where a plan looks for files: the working tree, an unpacked sdist, or git's index. One question each way."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Literal, Protocol

Found = Literal["file", "folder", "special", "missing", "unreadable"]


class Tree(Protocol):
    """Paths are POSIX, relative to the project; sources may lie outside."""

    def kind(self, path: str) -> Found:
        """What is at a path."""
        ...

    def matches(self, pattern: str) -> list[str]:
        """The files that a glob finds, sorted. `**` goes down any number of folders; hidden names are not found."""
        ...

    def leaves(self, path: str) -> bool:
        """Whether a symlink takes a path out of the project."""
        ...


class WorkTree:
    """The files as they lie on disk, each looked at once.

    ``folders`` collects those whose entries decided what a glob found, ``looks`` what each path looked like (if it is a
    link, what it leads to).
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.folders: set[str] = set()
        self.looks: dict[str, os.stat_result] = {}
        self._links: set[str] = set()
        self._inside: dict[str, bool] = {}

    def kind(self, path: str) -> Found:
        try:
            mode = self._look(path).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return "missing"
        except (OSError, ValueError):
            return "unreadable"
        if stat.S_ISREG(mode):
            return "file"
        return "folder" if stat.S_ISDIR(mode) else "special"

    def matches(self, pattern: str) -> list[str]:
        return sorted(set(self._walk("", pattern.split("/"))))

    def leaves(self, path: str) -> bool:
        full = self._at(path)
        folder = full.rpartition("/")[0]
        if folder not in self._inside:
            self._inside[folder] = self._is_inside(folder)
        return not self._inside[folder] or (self._is_link(path) and not self._is_inside(full))

    def _look(self, path: str) -> os.stat_result:
        found = self.looks.get(path)
        if found is None:
            full = self._at(path)
            found = os.lstat(full)
            if stat.S_ISLNK(found.st_mode):
                self._links.add(path)
                found = os.stat(full)
            self.looks[path] = found
        return found

    def _is_link(self, path: str) -> bool:
        if path not in self.looks:
            with suppress(OSError, ValueError):
                self._look(path)
        return path in self._links

    def _at(self, path: str) -> str:
        return path if path[:1] == "/" else f"{self.root}/{path}"

    def _is_inside(self, path: str) -> bool:
        real = os.path.realpath(path)
        return real == self.root or real.startswith(self.root.rstrip(os.sep) + os.sep)

    def _walk(self, folder: str, pattern: list[str]) -> Iterator[str]:
        first, *rest = pattern
        if first == "**":
            yield from self._walk(folder, rest or ["*"])
            for name, is_folder, is_link in self._entries(folder):
                if is_folder and not is_link and not name.startswith("."):
                    yield from self._walk(folder + name + "/", pattern)
        elif not is_pattern(first):
            if rest:
                yield from self._walk(folder + first + "/", rest)
            elif self.kind(folder + first) == "file":
                yield folder + first
        else:
            for name, is_folder, _ in self._entries(folder):
                if fits(name, first):
                    if rest and is_folder:
                        yield from self._walk(folder + name + "/", rest)
                    elif not rest and not is_folder:
                        yield folder + name

    def _entries(self, folder: str) -> list[tuple[str, bool, bool]]:
        self.folders.add(folder.rstrip("/") or ".")
        try:
            with os.scandir(os.path.join(self.root, folder)) as entries:
                return [(e.name, e.is_dir(), e.is_symlink()) for e in entries]
        except OSError:
            return []


class ListedTree:
    """Files known by name alone: git's index, or what the lock says of an sdist that travels without its sources."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = frozenset(paths)

    def kind(self, path: str) -> Found:
        return "file" if path in self._paths else "missing"

    def matches(self, pattern: str) -> list[str]:
        return sorted(path for path in self._paths if _fits_path(path.split("/"), pattern.split("/")))

    def leaves(self, path: str) -> bool:
        return False


class EitherTree:
    """The first tree, and where it has nothing, the second."""

    def __init__(self, first: Tree, second: Tree) -> None:
        self._first, self._second = first, second

    def kind(self, path: str) -> Found:
        found = self._first.kind(path)
        return self._second.kind(path) if found == "missing" else found

    def matches(self, pattern: str) -> list[str]:
        return sorted({*self._first.matches(pattern), *self._second.matches(pattern)})

    def leaves(self, path: str) -> bool:
        return self._first.leaves(path)


def is_pattern(text: str) -> bool:
    return "*" in text or "?" in text or "[" in text


def fits(name: str, pattern: str) -> bool:
    """Whether one part of a path fits one part of a glob; a hidden name fits only a pattern that starts with a dot."""
    from fnmatch import fnmatchcase

    return fnmatchcase(name, pattern) and (not name.startswith(".") or pattern.startswith("."))


def _fits_path(parts: list[str], pattern: list[str]) -> bool:
    if not pattern:
        return not parts
    first, *rest = pattern
    if first == "**":
        below = bool(parts) and not parts[0].startswith(".") and _fits_path(parts[1:], pattern)
        return below or _fits_path(parts, rest or ["*"])
    return (
        bool(parts)
        and (fits(parts[0], first) if is_pattern(first) else parts[0] == first)
        and _fits_path(parts[1:], rest)
    )

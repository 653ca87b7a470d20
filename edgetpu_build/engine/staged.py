"""Git's index instead of the working tree: what is about to be committed, and nothing else.

A blob's digest is remembered in the project's folder in the cache: inflating models costs more than all the rest::

    edgetpu-build oids 1
    oid sha256 size ...

A Git LFS pointer counts as the model that it stands for: its oid is that model's SHA-256.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from edgetpu_build import files
from edgetpu_build.engine import git
from edgetpu_build.engine.git import Entry
from edgetpu_build.engine.tree import Found, ListedTree, WorkTree
from edgetpu_build.errors import EdgeTpuBuildError, error

_MAGIC = b"edgetpu-build oids 1"
_AT_ONCE = 8  # blobs in memory


class Staged:
    """The index of one project, as tree and as contents. Raises ETB214 where there is no repository."""

    stands_for_models = True

    def __init__(self, root: Path, folder: str, env: Mapping[str, str]) -> None:
        listing = git.listing(root, env)
        if listing is None:
            raise error("ETB214", f"`--staged` needs a git repository, and `{root}` is in none")
        entries = git.index(listing)
        self._root, self._env, self._entries = root, env, entries
        self._file = os.path.join(folder, "oids")
        self._known = _load(self._file)
        self._listed, self._outside = ListedTree(entries), WorkTree(str(root))

    def kind(self, path: str) -> Found:
        """Of files outside the project the index of this project says nothing."""
        if path.startswith(("../", "/")):
            return self._outside.kind(path)
        return self._listed.kind(path)

    def matches(self, pattern: str) -> list[str]:
        return self._listed.matches(pattern)

    def leaves(self, path: str) -> bool:
        return False

    def prepare(self, paths: Iterable[str]) -> None:
        """Learn the digests of these files together, and remember them."""
        wanted = [self._entries[path].oid for path in paths if path in self._entries]
        unknown = [oid for oid in dict.fromkeys(wanted) if oid not in self._known]
        for start in range(0, len(unknown), _AT_ONCE):
            found = git.blobs(self._root, unknown[start : start + _AT_ONCE], self._env)
            self._known |= {oid: _digest(data) for oid, data in found.items()}
        if unknown:
            rows = [b"%s %s %d" % (oid.encode(), sha256.encode(), size) for oid, (sha256, size) in self._known.items()]
            with suppress(EdgeTpuBuildError):
                files.write_atomic(self._file, b"\n".join([_MAGIC, *rows]), durable=False)

    def digest(self, path: str) -> tuple[str, int] | None:
        entry: Entry | None = self._entries.get(path)
        if entry is None:
            return None
        if entry.oid not in self._known:
            self.prepare([path])
        return self._known.get(entry.oid)

    def read(self, path: str) -> bytes:
        """The blob; empty if there is none."""
        entry = self._entries.get(path)
        return git.blobs(self._root, [entry.oid], self._env).get(entry.oid, b"") if entry else b""


def _digest(data: bytes) -> tuple[str, int]:
    oid = git.lfs_oid(data)
    if oid is None:
        return hashlib.sha256(data).hexdigest(), len(data)
    sizes = [line.split()[1] for line in data.split(b"\n") if line.startswith(b"size ")]
    return oid, int(sizes[0]) if sizes and sizes[0].isdigit() else 0


def _load(file: str) -> dict[str, tuple[str, int]]:
    try:
        magic, *lines = files.read_bytes(file).split(b"\n")
        rows = (line.decode().split(" ") for line in lines)
        return {oid: (sha256, int(size)) for oid, sha256, size in rows} if magic == _MAGIC else {}
    except (OSError, ValueError):
        return {}

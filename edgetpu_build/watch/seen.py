"""What a build reads and writes, and by digest whether any of it is not what it was: the only judge of a change.

Because outputs are compared with what the last build left, our own writing can never look like a change: no loop can
begin.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edgetpu_build.config.model import Config
from edgetpu_build.engine.lockfile import NAME as LOCK_NAME
from edgetpu_build.engine.outcome import Outcome
from edgetpu_build.engine.project import PYPROJECT
from edgetpu_build.engine.tree import WorkTree, fits, is_pattern
from edgetpu_build.errors import EdgeTpuBuildError

_RACY_NS = 2_000_000_000
_COMPILED = "_edgetpu.tflite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Absolute paths. ``ours``: the files that a build writes. ``names``: the last parts of globs; ``searched``: the
    folders that these were looked up in."""

    files: frozenset[str]
    ours: frozenset[str]
    folders: frozenset[str]
    searched: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()

    def concerns(self, path: str, *, folder: bool) -> bool:
        """Whether a change there can matter at all; a busy log file beside the models must not keep us awake."""
        if path in self.files:
            return True
        if os.path.dirname(path) not in self.searched:
            return folder and any(file.startswith(path + os.sep) for file in self.files)
        return folder or any(fits(os.path.basename(path), name) for name in self.names)


def scope(root: Path, config: Config, outputs: Iterable[str] = ()) -> Scope:
    """What matters to a project: its own files, its sources as they are found now, and its outputs (relative)."""
    tree = WorkTree(str(root))
    sources: set[str] = set()
    names = set()
    for model in config.models:
        if is_pattern(model.source) and tree.kind(model.source) != "file":
            sources.update(path for path in tree.matches(model.source) if not path.endswith(_COMPILED))
            names.add(model.source.rsplit("/", 1)[-1].replace("**", "*"))
        else:
            sources.add(model.source)
    ours = {os.path.normpath(root / path) for path in (LOCK_NAME, *outputs)}
    files = ours | {os.path.normpath(root / path) for path in (PYPROJECT, *sources)}
    files |= {os.path.realpath(path) for path in files if os.path.islink(path)}
    searched = {os.path.normpath(root / folder) for folder in tree.folders}
    folders = searched | {os.path.dirname(path) for path in files}
    return Scope(
        files=frozenset(files),
        ours=frozenset(ours),
        folders=frozenset(map(_existing, folders)),
        searched=frozenset(searched),
        names=tuple(sorted(names)),
    )


def _existing(folder: str) -> str:
    """The folder, or the nearest above that is there: its entry will be news."""
    while not os.path.isdir(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return folder


class Digests:
    """Content of files by digest; what a stat vouches for is not read again."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, ...], str]] = {}

    def of(self, files: Iterable[str]) -> Mapping[str, str]:
        """Path -> digest; "" for what is not there or cannot be read."""
        return {path: self._of(path) for path in files}

    def _of(self, path: str) -> str:
        from time import time_ns

        try:
            found = os.stat(path)
            key = (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev)
            if path in self._known and self._known[path][0] == key:
                return self._known[path][1]
            digest = _sha256(path) if stat.S_ISREG(found.st_mode) else ""
        except OSError:
            return ""
        if time_ns() - found.st_mtime_ns > _RACY_NS:  # else it may change again within the same tick
            self._known[path] = (key, digest)
        return digest


def _sha256(path: str) -> str:
    from hashlib import sha256

    with open(path, "rb") as file:
        digest = sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class Looker:
    """Looks at a project: what matters now, and what it holds. A pyproject.toml that is wrong leaves the last scope."""

    def __init__(self, root: Path, env: Mapping[str, str]) -> None:
        self._root = root
        self._env = env
        self._text = ""
        self._config = Config()
        self._digests = Digests()
        self._outputs: frozenset[str] = frozenset()

    def built(self, outcome: Outcome) -> None:
        """Remember the outputs. A unit that failed keeps those that it had."""
        members = [member for unit in outcome.units for member in unit.members]
        whole = {output.path for member in members for output in member.outputs}
        found = whole | {output.path for m in members for segment in m.segments for output in segment.outputs}
        self._outputs = (self._outputs | found) - frozenset(outcome.removed)

    def scope(self) -> Scope:
        from edgetpu_build.config.load import parse, read

        with suppress(EdgeTpuBuildError):  # told by the build; what mattered until now goes on to matter
            text = read(self._root)
            if text != self._text:
                self._config = parse(text, self._env)
                self._text = text
        return scope(self._root, self._config, self._outputs)

    def digests(self, scope: Scope) -> Mapping[str, str]:
        return self._digests.of(scope.files)

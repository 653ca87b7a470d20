"""From what was made to files in the tree, and back out: only what the lock knows to be ours is ever removed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from edgetpu_build import files
from edgetpu_build.engine.fingerprint import Input
from edgetpu_build.engine.lockfile import LockedMember, LockedUnit, without_range
from edgetpu_build.engine.outcome import Output
from edgetpu_build.engine.plan import Member, Unit, log_path, output_paths
from edgetpu_build.engine.statindex import StatIndex
from edgetpu_build.engine.stored import Artifact, Made, MadeMember


class Prepared(NamedTuple):
    """A unit ready to be published: its files by path, and what the lock will say of it."""

    contents: Mapping[str, bytes]
    locked: LockedUnit


def prepare(unit: Unit, made: Made, inputs: Iterable[tuple[Input, int]], fingerprint: str, *, logs: bool) -> Prepared:
    """Name the files of a unit. ``inputs``: digest and size of each member's source."""
    contents: dict[str, bytes] = {}
    members = [
        _member(member, result, source, size, contents, logs=logs)
        for member, result, (source, size) in zip(unit.members, made.members, inputs, strict=True)
    ]
    locked = LockedUnit(
        name=unit.name,
        kind=unit.kind,
        target=made.compiler.target,
        compiler=made.compiler,
        fingerprint=fingerprint,
        options=unit.options,
        members=tuple(members),
        reweighted_from=made.reweighted,
    )
    return Prepared(contents=contents, locked=locked)


def publish(root: Path, prepared: Prepared, index: StatIndex) -> tuple[str, ...]:
    """Let the tree hold the files, all or none; the paths that changed. What holds its bytes already is not touched."""
    wanted = {path: data for path, data in prepared.contents.items() if not _is_there(path, data, index)}
    files.write_together({os.path.join(root, path): data for path, data in wanted.items()})
    for path, data in wanted.items():
        index.note(path, hashlib.sha256(data).hexdigest(), os.stat(os.path.join(root, path)))
    return tuple(wanted)


def sweep(root: Path, paths: Iterable[str]) -> None:
    """Remove what killed builds left beside our files, if it is a day old."""
    for folder in {"", *map(os.path.dirname, paths)}:
        files.sweep_temps(os.path.join(root, folder))


def withdraw(root: Path, outputs: Iterable[Output], index: StatIndex) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Remove files that hold what we wrote; (removed, left because they hold something else)."""
    removed, left = [], []
    for output in outputs:
        found = index.digest(output.path)
        if found is None:
            continue
        if found[0] == output.sha256 and files.remove(os.path.join(root, output.path)):
            removed.append(output.path)
        else:
            left.append(output.path)
    return tuple(removed), tuple(left)


def _is_there(path: str, data: bytes, index: StatIndex) -> bool:
    return index.digest(path) == (hashlib.sha256(data).hexdigest(), len(data))


def _member(
    member: Member, made: MadeMember, source: Input, size: int, contents: dict[str, bytes], *, logs: bool
) -> LockedMember:
    paths = output_paths(member, len(made.artifacts))
    texts: list[Output] = []
    for path, artifact in zip(paths, made.artifacts, strict=True):
        contents[path] = artifact.data
        if logs:
            texts.append(_log(member, path, artifact, contents))
    return LockedMember(
        name=member.name,
        source=member.source,
        sha256=source.sha256,
        size=size,
        outputs=tuple(
            Output(path=path, sha256=a.sha256, size=len(a.data), masked_sha256=a.masked)
            for path, a in zip(paths, made.artifacts, strict=True)
        ),
        figures=without_range(made.figures),
        intermediate_tensors=member.intermediate_tensors,
        logs=tuple(texts),
        segments=tuple(replace(segment, figures=without_range(segment.figures)) for segment in made.segments),
    )


def _log(member: Member, path: str, artifact: Artifact, contents: dict[str, bytes]) -> Output:
    text = artifact.log.replace("{input}", member.source).replace("{output}", path).encode()
    contents[log_path(path)] = text
    return Output(path=log_path(path), sha256=hashlib.sha256(text).hexdigest(), size=len(text))

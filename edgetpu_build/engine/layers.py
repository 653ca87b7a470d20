"""The layers behind a lock's figures: what the lock names is compiled once more, in memory, by builtin.

Outputs do not tell their layers (Google's never, ours in other numbers than the source's), and neither does the lock.
Sources and options do. Of a unit that Google's compiler made this is a prediction, and marked as one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace

from edgetpu_build import files
from edgetpu_build.compiler.interface import MemberResult, Options, Request, Source
from edgetpu_build.engine import git
from edgetpu_build.engine.lockfile import LockedMember, LockedUnit, without_range
from edgetpu_build.engine.project import Project
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.figure import Figures
from edgetpu_build.tflite import reader
from edgetpu_build.tflite.model import Model

Read = Callable[[str], bytes | None]
"""The bytes of a source, given its path in the lock; None if it is not to be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layered:
    """One member of a unit. ``figures``, ``segments``: the lock's, with the ranges of the estimates among them."""

    name: str
    model: Model
    result: MemberResult
    figures: Figures
    segments: tuple[Figures, ...] = ()


def of(unit: LockedUnit, read: Read) -> tuple[Layered, ...] | None:
    """The members in order. None where a source is not as the lock says, or builtin cannot compile it."""
    from edgetpu_build.compiler.builtin import Builtin

    contents = [_source(member, read) for member in unit.members]
    sources = tuple(
        Source(label=member.source, data=data, intermediate_tensors=member.intermediate_tensors)
        for member, data in zip(unit.members, contents, strict=True)
        if data is not None
    )
    if len(sources) < len(contents):
        return None
    try:
        request = Request(sources=sources, options=_options(unit))
        result = Builtin().compile(request, timeout=0, progress=lambda _: None)
        models = [reader.read(source.data, label=source.label) for source in sources]
    except EdgeTpuBuildError:
        return None
    guess = unit.compiler.name != "builtin"
    return tuple(
        Layered(
            name=member.name,
            model=model,
            result=_guessed(made) if guess else made,
            figures=_with_ranges(member.figures, made.figures),
            segments=tuple(
                _with_ranges(one.figures, again.figures)
                for one, again in zip(member.segments, made.segments, strict=False)
            ),
        )
        for member, model, made in zip(unit.members, models, result.members, strict=True)
    )


def here(project: Project) -> Read:
    """From the working tree."""

    def read(path: str) -> bytes | None:
        try:
            return files.read_bytes(os.path.join(project.root, path))
        except OSError:
            return None

    return read


def at(project: Project, rev: str) -> Read:
    """From a commit; sources outside of the project are in none."""
    return lambda path: git.show(project.root, rev, path, project.env)


def _source(member: LockedMember, read: Read) -> bytes | None:
    data = read(member.source)
    return data if data is not None and hashlib.sha256(data).hexdigest() == member.sha256 else None


def _options(unit: LockedUnit) -> Options:
    """Of Google's compiler the generation is in its version; one that nobody knows is taken for the newest."""
    if unit.compiler.name == "builtin":
        return unit.options
    from edgetpu_build.chip.generations import NAMES

    generation = ".".join(unit.compiler.version.split(".")[:2])
    return replace(unit.options, generation=generation) if generation in NAMES else unit.options


def _guessed(member: MemberResult) -> MemberResult:
    return replace(member, layers=tuple(replace(layer, confidence="estimated") for layer in member.layers))


def _with_ranges(locked: Figures, predicted: Figures) -> Figures:
    return predicted if without_range(predicted) == without_range(locked) else locked

"""Both compilers on the same units: what builtin predicts, and what Google's made of them.

Google's result is the stored one where there is one, else it is compiled and stored; nothing is published. Builtin
predicts the generation that Google's program is of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edgetpu_build import files
from edgetpu_build.compiler.google.command import known
from edgetpu_build.compiler.interface import Identity, MemberResult, OperatorResult, Options
from edgetpu_build.engine import lockfile, stored
from edgetpu_build.engine.fingerprint import Input, fingerprint, ingredients
from edgetpu_build.engine.make import request_of
from edgetpu_build.engine.plan import Unit, plan, select
from edgetpu_build.engine.stored import MadeMember
from edgetpu_build.engine.workers import Workers
from edgetpu_build.errors import Diagnostic, EdgeTpuBuildError

if TYPE_CHECKING:
    from edgetpu_build.compiler.interface import Backend
    from edgetpu_build.engine.build import Progress
    from edgetpu_build.engine.project import Project

FIGURES = (
    "off_chip",
    "on_chip_used",
    "on_chip_available",
    "cached_bytes",
    "streamed_bytes",
    "subgraphs",
    "runtime_version",
)
"""What both say of a model; operators are compared one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One model as both compilers see it. ``source``: the model's bytes; ``order``: its place in the compile."""

    name: str
    unit: str
    google: Identity
    options: Options
    order: int
    source: bytes = field(repr=False)
    theirs: MadeMember = field(repr=False)
    ours: MemberResult = field(repr=False)

    @property
    def operators(self) -> tuple[tuple[OperatorResult, OperatorResult], ...]:
        """(builtin's, Google's) of every operator that the two place otherwise."""
        theirs = {operator.index: operator for operator in self.theirs.operators}
        pairs = ((mine, theirs.get(mine.index)) for mine in self.ours.operators)
        return tuple((mine, other) for mine, other in pairs if other and mine.target != other.target)

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures in which they part ways; what one of them does not know is no difference."""
        return tuple(name for name in FIGURES if self._differs(name))

    def _differs(self, name: str) -> bool:
        ours, theirs = getattr(self.ours.figures, name), getattr(self.theirs.figures, name)
        if ours.value is None or theirs.value is None:
            return False
        low = theirs.value if theirs.low is None else theirs.low
        high = theirs.value if theirs.high is None else theirs.high
        return not low <= ours.value <= high


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """``failures``: of units that could not be compared, as warnings."""

    members: tuple[Compared, ...] = ()
    failures: tuple[Diagnostic, ...] = ()


def compare(project: Project, names: Sequence[str], *, say: Progress) -> Comparison:
    """The named units (all by default). ETB401 to ETB403 without Google's program."""
    lock = lockfile.read(project.root)
    planned = plan(project.config, project.root, known_outputs=lock.files if lock else ())
    units = select(planned, names)
    google = project.backend(
        "google",
        command=project.config.compiler_command,
        requires_compiler=project.config.requires_compiler,
        generation="",
    )
    identity = google.identify()
    members: list[Compared] = []
    failures: list[Diagnostic] = []
    with Workers() as workers:
        for unit in units:
            try:
                members += _compared(unit, project, google, identity, workers, say)
            except EdgeTpuBuildError as failure:
                failures += (replace(told.at(unit=unit.name), severity="warning") for told in failure.diagnostics)
            say(unit.name, "done")
    return Comparison(members=tuple(members), failures=tuple(failures))


def _compared(
    unit: Unit, project: Project, google: Backend, identity: Identity, workers: Workers, say: Progress
) -> list[Compared]:
    from edgetpu_build.compiler.builtin import Builtin

    contents = [files.read_stable(project.root / member.source)[0] for member in unit.members]
    inputs = [
        Input(sha256=hashlib.sha256(data).hexdigest(), intermediate_tensors=member.intermediate_tensors)
        for member, data in zip(unit.members, contents, strict=True)
    ]
    request = request_of(unit, contents)
    key = fingerprint(ingredients(identity, unit.options, inputs))
    record = project.store.get(key)
    made = stored.from_store(record, project.store.read) if record else None
    if made is None:
        say(unit.name, "compiling with Google's compiler, to compare")
        result = workers.compile(google, request, unit.timeout, lambda text: say(unit.name, text))
        blobs, facts = stored.to_store(result)
        made = stored.from_store(project.store.put(key, blobs, facts), lambda blob: blobs.get(blob.name))
    who = known(identity.version)
    predicted = replace(request, options=replace(request.options, generation=who.name if who else "16.0"))
    ours = Builtin().compile(predicted, timeout=unit.timeout, progress=lambda _text: None)
    return [
        Compared(
            name=member.name,
            unit=unit.name,
            google=identity,
            options=unit.options,
            order=order,
            source=data,
            theirs=theirs,
            ours=mine,
        )
        for order, (member, data, theirs, mine) in enumerate(
            zip(unit.members, contents, made.members if made else (), ours.members, strict=True)
        )
    ]

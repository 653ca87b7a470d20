"""Outputs against lock and store, and a sample of them against a fresh compile."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace

from edgetpu_build.engine import lockfile, stored
from edgetpu_build.engine.compilers import Compilers
from edgetpu_build.engine.decide import decide, why_broken
from edgetpu_build.engine.lockfile import Lock, LockedUnit, as_outcome
from edgetpu_build.engine.make import blank, described, request_of
from edgetpu_build.engine.order import in_order
from edgetpu_build.engine.outcome import Outcome, UnitOutcome
from edgetpu_build.engine.plan import Unit, plan
from edgetpu_build.engine.project import Project
from edgetpu_build.engine.statindex import StatIndex
from edgetpu_build.engine.workers import Workers
from edgetpu_build.errors import Diagnostic, EdgeTpuBuildError, error

_BUILD = "run `edgetpu-build build`"


def verify(project: Project, *, recompile: int = 0) -> Outcome:
    """Read every output and every blob again, whatever stamps say. ``recompile``: units to compile afresh and compare.

    ETB104 for outputs, ETB505 for the store, ETB103 for what the lock does not say, ETB110 for another result.
    """
    started = time.monotonic()
    lock = lockfile.read(project.root) or Lock()
    planned = plan(project.config, project.root, known_outputs=lock.files)
    index = StatIndex(str(project.root), project.state, time.time_ns(), trust=False)
    compilers = Compilers(project.config, lock, project.backend)
    sample = {unit.name for unit in sorted(planned.units, key=lambda unit: _key(unit, lock))[:recompile]}
    with Workers() as workers:
        units = tuple(
            _verified(unit, lock, index, project, compilers, workers if unit.name in sample else None)
            for unit in planned.units
        )
    return Outcome(
        command="verify", units=units, diagnostics=project.store.warnings, seconds=time.monotonic() - started
    )


def _key(unit: Unit, lock: Lock) -> str:
    """An order that has nothing to do with names, so that a small sample is not always of the same folder."""
    locked = lock.units.get(unit.name)
    return locked.fingerprint if locked else ""


def _verified(
    unit: Unit,
    lock: Lock,
    index: StatIndex,
    project: Project,
    compilers: Compilers,
    workers: Workers | None,
) -> UnitOutcome:
    locked = lock.units.get(unit.name)
    if locked is None:
        told = error("ETB103", f"`{unit.name}` is not in the lock", _BUILD, unit=unit.name)
        return replace(blank(unit, "stale", "it is not in the lock"), diagnostics=told.diagnostics)
    found = [*_outputs(locked, index), *_store(locked, project)]
    try:
        if workers:
            found += _afresh(unit, locked, lock, index, project, compilers, workers)
    except EdgeTpuBuildError as failure:
        found += failure.diagnostics
    members = tuple(as_outcome(member, member.figures) for member in locked.members)
    why = found[0].message if found else "outputs, lock and store agree"
    outcome = described(unit, "stale" if found else "fresh", why, locked, members)
    place: dict[str, str | int] = {"unit": unit.name, "file": "pyproject.toml", "line": unit.line}
    return replace(outcome, diagnostics=tuple(told.at(**place) for told in found))


def _outputs(locked: LockedUnit, index: StatIndex) -> Iterator[Diagnostic]:
    for output in locked.files:
        if why := why_broken(locked, [output], index):
            yield from error("ETB104", why, _BUILD).diagnostics


def _store(locked: LockedUnit, project: Project) -> Iterator[Diagnostic]:
    """A unit that is not in the store any more is no fault; one that differs from the lock is."""
    record = project.store.get(locked.fingerprint)
    made = stored.from_store(record, project.store.read) if record else None
    if made is None:
        return
    artifacts = [artifact for member in made.members for artifact in member.artifacts]
    outputs = [output for member in locked.members for output in member.outputs]
    if [a.masked or a.sha256 for a in artifacts] != [o.masked_sha256 or o.sha256 for o in outputs]:
        message = f"the store holds other artifacts for `{locked.name}` than the lock says"
        yield from error("ETB505", message, "`edgetpu-build build --force` makes both anew").diagnostics


def _afresh(
    unit: Unit,
    locked: LockedUnit,
    lock: Lock,
    index: StatIndex,
    project: Project,
    compilers: Compilers,
    workers: Workers,
) -> Iterator[Diagnostic]:
    unit = in_order(unit, index, lock, as_locked=True)
    identity = compilers.identify(unit)
    decision = decide(unit, identity, lock, index, logs=project.config.ship_logs)
    if decision.stale:
        message = f"`{unit.name}` cannot be compared with a fresh compile: {decision.why}"
        yield from error("ETB103", message, _BUILD).diagnostics
        return
    contents = [index.read(member.source) for member in unit.members]
    backend = compilers.backend(unit)
    result = workers.compile(backend, request_of(unit, contents), unit.timeout, lambda _text: None)
    made, _ = stored.to_store(result)
    digests = [stored.masked(data) or hashlib.sha256(data).hexdigest() for data in made.values()]
    outputs = [output for member in locked.members for output in member.outputs]
    for output, digest in zip(outputs, digests, strict=True):
        if digest != (output.masked_sha256 or output.sha256):
            message = f"`{output.path}` came out differently when it was compiled again"
            hint = f"{identity.name} {identity.version} is not deterministic, or not the one that made it"
            if locked.reweighted_from:
                hint = "it was reweighted; `edgetpu-build build --force` replaces it by a compile"
            yield from error("ETB110", message, hint).diagnostics

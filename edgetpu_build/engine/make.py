"""One unit that is not fresh: from the store, or compiled and then stored; then published.

Blob, record, outputs, in this order; the lock comes last and is ``build``'s. Whoever kills us in between leaves work
that the next build finds done.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from edgetpu_build import files
from edgetpu_build.compiler.interface import Request, Result, Source
from edgetpu_build.engine import executor, stored
from edgetpu_build.engine.budget import nothing_mapped
from edgetpu_build.engine.compilers import Compilers
from edgetpu_build.engine.decide import Decision, Inputs
from edgetpu_build.engine.fingerprint import Input, fingerprint, ingredients
from edgetpu_build.engine.lockfile import Lock, LockedUnit, as_outcome
from edgetpu_build.engine.outcome import MemberOutcome, State, UnitOutcome
from edgetpu_build.engine.plan import Unit
from edgetpu_build.engine.publish import prepare, publish
from edgetpu_build.engine.reweighting import base_key, remember, reweight, told
from edgetpu_build.engine.statindex import StatIndex
from edgetpu_build.engine.stored import Made
from edgetpu_build.errors import Diagnostic, EdgeTpuBuildError, error
from edgetpu_build.figure import Figures
from edgetpu_build.store import Store

if TYPE_CHECKING:
    from edgetpu_build.store.remote import Tiers

Say = Callable[[str, str], None]


class Making(NamedTuple):
    """What making units of one build takes."""

    root: Path
    store: Store
    compilers: Compilers
    lock: Lock
    contents: StatIndex
    say: Say
    compile: executor.Compile = executor.here
    logs: bool = False
    force: bool = False
    frozen: bool = False


class Attempt(NamedTuple):
    """What became of a unit: its outcome, what the lock shall say of it (None: what it says already), files written."""

    outcome: UnitOutcome
    locked: LockedUnit | None = None
    written: tuple[str, ...] = ()


def make(decision: Decision, making: Making) -> Attempt:
    """Make a unit that is not fresh. What is wrong with it is in its outcome, never raised."""
    started = time.monotonic()
    try:
        attempt = _make(decision, making)
    except EdgeTpuBuildError as failure:
        attempt = failed(decision.unit, failure, decision.why)
    making.say(decision.unit.name, "failed" if attempt.outcome.state == "failed" else "done")
    return attempt._replace(outcome=replace(attempt.outcome, seconds=time.monotonic() - started))


def failed(unit: Unit, failure: EdgeTpuBuildError, why: str = "it could not be decided") -> Attempt:
    """The previous outputs stay, and so does what the lock says of them."""
    place: dict[str, str | int] = {"unit": unit.name}
    if failure.exit_code in (1, 3):
        place |= {"file": "pyproject.toml", "line": unit.line}
    diagnostics = tuple(told.at(**place) for told in failure.diagnostics)
    return Attempt(outcome=replace(blank(unit, "failed", why), diagnostics=diagnostics))


def blank(unit: Unit, state: State, why: str) -> UnitOutcome:
    """A unit of which nothing new is known: its members have neither outputs nor figures."""
    members = (MemberOutcome(name=m.name, source=m.source, outputs=(), figures=Figures()) for m in unit.members)
    return UnitOutcome(name=unit.name, kind=unit.kind, state=state, why=why, members=tuple(members), line=unit.line)


def described(
    unit: Unit, state: State, why: str, locked: LockedUnit, members: tuple[MemberOutcome, ...]
) -> UnitOutcome:
    """A unit that is there."""
    return UnitOutcome(
        name=unit.name,
        kind=unit.kind,
        state=state,
        why=why,
        members=members,
        compiler=locked.compiler.name,
        target=locked.target,
        fingerprint=locked.fingerprint,
        line=unit.line,
    )


def _make(decision: Decision, making: Making) -> Attempt:
    unit, inputs, key = decision.unit, decision.inputs, decision.fingerprint
    made = None if making.force or not key else look_up(unit, inputs, key, making)
    compiled = made is None
    if made is None:
        if making.frozen:
            raise _not_there(decision)
        made, inputs, key, compiled = _compile(unit, making)
    prepared = prepare(unit, made, inputs, key, logs=making.logs)
    members = _members(prepared.locked, made, decision.locked)
    if nothing := nothing_mapped(unit, members):
        raise EdgeTpuBuildError(*nothing)
    written = publish(making.root, prepared, making.contents)
    why = f"{decision.why}; reweighted from {made.reweighted[:12]}" if made.reweighted else decision.why
    outcome = described(unit, "compiled" if compiled else "cached", why, prepared.locked, members)
    return Attempt(outcome=replace(outcome, diagnostics=made.warnings), locked=prepared.locked, written=written)


def _members(locked: LockedUnit, made: Made, before: LockedUnit | None) -> tuple[MemberOutcome, ...]:
    old = {member.name: member.figures for member in before.members} if before else {}
    return tuple(
        replace(as_outcome(entry, old.get(entry.name)), figures=result.figures, operators=result.operators)
        for entry, result in zip(locked.members, made.members, strict=True)
    )


def look_up(unit: Unit, inputs: Inputs, key: str, making: Making) -> Made | None:
    """What a fingerprint stands for: from the store, outputs in the tree under whatever name, or a shared store."""
    record = making.store.get(key)
    made = stored.from_store(record, making.store.read) if record else None
    if made is None and not making.logs:
        same = (one for one in making.lock.units.values() if one.fingerprint == key)
        made = next(filter(None, (_from_tree(one, making) for one in same)), None)
    if made is None and (tiers := making.store.tiers):
        made = _from_strangers(tiers, unit, inputs, key)
    return made


def _from_strangers(tiers: Tiers, unit: Unit, inputs: Inputs, key: str) -> Made | None:
    from edgetpu_build.engine.stranger import taken

    return tiers.fetch(key, lambda record, contents: taken(record, contents, unit, inputs))


def _compile(unit: Unit, making: Making) -> tuple[Made, Inputs, str, bool]:
    """Of several builds at once one compiles, the others find it in the store. Digests are of the bytes compiled."""
    contents = [files.read_stable(making.root / member.source)[0] for member in unit.members]
    inputs = tuple(
        (Input(sha256=hashlib.sha256(data).hexdigest(), intermediate_tensors=member.intermediate_tensors), len(data))
        for member, data in zip(unit.members, contents, strict=True)
    )
    found = _reweighted(unit, making, contents, [source for source, _ in inputs])
    if isinstance(found, tuple):
        return found[0], inputs, found[1], True
    identity = making.compilers.identify(unit)
    key = fingerprint(ingredients(identity, unit.options, [source for source, _ in inputs]))
    with making.store.exclusive(key, lambda: making.say(unit.name, "waiting for another build")):
        made = None if making.force else look_up(unit, inputs, key, making)
        if made is not None:
            return made, inputs, key, False
        making.say(unit.name, "compiling")
        result = making.compile(
            making.compilers.backend(unit),
            request_of(unit, contents),
            unit.timeout,
            lambda text: making.say(unit.name, text),
            key=key,
        )
        kept = _keep(key, result, making.store)
    if unit.options.reweight != "off" and (base := base_key(identity, unit.options, contents[0])):
        remember(making.store, base, key, contents[0])
    return kept._replace(warnings=(*kept.warnings, *([found] if found else []))), inputs, key, True


def _reweighted(
    unit: Unit, making: Making, contents: list[bytes], sources: list[Input]
) -> tuple[Made, str] | Diagnostic | None:
    """The unit made from another training, and its fingerprint; or why not, if that was asked for.

    Google's program is not started for it as long as the lock knows who it was. `--force` compiles.
    """
    mode = unit.options.reweight
    if mode == "off" or making.compilers.name(unit) != "google" or (making.force and mode != "only"):
        return None
    identity = making.compilers.known(unit) or making.compilers.identify(unit)
    key = fingerprint(ingredients(identity, unit.options, sources))
    base = base_key(identity, unit.options, contents[0])
    try:
        if base is None:
            raise error("ETB301", f"`{unit.members[0].source}` is no model that can be read")
        making.say(unit.name, "reweighting")
        return reweight(making.store, base, key, contents[0]), key
    except EdgeTpuBuildError as problem:
        if mode == "only":
            raise
        return told(problem)


def request_of(unit: Unit, contents: list[bytes]) -> Request:
    sources = (
        Source(label=os.path.basename(member.source), data=data, intermediate_tensors=member.intermediate_tensors)
        for member, data in zip(unit.members, contents, strict=True)
    )
    return Request(sources=tuple(sources), options=unit.options)


def _keep(key: str, result: Result, store: Store) -> Made:
    contents, facts = stored.to_store(result)
    record = store.put(key, contents, facts)
    if tiers := store.tiers:
        tiers.offer(key)
    made = stored.from_store(record, lambda blob: contents.get(blob.name))
    if made is None:
        raise error("ETB314", "the compiler's result does not hold together")
    return made


def _from_tree(unit: LockedUnit, making: Making) -> Made | None:
    members = []
    for member in unit.members:
        artifacts = []
        for output in member.outputs:
            try:
                data, _ = files.read_stable(making.root / output.path)
            except EdgeTpuBuildError:
                return None
            if hashlib.sha256(data).hexdigest() != output.sha256:
                return None
            artifacts.append(stored.Artifact(data=data, sha256=output.sha256, masked=output.masked_sha256, log=""))
        members.append(
            stored.MadeMember(
                figures=member.figures,
                operators=(),
                artifacts=tuple(artifacts),
                segments=member.segments,
            )
        )
    return Made(compiler=unit.compiler, members=tuple(members), reweighted=unit.reweighted_from)


def _not_there(decision: Decision) -> EdgeTpuBuildError:
    if decision.stale:
        message = f"`{decision.unit.name}` stays as the lock has it: {decision.why}, and nothing of that is built yet"
        return error("ETB105", message, "run `edgetpu-build build`")
    hint = "commit the outputs, share the store with `remote-cache`, or build without `--frozen`"
    return error("ETB104", f"{decision.why}, and the store does not have it", hint)

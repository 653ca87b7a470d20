"""Where each operator of a unit runs, also if it was not compiled just now: the store remembers, the lock does not."""

from __future__ import annotations

from dataclasses import replace

from edgetpu_build.engine import stored
from edgetpu_build.engine.outcome import Outcome, UnitOutcome
from edgetpu_build.engine.project import Project


def with_operators(project: Project, outcome: Outcome) -> Outcome:
    """The outcome with the operators of every member that the store knows. Reads a record a unit; changes nothing."""
    return replace(outcome, units=tuple(_with_operators(project, unit) for unit in outcome.units))


def _with_operators(project: Project, unit: UnitOutcome) -> UnitOutcome:
    if not unit.fingerprint or any(member.operators for member in unit.members):
        return unit
    record = project.store.get(unit.fingerprint)
    found = stored.operators(record) if record else ()
    if len(found) != len(unit.members):
        return unit
    members = (replace(member, operators=known) for member, known in zip(unit.members, found, strict=True))
    return replace(unit, members=tuple(members))

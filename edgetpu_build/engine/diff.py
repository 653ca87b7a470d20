"""Figures now against the lock of a commit."""

from __future__ import annotations

from dataclasses import dataclass

from edgetpu_build.engine import baseline, lockfile
from edgetpu_build.engine.lockfile import Lock, LockedMember
from edgetpu_build.engine.project import Project
from edgetpu_build.errors import Diagnostic
from edgetpu_build.figure import Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberDiff:
    """One model on both sides; None where it is not there. ``changed``: artifact bytes differ, the token apart."""

    name: str
    unit: str
    before: Figures | None
    after: Figures | None
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """``rev``: what was asked for. Members by name; those that did not change are left out."""

    rev: str
    members: tuple[MemberDiff, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


def diff(project: Project, rev: str = "HEAD") -> Diff:
    """The lock as it lies there against that of ``rev``. Raises ETB209 for no such commit, ETB502 to ETB504."""
    before, after = _members(baseline.at(project, rev)), _members(lockfile.read(project.root))
    found = (_compare(name, before.get(name), after.get(name)) for name in sorted({*before, *after}))
    return Diff(rev=rev, members=tuple(member for member in found if member is not None))


def _members(lock: Lock | None) -> dict[str, tuple[str, LockedMember]]:
    return {member.name: (unit.name, member) for unit in lock.units.values() for member in unit.members} if lock else {}


def _compare(
    name: str, before: tuple[str, LockedMember] | None, after: tuple[str, LockedMember] | None
) -> MemberDiff | None:
    old, new = (side[1] if side else None for side in (before, after))
    changed = (_artifacts(old) if old else None) != (_artifacts(new) if new else None)
    if old and new and not changed and old.figures == new.figures:
        return None
    unit = (after or before or ("", None))[0]
    figures = (side.figures if side else None for side in (old, new))
    return MemberDiff(name=name, unit=unit, before=next(figures), after=next(figures), changed=changed)


def _artifacts(member: LockedMember) -> list[str]:
    return [output.masked_sha256 or output.sha256 for output in member.outputs]

"""Figures now against the lock of a commit."""

from __future__ import annotations

from dataclasses import dataclass

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
    raise NotImplementedError

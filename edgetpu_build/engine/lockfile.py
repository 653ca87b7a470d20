"""`edgetpu.lock`: what was built from what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgetpu_build.engine.outcome import Outcome, Output
from edgetpu_build.engine.plan import Kind
from edgetpu_build.engine.project import Project
from edgetpu_build.figure import Figures

VERSION = 1
OptionValue = str | int | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedSegment:
    """One piece of a segmented member; its file is the member's output of the same index."""

    index: int
    operators: tuple[int, ...]
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedMember:
    """One model as it was compiled: ``sha256`` and ``size`` of its source, what came of it, and the figures."""

    name: str
    source: str
    sha256: str
    size: int
    outputs: tuple[Output, ...]
    figures: Figures
    logs: tuple[Output, ...] = ()
    segments: tuple[LockedSegment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedUnit:
    """``options``: as resolved, only those that are not the default. ``compiler``: builtin or google."""

    name: str
    kind: Kind
    target: str
    compiler: str
    compiler_version: str
    identity: str
    fingerprint: str
    options: Mapping[str, OptionValue]
    members: tuple[LockedMember, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Units by name, sorted."""

    units: Mapping[str, LockedUnit] = field(default_factory=dict)
    generator: str = ""


def read(root: Path) -> Lock | None:
    raise NotImplementedError


def parse(text: str) -> Lock:
    raise NotImplementedError


def format_lock(lock: Lock) -> str:
    raise NotImplementedError


def write(root: Path, lock: Lock) -> bool:
    raise NotImplementedError


def refresh(project: Project, *, upgrade: bool = False) -> Outcome:
    raise NotImplementedError

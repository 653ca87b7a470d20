"""Config and the files that are there -> the units to build. The only place that expands globs and names outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edgetpu_build.compiler.interface import Options
from edgetpu_build.config.model import Budget, CompilerChoice
from edgetpu_build.errors import Diagnostic

Kind = Literal["model", "group", "segments"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One model of a unit. Paths are POSIX, relative to the project.

    ``outputs`` has one path, or one a segment. For ``segments = "auto"`` the count is not known yet: ``outputs`` is empty
    and ``output_pattern`` (with ``{index}`` and ``{count}``) names them once it is.
    """

    name: str
    source: str
    outputs: tuple[str, ...]
    output_pattern: str = ""
    intermediate_tensors: tuple[str, ...] = ()
    wheel_path: str | None = None
    ship: bool = True
    budget: Budget = Budget()
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What is compiled, stored and published as one: a model, a segmented model, or a group."""

    name: str
    kind: Kind
    members: tuple[Member, ...]
    options: Options
    compiler: CompilerChoice = "auto"
    timeout: float = 180.0
    budget: Budget = Budget()
    calls: Mapping[str, float] = field(default_factory=dict)
    auto_order: bool = False
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Units in the order of the configuration (groups stand where their first member stood)."""

    units: tuple[Unit, ...]
    warnings: tuple[Diagnostic, ...] = ()


def plan(config: Config, root: Path) -> Plan:
    raise NotImplementedError

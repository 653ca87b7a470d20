"""What happened, as values: the one thing that every report is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgetpu_build.compiler.interface import OperatorResult
from edgetpu_build.errors import Diagnostic, exit_code
from edgetpu_build.figure import Figures

State = Literal["fresh", "cached", "compiled", "failed", "stale"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A published file: path relative to the project, digest of its bytes, and of its bytes with the token zeroed."""

    path: str
    sha256: str
    size: int
    masked_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentOutcome:
    index: int
    outputs: tuple[Output, ...]
    operators: tuple[int, ...]
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberOutcome:
    """``before``: the figures that the lock held until now, for "what got worse"; None for a new member."""

    name: str
    source: str
    outputs: tuple[Output, ...]
    figures: Figures
    operators: tuple[OperatorResult, ...] = ()
    segments: tuple[SegmentOutcome, ...] = ()
    before: Figures | None = None
    logs: tuple[Output, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitOutcome:
    """``fresh``: nothing to do. ``cached``: restored from the store. ``stale``: would be built (check, dry run).

    ``why`` is one sentence, recorded when the decision was made. ``diagnostics`` holds this unit's errors and warnings,
    broken budgets included; a unit may be built and still break its budget.
    """

    name: str
    kind: str
    state: State
    why: str
    seconds: float = 0.0
    members: tuple[MemberOutcome, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    compiler: str = ""
    target: str = ""
    fingerprint: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A whole command. ``written``: every path (relative) that this run wrote or removed, the lock included."""

    command: str
    units: tuple[UnitOutcome, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    lock_changed: bool = False
    seconds: float = 0.0

    @property
    def all_diagnostics(self) -> tuple[Diagnostic, ...]:
        return self.diagnostics + tuple(d for unit in self.units for d in unit.diagnostics)

    @property
    def has_news(self) -> bool:
        """Whether there is more to tell than notes."""
        return any(told.severity != "note" for told in self.all_diagnostics)

    @property
    def paths(self) -> tuple[str, ...]:
        """Every file that it follows from: configuration, lock, sources, outputs, logs."""
        members = [member for unit in self.units for member in unit.members]
        outputs = (output.path for member in members for output in member.outputs + member.logs)
        return ("pyproject.toml", "edgetpu.lock", *(member.source for member in members), *outputs)

    @property
    def exit_code(self) -> int:
        """Where several apply, the smallest above 1 wins."""
        return exit_code(self.all_diagnostics)

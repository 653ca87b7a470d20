"""The one orchestrator: Config -> Plan -> Fingerprint -> stored or compiled -> published -> Lock -> Outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgetpu_build.engine.outcome import Outcome, UnitOutcome
from edgetpu_build.engine.project import Project

Progress = Callable[[str, str], None]
"""Called with a unit's name and what happens to it just now ("compiling", "done", or a compiler's own words)."""


def build(
    project: Project,
    names: Sequence[str] = (),
    *,
    force: bool = False,
    locked: bool = False,
    frozen: bool = False,
    jobs: int = 0,
    fail_fast: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
    sdist: bool = False,
) -> Outcome:
    raise NotImplementedError


__all__ = ["Outcome", "Progress", "UnitOutcome", "build"]

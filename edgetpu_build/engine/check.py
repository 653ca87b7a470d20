"""Does what is there agree: configuration, lock, sources, outputs, budgets. Compiles nothing, starts no compiler."""

from __future__ import annotations

from collections.abc import Sequence

from edgetpu_build.engine.outcome import Outcome
from edgetpu_build.engine.project import Project


def check(project: Project, names: Sequence[str] = (), *, staged: bool = False, base: str | None = None) -> Outcome:
    raise NotImplementedError

"""Outputs against lock and store, and a sample of them against a fresh compile."""

from __future__ import annotations

from edgetpu_build.engine.outcome import Outcome
from edgetpu_build.engine.project import Project


def verify(project: Project, *, recompile: int = 0) -> Outcome:
    raise NotImplementedError

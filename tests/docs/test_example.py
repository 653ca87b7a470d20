"""The example's committed lock is what a build of its sources gives."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from edgetpu_build.engine.build import build
from edgetpu_build.engine.project import Project

EXAMPLE = Path(__file__).resolve().parents[2] / "example_project"


@pytest.mark.slow
def test_the_committed_lock_is_up_to_date(tmp_path: Path) -> None:
    project = tmp_path / "example"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("*_edgetpu.tflite", "__pycache__", "dist"))
    outcome = build(Project.load(project, os.environ), locked=True)
    assert [d.message for d in outcome.all_diagnostics if d.severity == "error"] == []


def test_its_models_are_small_enough_to_be_committed() -> None:
    assert sum(path.stat().st_size for path in (EXAMPLE / "models").glob("*.tflite")) < 6_000_000

"""A project in a folder of its own, built by the stand-in compiler: what tests of the engine play with."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgetpu_build.engine.build import build
from edgetpu_build.engine.check import check
from edgetpu_build.engine.outcome import Outcome, UnitOutcome
from edgetpu_build.engine.project import Project
from tests.support.backend import StandIn

LONG_AGO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Yard:
    """``root`` is the project. Every file written through it is older than any racy window."""

    root: Path
    backend: StandIn

    @classmethod
    def at(cls, folder: Path, **backend: Any) -> Yard:
        root = folder / "project"
        root.mkdir(parents=True)
        return cls(root, StandIn(log=str(folder / "compiles"), **backend))

    def config(self, text: str) -> None:
        self.write("pyproject.toml", text)

    def models(self, **models: str) -> None:
        """A configuration with these models, name -> source, each beside its output."""
        tables = (f'[tool.edgetpu.models.{name}]\nsource = "{source}"\n' for name, source in models.items())
        self.config("[tool.edgetpu]\n" + "".join(tables))

    def write(self, path: str, content: str | bytes) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(target, (LONG_AGO, LONG_AGO))
        return target

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def project(self, **env: str) -> Project:
        return replace(Project.load(self.root, {**os.environ, **env}), backend=self.backend)

    def build(self, *names: str, **options: Any) -> Outcome:
        return build(self.project(), names, **options)

    def check(self, *names: str, **options: Any) -> Outcome:
        return check(self.project(), names, **options)

    @property
    def compiles(self) -> list[str]:
        return self.backend.compiles()

    @property
    def files(self) -> set[str]:
        return {str(p.relative_to(self.root)) for p in self.root.rglob("*") if p.is_file() and ".git/" not in str(p)}

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main")
        done = subprocess.run(["git", *identity, *arguments], cwd=self.root, capture_output=True, check=True, text=True)
        return done.stdout


def states(outcome: Outcome) -> dict[str, str]:
    return {unit.name: unit.state for unit in outcome.units}


def unit(outcome: Outcome, name: str) -> UnitOutcome:
    return next(found for found in outcome.units if found.name == name)


def codes(outcome: Outcome) -> list[str]:
    """Of errors and warnings."""
    return [told.code for told in outcome.all_diagnostics if told.severity != "note"]


def age(root: Path, seconds: float = 60) -> None:
    """Make every file and folder look as if last touched a minute ago, but for their inode's own time."""
    then = time.time() - seconds
    for path in root.rglob("*"):
        os.utime(path, (then, then))

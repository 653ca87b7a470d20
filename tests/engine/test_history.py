"""Whatever is done to a project between builds: a build leaves all as the model of it says, and does nothing more."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edgetpu_build.engine import lockfile
from tests.support.project import Yard, states

NAMES = ("a", "b", "c")
names = st.sampled_from(NAMES)
contents = st.sampled_from(["one", "two", "three", "fail", "fail too"])


class History(RuleBasedStateMachine):
    """``sources`` and ``declared`` are what a user did; ``built`` what the last build of a unit saw; ``ever`` what the
    store must know."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.cache = os.environ.get("EDGETPU_BUILD_CACHE_DIR")
        os.environ["EDGETPU_BUILD_CACHE_DIR"] = str(self.folder / "cache")
        self.yard = Yard.at(self.folder)
        self.sources: dict[str, str] = {}
        self.declared: dict[str, str] = {}
        self.built: dict[str, str] = {}
        self.ever: set[str] = set()
        self.tampered: set[str] = set()
        self.in_step = False
        self.edit("a", "one")
        self.declare("a", "a")

    def teardown(self) -> None:
        if self.cache is None:
            del os.environ["EDGETPU_BUILD_CACHE_DIR"]
        else:
            os.environ["EDGETPU_BUILD_CACHE_DIR"] = self.cache
        shutil.rmtree(self.folder)

    def output(self, unit: str) -> Path:
        return self.yard.root / f"out/{unit}.tflite"

    @rule(name=names, content=contents)
    def edit(self, name: str, content: str) -> None:
        self.yard.write(f"{name}.tflite", content)
        self.sources[name] = content
        self.in_step = False

    @rule(unit=names, source=names)
    def declare(self, unit: str, source: str) -> None:
        if source in self.sources:
            self.declared[unit] = source
            self._configure()

    @rule(unit=names)
    @precondition(lambda self: len(self.declared) > 1)
    def undeclare(self, unit: str) -> None:
        self.declared.pop(unit, None)
        self._configure()

    @rule(unit=names)
    def lose_output(self, unit: str) -> None:
        self.output(unit).unlink(missing_ok=True)
        self.in_step = False

    @rule(unit=names)
    def tamper(self, unit: str) -> None:
        if self.output(unit).exists():
            self.output(unit).write_text("tampered with")
            self.tampered.add(unit)
            self.in_step = False

    @rule(name=names)
    def touch(self, name: str) -> None:
        if name in self.sources:
            os.utime(self.yard.root / f"{name}.tflite")

    @rule()
    def forget_stamps(self) -> None:
        shutil.rmtree(self.yard.project().state, ignore_errors=True)

    @rule()
    def lose_lock(self) -> None:
        (self.yard.root / "edgetpu.lock").unlink(missing_ok=True)
        self.built.clear()
        self.in_step = False

    @rule()
    def build(self) -> None:
        before = len(self.yard.compiles)
        outcome = self.yard.build(jobs=1)
        wanted = {unit: self.sources[source] for unit, source in self.declared.items()}
        good = {unit: content for unit, content in wanted.items() if "fail" not in content}

        assert {unit for unit, state in states(outcome).items() if state == "failed"} == wanted.keys() - good.keys()
        new = {content for content in good.values() if content not in self.ever}
        assert len(self.yard.compiles) - before == len(new) + len(wanted.keys() - good.keys())
        for unit, content in good.items():
            assert self.output(unit).read_bytes().endswith(f" {content}".encode())
        self.ever |= new
        kept = {unit: content for unit, content in self.built.items() if unit in wanted}
        self.built = kept | good
        self.tampered -= good.keys()
        assert lockfile.parse(self.yard.read("edgetpu.lock")).units.keys() == self.built.keys() if self.built else True
        self.in_step = True

    @rule()
    @precondition(lambda self: self.in_step)
    def build_again(self) -> None:
        before, files = len(self.yard.compiles), self._stamps()
        outcome = self.yard.build(jobs=1)
        failing = [unit for unit, source in self.declared.items() if "fail" in self.sources[source]]
        assert len(self.yard.compiles) - before == len(failing)
        assert {state for unit, state in states(outcome).items() if unit not in failing} <= {"fresh"}
        assert self._stamps() == files

    @invariant()
    def nothing_lies_about(self) -> None:
        """No temporary file, and no output that nobody declared, changed or lost the lock of."""
        assert not [path for path in self.yard.files if ".edgetpu-tmp" in path]

    def _configure(self) -> None:
        tables = (
            f'[tool.edgetpu.models.{unit}]\nsource = "{source}.tflite"\noutput = "out/{unit}.tflite"\n'
            for unit, source in self.declared.items()
        )
        self.yard.config("".join(tables))
        self.in_step = False

    def _stamps(self) -> dict[str, int]:
        return {path: (self.yard.root / path).stat().st_ctime_ns for path in self.yard.files}


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=10, stateful_step_count=20, deadline=None)

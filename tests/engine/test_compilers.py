from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from edgetpu_build.compiler.interface import Identity, Progress, Request, Result
from edgetpu_build.engine import lockfile
from edgetpu_build.engine.build import build
from edgetpu_build.engine.outcome import Outcome
from edgetpu_build.errors import error
from tests.support.backend import StandIn
from tests.support.project import Yard, codes, states


@dataclass(frozen=True)
class Counted:
    """Google's program: who it is costs a start, which is counted."""

    stand_in: StandIn
    starts: list[str]

    def identify(self) -> Identity:
        self.starts.append("identify")
        return self.stand_in.identify()

    def compile(self, request: Request, *, timeout: float, progress: Progress) -> Result:
        return self.stand_in.compile(request, timeout=timeout, progress=progress)


class Machine:
    """A machine with Google's program on it, or without."""

    def __init__(self, yard: Yard, *, google: bool) -> None:
        self.yard, self.google = yard, google
        self.starts: list[str] = []

    def backend(self, name: str, **_: Any) -> Any:
        if name == "builtin":
            return self.yard.backend
        if not self.google:
            raise error("ETB401", "`edgetpu_compiler` was not found")
        return Counted(replace(self.yard.backend, name="google"), self.starts)

    def build(self, **options: Any) -> Outcome:
        return build(replace(self.yard.project(), backend=self.backend), jobs=1, **options)


@pytest.fixture
def google(yard: Yard) -> Yard:
    """Built by Google's program, committed outputs and all."""
    yard.models(a="a.tflite", b="b.tflite")
    yard.write("a.tflite", "aaa"), yard.write("b.tflite", "bb")
    with_google = yard.read("pyproject.toml").decode().replace("[tool.edgetpu]", '[tool.edgetpu]\ncompiler = "google"')
    yard.config(with_google)
    machine = Machine(yard, google=True)
    assert Machine.build(machine).exit_code == 0
    assert machine.starts == ["identify"]
    yard.config(with_google.replace('"google"', '"auto"'))
    return yard


def test_a_build_with_nothing_to_do_starts_nothing(google: Yard) -> None:
    machine = Machine(google, google=True)
    assert states(machine.build()) == {"a": "fresh", "b": "fresh"}
    assert machine.starts == []


def test_auto_takes_what_the_lock_names(google: Yard) -> None:
    machine = Machine(google, google=False)
    outcome = machine.build()
    assert (states(outcome), {unit.compiler for unit in outcome.units}) == ({"a": "fresh", "b": "fresh"}, {"google"})
    assert outcome.diagnostics == ()


def test_without_the_program_stored_outputs_do(google: Yard) -> None:
    (google.root / "a_edgetpu.tflite").unlink()
    assert states(Machine(google, google=False).build()) == {"a": "cached", "b": "fresh"}


def test_and_without_those_it_is_missing(google: Yard, own_home: Path) -> None:
    (google.root / "a_edgetpu.tflite").unlink()
    shutil.rmtree(own_home / ".cache")
    outcome = Machine(google, google=False).build()
    assert (states(outcome), codes(outcome), outcome.exit_code) == ({"a": "failed", "b": "fresh"}, ["ETB401"], 4)


def test_a_new_model_gets_the_compiler_of_the_others(google: Yard) -> None:
    google.config(
        google.read("pyproject.toml").decode() + '[tool.edgetpu.models.c]\nsource = "a.tflite"\noutput = "c"\n'
    )
    machine = Machine(google, google=True)
    outcome = machine.build()
    assert (states(outcome)["c"], outcome.units[2].compiler) == ("cached", "google")
    assert machine.starts == []


def test_a_changed_model_is_compiled_by_the_program_that_is_there(google: Yard) -> None:
    google.write("a.tflite", "new")
    machine = Machine(google, google=True)
    machine.yard = replace(google, backend=replace(google.backend, revision="2"))
    assert states(machine.build()) == {"a": "compiled", "b": "fresh"}
    units = lockfile.parse(google.read("edgetpu.lock")).units
    assert (units["a"].compiler.identity, units["b"].compiler.identity) == ("stand-in 2", "stand-in 1")
    assert states(machine.build()) == {"a": "fresh", "b": "fresh"}


def test_check_and_frozen_start_nothing(google: Yard) -> None:
    machine = Machine(google, google=True)
    assert machine.build(frozen=True).exit_code == 0
    assert google.check().exit_code == 0
    assert machine.starts == []


def test_a_locked_version_that_is_no_longer_allowed_is_asked_again(google: Yard) -> None:
    config = google.read("pyproject.toml").decode()
    google.config(config.replace("[tool.edgetpu]", '[tool.edgetpu]\nrequires-compiler = ">=15"'))
    machine = Machine(google, google=True)
    assert states(machine.build()) == {"a": "fresh", "b": "fresh"}
    assert machine.starts == []


def test_the_other_compiler_is_another_fingerprint(google: Yard) -> None:
    google.config(google.read("pyproject.toml").decode().replace('"auto"', '"builtin"'))
    outcome = Machine(google, google=False).build()
    assert states(outcome) == {"a": "compiled", "b": "compiled"}
    assert outcome.units[0].why.startswith("`compiler` changed from google to builtin")


def test_the_generation_matters_to_builtin_alone(google: Yard) -> None:
    config = google.read("pyproject.toml").decode()
    google.config(config.replace("[tool.edgetpu]", '[tool.edgetpu]\nrequires-compiler = "==16.*"'))
    assert states(Machine(google, google=False).build()) == {"a": "fresh", "b": "fresh"}


def test_a_version_that_only_google_may_have_one_day(google: Yard) -> None:
    config = google.read("pyproject.toml").decode()
    google.config(config.replace("[tool.edgetpu]", '[tool.edgetpu]\nrequires-compiler = ">=17"'))
    machine = Machine(google, google=True)
    outcome = machine.build()
    assert machine.starts == ["identify"]
    assert {unit.compiler for unit in outcome.units} == {"google"}
    google.config(google.read("pyproject.toml").decode().replace('"auto"', '"builtin"'))
    outcome = Machine(google, google=False).build()
    assert (set(codes(outcome)), outcome.exit_code) == ({"ETB402"}, 4)

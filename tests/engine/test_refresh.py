from __future__ import annotations

from dataclasses import replace

import pytest

from edgetpu_build.engine import lockfile
from edgetpu_build.engine.lockfile import refresh
from tests.support.project import Yard, codes, states


@pytest.fixture
def built(yard: Yard) -> Yard:
    yard.models(a="a.tflite", b="b.tflite")
    yard.write("a.tflite", "aaa"), yard.write("b.tflite", "bb")
    yard.build()
    return yard


def test_a_lost_lock_is_written_again_without_compiling(built: Yard) -> None:
    lock = built.read("edgetpu.lock")
    (built.root / "edgetpu.lock").unlink()
    outcome = refresh(built.project())
    assert (outcome.command, states(outcome), outcome.lock_changed) == ("lock", {"a": "cached", "b": "cached"}, True)
    assert built.read("edgetpu.lock") == lock
    assert len(built.compiles) == 2


def test_what_does_not_exist_stays_as_it_is(built: Yard) -> None:
    lock = built.read("edgetpu.lock")
    built.write("a.tflite", "new")
    outcome = refresh(built.project())
    assert codes(outcome) == ["ETB105"]
    assert outcome.exit_code == 1
    assert built.read("edgetpu.lock") == lock
    assert len(built.compiles) == 2


def test_without_upgrade_the_compiler_is_the_locks(built: Yard) -> None:
    newer = replace(built, backend=replace(built.backend, revision="2"))
    assert states(refresh(newer.project())) == {"a": "fresh", "b": "fresh"}


def test_upgrade_takes_the_one_that_is_there(built: Yard) -> None:
    newer = replace(built, backend=replace(built.backend, revision="2"))
    outcome = refresh(newer.project(), upgrade=True)
    assert states(outcome) == {"a": "compiled", "b": "compiled"}
    identities = {unit.compiler.identity for unit in lockfile.parse(built.read("edgetpu.lock")).units.values()}
    assert identities == {"stand-in 2"}

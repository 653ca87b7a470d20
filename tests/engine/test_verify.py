from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgetpu_build.engine import lockfile
from edgetpu_build.engine.outcome import Outcome
from edgetpu_build.engine.verify import verify
from tests.support.project import Yard, codes, states


@pytest.fixture
def built(yard: Yard) -> Yard:
    yard.models(a="a.tflite", b="b.tflite")
    yard.write("a.tflite", "aaa")
    yard.write("b.tflite", "bb")
    yard.build()
    return yard


def run(yard: Yard, recompile: int = 0) -> Outcome:
    return verify(yard.project(), recompile=recompile)


def test_all_agrees(built: Yard) -> None:
    outcome = run(built, recompile=2)
    assert (states(outcome), outcome.exit_code) == ({"a": "fresh", "b": "fresh"}, 0)
    assert len(built.compiles) == 4


def test_a_sample_is_as_large_as_asked(built: Yard) -> None:
    run(built, recompile=1)
    assert len(built.compiles) == 3


def test_outputs_are_read_whatever_their_stamps(built: Yard) -> None:
    import os

    path = built.root / "a_edgetpu.tflite"
    stat = path.stat()
    path.write_bytes(path.read_bytes().replace(b"aaa", b"aab"))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    outcome = run(built)
    assert (codes(outcome), outcome.exit_code) == (["ETB104"], 1)


def test_a_damaged_store_is_told_but_is_no_failure(built: Yard, own_home: Path) -> None:
    for blob in (own_home / ".cache").rglob("cas/*/*"):
        blob.chmod(0o644)
        blob.write_bytes(b"x" * blob.stat().st_size)
    outcome = run(built)
    assert (codes(outcome), outcome.exit_code) == (["ETB505"], 0)


def test_a_lock_that_the_store_contradicts(built: Yard) -> None:
    text = built.read("edgetpu.lock").decode()
    sha256 = lockfile.parse(text.encode()).files["a_edgetpu.tflite"].sha256
    built.write("edgetpu.lock", text.replace(sha256, "0" * 64))
    assert codes(run(built)) == ["ETB104", "ETB505"]


def test_a_compiler_that_makes_something_else(built: Yard) -> None:
    newer = replace(built, backend=replace(built.backend, revision="2"))
    assert set(codes(run(newer, recompile=2))) == {"ETB103"}


def test_a_unit_that_is_not_locked(built: Yard) -> None:
    (built.root / "edgetpu.lock").unlink()
    assert codes(run(built)) == ["ETB103", "ETB103"]

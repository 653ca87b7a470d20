"""A lock that Google's compiler made builds its wheel where that program is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hatch.conftest import Consumer, hatchling, names, run, sdist_of, unpack, wheel_of
from tests.support import models
from tests.support.standin.recording import Recording, told

MODEL, OTHER = models.conv_net(layers=2, channels=8, size=8), models.dense_net()
NOWHERE = {"EDGETPU_BUILD_COMMAND": "/nowhere/edgetpu_compiler"}


@pytest.fixture
def compiled(consumer: Consumer, tmp_path: Path) -> Consumer:
    """A consumer whose models were compiled, its lock and outputs there."""
    consumer.model("a", "models/a.tflite", MODEL)
    consumer.replace('compiler = "builtin"', 'compiler = "google"')
    consumer.replace("allow-simulator = true\n", "")
    recording = Recording(tmp_path / "standin")
    recording.good(told(MODEL, 0))
    done = run(["edgetpu-build", "build"], consumer.root, EDGETPU_BUILD_COMMAND=str(recording.program))
    assert done.returncode == 0, done.stderr
    return consumer


def test_its_wheel_is_built_without_the_program(compiled: Consumer) -> None:
    done = hatchling(compiled.root, "-t", "wheel", **NOWHERE)
    assert done.returncode == 0, done.stderr
    assert "consumer/models/a_edgetpu.tflite" in names(wheel_of(compiled.root))


def test_on_another_machine_without_a_store(compiled: Consumer, tmp_path: Path) -> None:
    """Outputs are committed; nothing else is there."""
    elsewhere = {**NOWHERE, "EDGETPU_BUILD_CACHE_DIR": str(tmp_path / "empty"), "EDGETPU_BUILD_FROZEN": "1"}
    done = hatchling(compiled.root, "-t", "wheel", **elsewhere)
    assert done.returncode == 0, done.stderr
    assert "consumer/models/a_edgetpu.tflite" in names(wheel_of(compiled.root))


def test_outputs_come_from_the_store_where_git_ignores_them(compiled: Consumer) -> None:
    output = compiled.root / "src" / "consumer" / "models" / "a_edgetpu.tflite"
    before = output.read_bytes()
    output.unlink()
    done = hatchling(compiled.root, "-t", "wheel", **NOWHERE)
    assert done.returncode == 0, done.stderr
    assert output.read_bytes() == before


def test_through_an_sdist(compiled: Consumer, tmp_path: Path) -> None:
    assert hatchling(compiled.root, "-t", "sdist", **NOWHERE).returncode == 0
    root = unpack(sdist_of(compiled.root), tmp_path / "unpacked")
    done = hatchling(root, "-t", "wheel", EDGETPU_BUILD_CACHE_DIR=str(tmp_path / "empty"), **NOWHERE)
    assert done.returncode == 0, done.stderr
    assert "consumer/models/a_edgetpu.tflite" in names(wheel_of(root))


def test_a_changed_model_ends_the_build_and_says_what_is_missing(compiled: Consumer) -> None:
    compiled.write("models/a.tflite", OTHER)
    done = hatchling(compiled.root, "-t", "wheel", **NOWHERE)
    assert done.returncode != 0
    assert "`/nowhere/edgetpu_compiler` was not found" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr

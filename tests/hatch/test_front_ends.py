"""The same project through pip, uv, build and hatch."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.hatch.conftest import Consumer, names, run, sdist_of, wheel_of

pytestmark = [pytest.mark.slow, pytest.mark.frontends]

PYTHON = sys.executable
FRONT_ENDS = {
    "pip": [PYTHON, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps", "-w", "dist", "."],
    "build": [PYTHON, "-m", "build", "--no-isolation", "--wheel", "."],
    "uv": ["uv", "build", "--offline", "--no-build-isolation", "--wheel", "--python", PYTHON, "."],
    "hatchling": [PYTHON, "-m", "hatchling", "build", "-t", "wheel"],
}
OUTPUT = "consumer/models/a_edgetpu.tflite"


def available(command: list[str]) -> None:
    if shutil.which(command[0], path=f"{Path(PYTHON).parent}:{'/usr/bin'}") is None and command[0] != PYTHON:
        pytest.skip(f"{command[0]} is not installed")


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_every_front_end_builds_the_same_wheel(front_end: str, consumer: Consumer) -> None:
    available(FRONT_ENDS[front_end])
    consumer.model("a", "models/a.tflite")
    done = run(FRONT_ENDS[front_end], consumer.root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert OUTPUT in names(wheel_of(consumer.root))


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_every_front_end_shows_our_message_and_no_traceback(front_end: str, consumer: Consumer) -> None:
    available(FRONT_ENDS[front_end])
    consumer.model("a", "models/a.tflite", more='budget = { artifact-size = "1 B" }\n')
    done = run(FRONT_ENDS[front_end], consumer.root)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "artifact-size" in said
    assert "edgetpu_hooks/hatch.py" not in said


def test_sdist_then_wheel_by_build(consumer: Consumer) -> None:
    consumer.model("a", "models/a.tflite")
    done = run([PYTHON, "-m", "build", "--no-isolation", "."], consumer.root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert OUTPUT in names(wheel_of(consumer.root))
    assert {"edgetpu.lock", "models/a.tflite", f"src/{OUTPUT}"} <= names(sdist_of(consumer.root))


def test_an_editable_install_leaves_outputs_in_the_tree(consumer: Consumer, tmp_path: Path) -> None:
    consumer.model("a", "models/a.tflite")
    consumer.replace("allow-simulator = true\n", "")
    target = tmp_path / "site"
    command = [PYTHON, "-m", "pip", "install", "-q", "--no-build-isolation", "--no-deps", "--target", str(target)]
    done = run([*command, "-e", "."], consumer.root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (consumer.root / "src" / OUTPUT).exists()
    assert not list(target.rglob("*_edgetpu.tflite"))


def test_an_isolated_build_with_the_plugin_from_a_folder_of_wheels(consumer: Consumer, tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    house = tmp_path / "house"
    made = run([PYTHON, "-m", "pip", "wheel", "-q", "--no-build-isolation", "-w", str(house), str(root)], tmp_path)
    if made.returncode:
        pytest.skip("no package index within reach")
    consumer.model("a", "models/a.tflite")
    command = [
        PYTHON,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-index",
        "--find-links",
        str(house),
        "--no-deps",
        "-w",
        "dist",
        ".",
    ]
    done = run(command, consumer.root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert OUTPUT in names(wheel_of(consumer.root))

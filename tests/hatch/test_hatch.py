"""The build hook, through hatchling itself: what is in the archive, and what a user reads when it fails."""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from edgetpu_hooks.hatch import EdgeTPUBuildHook
from tests.hatch.conftest import MODEL, Consumer, hatchling, names, run, sdist_of, unpack, wheel_of
from tests.support import models

ODD_NAMES = ["br[ab]", "a b", "!bang", "#hash", "étoile", "模型", "{x}", "100%", "it's", "trailing ", "star*", "q?"]


def test_a_wheel_carries_ignored_outputs(consumer: Consumer) -> None:
    consumer.model("a", "models/a.tflite")
    done = hatchling(consumer.root, "-t", "wheel")
    assert done.returncode == 0, done.stderr
    assert "consumer/models/a_edgetpu.tflite" in names(wheel_of(consumer.root))
    assert wheel_of(consumer.root).name == "consumer-1.0-py3-none-any.whl"


def test_a_wheel_carries_committed_outputs_once(consumer: Consumer) -> None:
    consumer.model("a", "models/a.tflite")
    consumer.write(".gitignore", b"")
    assert hatchling(consumer.root, "-t", "wheel").returncode == 0
    listed = zipfile.ZipFile(wheel_of(consumer.root)).namelist()
    assert listed.count("consumer/models/a_edgetpu.tflite") == 1


@pytest.mark.parametrize("target", ["wheel", "sdist"])
def test_odd_names_arrive(consumer: Consumer, target: str) -> None:
    for number, name in enumerate(ODD_NAMES):
        consumer.model(f"m{number}", f"models/{name}.tflite")
    done = hatchling(consumer.root, "-t", target)
    assert done.returncode == 0, done.stderr
    archive, folder = (wheel_of, "consumer/models") if target == "wheel" else (sdist_of, "src/consumer/models")
    assert {f"{folder}/{name}_edgetpu.tflite" for name in ODD_NAMES} <= names(archive(consumer.root))


def test_lock_and_provenance_travel(consumer: Consumer) -> None:
    consumer.model("a", "models/a.tflite")
    assert hatchling(consumer.root, "-t", "wheel").returncode == 0
    wheel = zipfile.ZipFile(wheel_of(consumer.root))
    boms = "consumer-1.0.dist-info/sboms"
    assert wheel.read(f"{boms}/edgetpu.lock") == (consumer.root / "edgetpu.lock").read_bytes()
    bill = json.loads(wheel.read(f"{boms}/edgetpu.cdx.json"))
    assert [component["name"] for component in bill["components"]] == ["src/consumer/models/a_edgetpu.tflite"]


def test_archives_are_byte_identical_when_nothing_changed(consumer: Consumer) -> None:
    consumer.model("a", "models/a.tflite")
    contents = []
    for _ in range(2):
        shutil.rmtree(consumer.root / "dist", ignore_errors=True)
        assert hatchling(consumer.root).returncode == 0
        contents.append((wheel_of(consumer.root).read_bytes(), sdist_of(consumer.root).read_bytes()))
    assert contents[0] == contents[1]


def test_an_sdist_builds_its_wheel_without_a_compiler_and_without_writing(consumer: Consumer, tmp_path: Path) -> None:
    consumer.model("a", "models/a.tflite")
    consumer.model("b", "models/b.tflite", more="segments = 2\n")
    assert hatchling(consumer.root).returncode == 0
    root = unpack(sdist_of(consumer.root), tmp_path / "unpacked")
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    elsewhere = {"EDGETPU_BUILD_CACHE_DIR": str(tmp_path / "empty"), "PATH": "/nowhere"}
    done = hatchling(root, "-t", "wheel", "-d", str(tmp_path / "out"), **elsewhere)
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "out").glob("*.whl")
    assert names(wheel) == names(wheel_of(consumer.root))
    assert wheel.read_bytes() == wheel_of(consumer.root).read_bytes()
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_a_tampered_sdist_is_refused(consumer: Consumer, tmp_path: Path) -> None:
    consumer.model("a", "models/a.tflite")
    assert hatchling(consumer.root).returncode == 0
    root = unpack(sdist_of(consumer.root), tmp_path / "unpacked")
    output = root / "src/consumer/models/a_edgetpu.tflite"
    output.write_bytes(output.read_bytes()[:-1] + b"!")
    done = hatchling(root, "-t", "wheel", EDGETPU_BUILD_CACHE_DIR=str(tmp_path / "empty"))
    assert done.returncode != 0
    assert "a_edgetpu.tflite" in done.stderr


def test_simulator_artifacts_are_refused_unless_allowed(consumer: Consumer) -> None:
    consumer.model("a", "models/a.tflite")
    consumer.replace("allow-simulator = true\n", "")
    done = hatchling(consumer.root, "-t", "wheel")
    assert done.returncode != 0
    assert "ETB106" in done.stderr
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((consumer.root / "dist").glob("*.whl"))


def test_a_broken_budget_ends_the_build_with_its_line(consumer: Consumer) -> None:
    consumer.model("a", "models/a.tflite", more='budget = { artifact-size = "1 B" }\n')
    line = consumer.pyproject.splitlines().index('budget = { artifact-size = "1 B" }') + 1
    done = hatchling(consumer.root, "-t", "wheel")
    assert done.returncode != 0
    assert f"pyproject.toml:{line}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_that_does_not_compile_ends_the_build(consumer: Consumer) -> None:
    consumer.model("a", "models/a.tflite", models.float_net())
    done = hatchling(consumer.root, "-t", "wheel")
    assert done.returncode != 0
    assert "quantise the whole model" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_output_outside_the_package_needs_a_wheel_path(consumer: Consumer) -> None:
    consumer.replace('out-dir = "src/consumer/models"', 'out-dir = "compiled"')
    consumer.model("a", "models/a.tflite")
    done = hatchling(consumer.root, "-t", "wheel")
    assert done.returncode != 0
    assert "ETB109" in done.stderr
    assert not list((consumer.root / "dist").glob("*.whl"))
    consumer.replace('out-dir = "compiled"', 'out-dir = "compiled"\nwheel-path = "consumer/tpu"')
    done = hatchling(consumer.root, "-t", "wheel")
    assert done.returncode == 0, done.stderr
    assert "consumer/tpu/a_edgetpu.tflite" in names(wheel_of(consumer.root))


def test_models_that_do_not_ship_stay_out(consumer: Consumer) -> None:
    consumer.model("a", "models/a.tflite")
    consumer.model("b", "models/b.tflite", models.conv_net(layers=3, channels=8, size=8), more="ship = false\n")
    consumer.write(".gitignore", b"/src/consumer/models/\n")
    assert hatchling(consumer.root, "-t", "wheel").returncode == 0
    inside = names(wheel_of(consumer.root))
    assert "consumer/models/a_edgetpu.tflite" in inside
    assert "consumer/models/b_edgetpu.tflite" not in inside


def test_a_source_outside_the_project_cannot_travel_in_an_sdist(consumer: Consumer, tmp_path: Path) -> None:
    (tmp_path / "shared.tflite").write_bytes(MODEL)
    consumer.configure('\n[tool.edgetpu.models.a]\nsource = "../shared.tflite"\n')
    assert hatchling(consumer.root, "-t", "wheel").returncode == 0
    done = hatchling(consumer.root, "-t", "sdist")
    assert done.returncode != 0
    assert "ETB210" in done.stderr


def test_clean_removes_what_was_written_and_nothing_else(consumer: Consumer) -> None:
    consumer.model("a", "models/a.tflite")
    consumer.model("b", "models/b.tflite", models.conv_net(layers=3, channels=8, size=8))
    assert hatchling(consumer.root, "-t", "wheel").returncode == 0
    changed = consumer.write("src/consumer/models/b_edgetpu.tflite", b"mine")
    mine = consumer.write("src/consumer/models/notes_edgetpu.tflite", b"mine, too")
    hooks = "from hatchling.builders.wheel import WheelBuilder as W; W('.').get_build_hooks('dist')"
    cleaning = f"{hooks}['edgetpu'].clean([])"
    done = run([sys.executable, "-c", cleaning], consumer.root)
    assert done.returncode == 0, done.stderr
    assert not (consumer.root / "src/consumer/models/a_edgetpu.tflite").exists()
    assert changed.read_bytes() == b"mine"
    assert mine.exists()


def test_what_a_killed_build_left_is_not_packed(consumer: Consumer) -> None:
    consumer.model("a", "models/a.tflite")
    left = consumer.write("src/consumer/models/.edgetpu-tmp-1", b"half")
    os.utime(left, (1_700_000_000, 1_700_000_000))
    consumer.write(".gitignore", b"")
    assert hatchling(consumer.root, "-t", "wheel").returncode == 0
    assert not any("tmp" in name for name in names(wheel_of(consumer.root)))


def test_hatchs_own_switch_turns_the_hook_off(consumer: Consumer) -> None:
    consumer.model("a", "models/a.tflite")
    assert hatchling(consumer.root, "-t", "wheel", HATCH_BUILD_NO_HOOKS="true").returncode == 0
    assert not any(name.endswith("_edgetpu.tflite") for name in names(wheel_of(consumer.root)))


def test_options_in_the_hooks_table_are_refused(consumer: Consumer) -> None:
    consumer.replace("[tool.hatch.build.hooks.edgetpu]\n", '[tool.hatch.build.hooks.edgetpu]\nsource = "x"\n')
    consumer.model("a", "models/a.tflite")
    done = hatchling(consumer.root, "-t", "wheel")
    assert done.returncode != 0
    assert "`source`" in done.stderr


def test_frozen_compiles_nothing(consumer: Consumer) -> None:
    consumer.model("a", "models/a.tflite")
    done = hatchling(consumer.root, "-t", "wheel", EDGETPU_BUILD_FROZEN="1")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert not (consumer.root / "src/consumer/models").exists()


def test_the_plugin_is_called_edgetpu() -> None:
    assert EdgeTPUBuildHook.PLUGIN_NAME == "edgetpu"

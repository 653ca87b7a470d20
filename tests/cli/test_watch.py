"""`watch --once`: a build, its exit code, no waiting."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import models


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.edgetpu]\ncompiler = "builtin"\n[tool.edgetpu.models.a]\nsource = "a.tflite"\n'
    )
    (tmp_path / "a.tflite").write_bytes(models.dense_net())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_builds_and_ends(edgetpu, root):
    assert edgetpu("watch", "--once").code == 0
    assert (root / "a_edgetpu.tflite").exists()


def test_ends_as_build_would(edgetpu, root):
    (root / "a.tflite").write_bytes(b"not a model at all")
    assert edgetpu("watch", "--once").code == edgetpu("build").code == 3
    (root / "pyproject.toml").write_text("[tool.edgetpu]\njobs = 0\n")
    assert edgetpu("watch", "--once").code == 2


def test_is_one_object_in_json(edgetpu, root):
    run = edgetpu("watch", "--once", "--format", "json")
    assert run.json["command"] == "watch"
    assert [unit["state"] for unit in run.json["units"]] == ["compiled"]


def test_runs_the_command_after_a_good_build_only(edgetpu, root):
    edgetpu("watch", "--once", "--exec", "echo x >> log")
    (root / "a.tflite").write_bytes(b"not a model at all")
    edgetpu("watch", "--once", "--exec", "echo x >> log")
    assert (root / "log").read_text() == "x\n"


@pytest.mark.parametrize("value", ["-1", "soon"])
def test_a_quiet_time_is_a_number(edgetpu, root, value):
    assert edgetpu("watch", "--once", f"--debounce={value}").code == 2


def test_names_choose(edgetpu, root):
    run = edgetpu("watch", "--once", "b")
    assert (run.code, "ETB209" in run.err) == (2, True)

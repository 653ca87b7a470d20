"""`init`, `add` and `schema`, as a person sees them."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from edgetpu_build.config.load import load

HATCHLING = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n\n[project]\nname = "x"\n'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "Door Bell"
    (folder / "models").mkdir(parents=True)
    for name in ("a.tflite", "b.tflite", "b_edgetpu.tflite", "notes.txt"):
        (folder / "models" / name).write_bytes(b"x")
    monkeypatch.chdir(folder)
    return folder


def test_init_begins_a_project(edgetpu, here):
    run = edgetpu("init")
    assert (run.code, run.out) == (0, "wrote pyproject.toml\nnext: `edgetpu-build add PATH` for each model\n")
    assert 'name = "door-bell"' in (here / "pyproject.toml").read_text()
    assert load(here, {}).hook_enabled


def test_init_twice_writes_once(edgetpu, here):
    edgetpu("init")
    before = (here / "pyproject.toml").read_bytes()
    assert edgetpu("init").out.startswith("nothing to do: pyproject.toml")
    assert (here / "pyproject.toml").read_bytes() == before


def test_init_with_uv_tells_uv_what_to_look_at(edgetpu, here):
    (here / "uv.lock").touch()
    edgetpu("init")
    assert load(here, {}).uv_cache_keys


def test_init_without_hatchling_says_that_no_hook_runs(edgetpu, here):
    (here / "pyproject.toml").write_text('[build-system]\nrequires = ["setuptools"]\n')
    assert "no build hook without hatchling" in edgetpu("init").err
    assert not load(here, {}).hook_enabled


def test_add_takes_files_folders_and_globs(edgetpu, here):
    (here / "pyproject.toml").write_text(HATCHLING)
    run = edgetpu("add", "models")
    assert run.code == 0
    assert run.out == "wrote pyproject.toml\nmodels/a.tflite\nmodels/b.tflite\nnext: `edgetpu-build build`\n"
    assert "commit them, or add" in run.err
    edgetpu("add", "models/c-*.tflite")
    config = load(here, {})
    assert [model.source for model in config.models] == ["models/a.tflite", "models/b.tflite", "models/c-*.tflite"]


def test_add_finds_the_project_above_and_writes_relative_to_it(edgetpu, here, monkeypatch):
    edgetpu("init")
    monkeypatch.chdir(here / "models")
    edgetpu("add", "a.tflite")
    assert load(here, {}).models[0].source == "models/a.tflite"


def test_add_twice_writes_once(edgetpu, here):
    edgetpu("add", "models/a.tflite")
    before = (here / "pyproject.toml").read_bytes()
    assert edgetpu("add", "models/a.tflite").out.startswith("nothing to do: ")
    assert (here / "pyproject.toml").read_bytes() == before


def test_the_mode_of_the_file_stays(edgetpu, here):
    (here / "pyproject.toml").write_text(HATCHLING)
    (here / "pyproject.toml").chmod(0o600)
    edgetpu("add", "models/a.tflite")
    assert stat.S_IMODE((here / "pyproject.toml").stat().st_mode) == 0o600


def test_a_linked_pyproject_stays_a_link(edgetpu, here):
    (here / "real.toml").write_text(HATCHLING)
    (here / "pyproject.toml").symlink_to("real.toml")
    edgetpu("add", "models/a.tflite")
    assert (here / "pyproject.toml").is_symlink()
    assert "models/a.tflite" in (here / "real.toml").read_text()


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("nowhere.tflite", 2, "`nowhere.tflite` does not exist [ETB211]"),
        (".", 2, "`.` holds no model [ETB211]"),
        ("models/b_edgetpu.tflite", 3, "`models/b_edgetpu.tflite` is already compiled [ETB304]"),
    ],
)
def test_what_add_refuses_it_does_not_write(edgetpu, here, path, code, said):
    run = edgetpu("add", "models/a.tflite", path)
    assert (run.code, run.err.splitlines()[0]) == (code, f"error: {said}")
    assert not (here / "pyproject.toml").exists()


def test_a_model_outside_the_project_is_added_with_a_warning(edgetpu, here):
    (here.parent / "far.tflite").touch()
    run = edgetpu("add", "../far.tflite", "--format", "json")
    assert run.code == 0
    assert [found["code"] for found in run.json["warnings"]] == ["ETB210"]
    assert load(here, {}).models[0].source == "../far.tflite"


def test_the_schema_is_json_on_stdout(edgetpu, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = edgetpu("schema")
    assert (run.code, run.err) == (0, "")
    assert json.loads(run.out)["title"] == "[tool.edgetpu]"

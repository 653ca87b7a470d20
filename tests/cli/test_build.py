"""The project's commands end to end: what a user types, sees and finds."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.support import models

PYPROJECT = """\
[tool.hatch.build.hooks.edgetpu]

[tool.edgetpu.models.detector]
source = "detector.tflite"

[tool.edgetpu.models.backbone]
source = "backbone.tflite"
segments = 2

[tool.edgetpu.models.a]
source = "a.tflite"

[tool.edgetpu.models.b]
source = "b.tflite"

[tool.edgetpu.groups.pair]
models = ["a", "b"]
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Three units: a model, a segmented one, a group of two."""
    nets = {
        "detector": models.mobilenet_like(),
        "backbone": models.conv_net(),
        "a": models.conv_net(dtype="UINT8"),
        "b": models.dense_net(),
    }
    for name, data in nets.items():
        (tmp_path / f"{name}.tflite").write_bytes(data)
    (tmp_path / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def timeless(text: str) -> str:
    """Times replaced, columns collapsed: they differ from run to run."""
    return re.sub(r" +", " ", re.sub(r"\d+(\.\d)? m?s\b", "T", text))


def git(*words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, *words], check=True, capture_output=True)


def test_a_first_build(edgetpu, project):
    run = edgetpu("build")
    assert run.code == 0
    assert run.err.startswith('note: `compiler = "auto"` took builtin')
    lines = run.out.splitlines()
    assert lines[0].split() == ["model", "state", "on-chip", "off-chip", "on", "CPU", "segments", "time"]
    assert re.search(r"^detector +✓ compiled", run.out, re.MULTILINE)
    assert re.search(r"^  segment 1 ", run.out, re.MULTILINE)
    assert re.search(r"^pair +✓ compiled", run.out, re.MULTILINE)
    assert timeless(lines[-1]) == "3 units: 3 compiled in T; wrote `edgetpu.lock`"
    assert {p.name for p in project.glob("*_edgetpu.tflite")} == {
        "detector_edgetpu.tflite",
        "backbone_segment_0_of_2_edgetpu.tflite",
        "backbone_segment_1_of_2_edgetpu.tflite",
        "a_edgetpu.tflite",
        "b_edgetpu.tflite",
    }


def test_nothing_to_do_is_one_line_by_either_way(edgetpu, project):
    edgetpu("build")
    assert edgetpu("build").out == edgetpu("build", "--color", "auto").out == "3 units up to date\n"
    assert edgetpu("build", "-q").out == ""


def test_only_what_changed_is_built_and_the_reason_is_told(edgetpu, project):
    edgetpu("build")
    (project / "detector.tflite").write_bytes(models.mobilenet_like(classes=12))
    run = edgetpu("build", "--explain")
    assert re.search(r"^detector +✓ compiled", run.out, re.MULTILINE)
    assert re.search(r"^pair +· fresh", run.out, re.MULTILINE)
    assert run.out.splitlines()[-1].startswith("3 units: 1 compiled, 2 fresh")


def test_the_json_of_a_build(edgetpu, project):
    answer = edgetpu("build", "--format", "json").json
    assert (answer["ok"], answer["lock_changed"]) == (True, True)
    units = {unit["name"]: unit for unit in answer["units"]}
    assert {name: unit["kind"] for name, unit in units.items()} == {
        "detector": "model",
        "backbone": "segments",
        "pair": "group",
    }
    assert [s["index"] for s in units["backbone"]["members"][0]["segments"]] == [0, 1]
    assert [m["name"] for m in units["pair"]["members"]] == ["a", "b"]
    operators = units["detector"]["members"][0]["operators"]
    assert {o["target"] for o in operators} <= {"edgetpu", "cpu"}
    again = edgetpu("build", "--format", "json").json
    assert {unit["state"] for unit in again["units"]} == {"fresh"}
    assert again["written"] == []


def test_named_units_alone(edgetpu, project):
    run = edgetpu("build", "pair", "-j", "1", "detector")
    assert run.out.splitlines()[-1].startswith("2 units: 2 compiled")
    assert not list(project.glob("backbone_segment*_edgetpu.tflite"))


def test_a_name_that_is_not_there(edgetpu, project):
    run = edgetpu("build", "detektor")
    assert run.code == 2
    assert "did you mean `detector`?" in run.err


def test_a_dry_run_writes_nothing(edgetpu, project):
    before = sorted(project.iterdir())
    run = edgetpu("build", "--dry-run")
    assert run.code == 0
    assert run.out.splitlines()[-1].startswith("3 units: 3 stale")
    assert sorted(project.iterdir()) == before


def test_a_broken_budget_fails_on_its_line_and_builds_all_the_same(edgetpu, project):
    text = PYPROJECT.replace('"detector.tflite"\n', '"detector.tflite"\nbudget = { artifact-size = "1 KiB" }\n')
    (project / "pyproject.toml").write_text(text, encoding="utf-8")
    run = edgetpu("build")
    assert run.code == 1
    assert "pyproject.toml:5: " in run.err
    assert "[ETB101]" in run.err
    assert (project / "detector_edgetpu.tflite").exists()
    github = edgetpu("build", "--format", "github")
    assert github.code == 1
    assert "::error file=pyproject.toml,line=5,title=edgetpu-build ETB101::" in github.out


def test_a_wrong_configuration_compiles_nothing(edgetpu, project):
    (project / "pyproject.toml").write_text(PYPROJECT + 'sourse = "x"\n', encoding="utf-8")
    run = edgetpu("build")
    assert (run.code, run.out) == (2, "")
    assert "pyproject.toml:18: " in run.err
    assert not list(project.glob("*_edgetpu.tflite"))


def test_every_unit_is_tried_and_the_first_failure_decides_nothing(edgetpu, project):
    (project / "detector.tflite").write_bytes(b"this is no model, whatever it is")
    run = edgetpu("build", "--format", "json")
    assert run.code == 3
    assert [u["state"] for u in run.json["units"]] == ["failed", "compiled", "compiled"]
    assert run.json["errors"][0]["unit"] == "detector"


def test_check_passes_after_a_build_and_fails_after_a_change(edgetpu, project):
    edgetpu("build")
    good = edgetpu("check")
    assert (good.code, good.out, good.err) == (0, "3 units up to date\n", "")
    assert edgetpu("check", "-q").out == ""
    (project / "a.tflite").write_bytes(models.conv_net(dtype="UINT8", seed=1))
    bad = edgetpu("check", "--format", "json")
    assert bad.code == 1
    assert {u["name"]: u["state"] for u in bad.json["units"]}["pair"] == "stale"


def test_another_project_is_reached_with_an_option(edgetpu, project, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert edgetpu("build", "--project", str(project)).code == 0
    assert edgetpu("--project", str(project), "check").code == 0


def test_the_project_is_found_from_below(edgetpu, project, monkeypatch):
    (project / "src" / "deep").mkdir(parents=True)
    monkeypatch.chdir(project / "src" / "deep")
    assert edgetpu("build").code == 0
    assert (project / "edgetpu.lock").exists()


def test_explain_a_unit(edgetpu, project):
    edgetpu("build")
    run = edgetpu("explain", "detector")
    assert run.code == 0
    assert run.out.startswith("detector (model): fresh, ")
    (project / "detector.tflite").write_bytes(models.mobilenet_like(classes=12))
    changed = edgetpu("explain", "detector", "--format", "json").json["explanation"]
    assert changed["state"] == "stale"
    assert [i["name"] for i in changed["ingredients"] if i["changed"]]


def test_verify(edgetpu, project):
    edgetpu("build")
    assert edgetpu("verify", "--recompile", "3").code == 0
    output = project / "detector_edgetpu.tflite"
    output.write_bytes(output.read_bytes()[:-1])
    run = edgetpu("verify")
    assert run.code == 1
    assert "detector_edgetpu.tflite" in run.err


def test_lock_is_written_from_what_exists(edgetpu, project):
    edgetpu("build")
    lock = project / "edgetpu.lock"
    text = lock.read_text(encoding="utf-8")
    lock.unlink()
    assert edgetpu("lock").code == 0
    assert lock.read_text(encoding="utf-8") == text


def test_diff_against_a_commit(edgetpu, project):
    edgetpu("build")
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    assert edgetpu("diff").out == "nothing changed since `HEAD`\n"
    (project / "detector.tflite").write_bytes(models.mobilenet_like(width=0.5))
    edgetpu("build")
    run = edgetpu("diff")
    assert run.code == 0
    assert "detector" in run.out
    assert edgetpu("diff", "HEAD", "--format", "markdown").out.startswith("| model | figure |")
    members = edgetpu("diff", "--format=json").json["members"]
    assert [m["name"] for m in members] == ["detector"]


def test_locked_without_a_lock_fails_and_writes_nothing(edgetpu, project):
    run = edgetpu("build", "--locked")
    assert run.code == 1
    assert not (project / "edgetpu.lock").exists()


@pytest.mark.parametrize("options", [[], ["--project", "{}"]])
def test_a_wrong_configuration_is_annotated_in_the_repository(edgetpu, project, monkeypatch, options):
    (project / "pyproject.toml").write_text(PYPROJECT + 'sourse = "x"\n', encoding="utf-8")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.parent))
    (project / "src").mkdir()
    monkeypatch.chdir(project / "src")
    run = edgetpu("build", "--format", "github", *(option.format(project) for option in options))
    assert run.code == 2
    assert f"::error file={project.name}/pyproject.toml,line=18," in run.out

"""Pages and causes, as a user asks for them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from tests.support import models

PYPROJECT = """\
[project]
name = "doorbell"

[tool.edgetpu]
compiler = "builtin"

[tool.edgetpu.models.cut]
source = "cut.tflite"
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
    folder = tmp_path / "one"
    folder.mkdir()
    nets = {"cut": models.dense_net(6, 512, 512), "a": models.conv_net(), "b": models.dense_net()}
    for name, data in nets.items():
        (folder / f"{name}.tflite").write_bytes(data)
    (folder / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


def git(*words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, *words], check=True, capture_output=True)


def embedded(page: str) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', page)[1])


def test_a_build_reports(edgetpu, project):
    run = edgetpu("build", "--report", "report.html")
    assert run.code == 0
    assert "wrote `report.html`" in run.err
    page = (project / "report.html").read_text(encoding="utf-8")
    assert "<h1>doorbell</h1>" in page
    assert [unit["name"] for unit in embedded(page)["units"]] == ["cut", "pair"]
    assert all(member["layers"] for unit in embedded(page)["units"] for member in unit["members"])


def test_a_build_with_nothing_to_do_reports_the_same_pictures(edgetpu, project):
    edgetpu("build", "--report", "one.html")
    edgetpu("build", "--report", "two.html")
    one, two = (embedded((project / f"{name}.html").read_text(encoding="utf-8")) for name in ("one", "two"))
    assert {unit["state"] for unit in two["units"]} == {"fresh"}
    assert [unit["members"] for unit in one["units"]] == [unit["members"] for unit in two["units"]]


def test_no_page_knows_where_it_was_made(edgetpu, project, monkeypatch):
    edgetpu("build")
    edgetpu("build", "--report", "page.html")
    other = project.parent / "another place"
    shutil.copytree(project, other)
    monkeypatch.chdir(other)
    edgetpu("build", "--report", "page.html", "-q")
    assert (other / "page.html").read_bytes() == (project / "page.html").read_bytes()
    assert str(project.parent) not in (project / "page.html").read_text(encoding="utf-8")


def test_a_failed_unit_is_in_the_report(edgetpu, project):
    (project / "a.tflite").write_bytes(b"no model at all")
    assert edgetpu("build", "--report", "report.html").code == 3
    cut, pair = embedded((project / "report.html").read_text(encoding="utf-8"))["units"]
    assert (cut["state"], pair["state"]) == ("compiled", "failed")
    assert pair["members"] == []


def test_a_dry_run_reports_too(edgetpu, project):
    assert edgetpu("build", "--dry-run", "--report", "report.html").code == 0
    assert {unit["state"] for unit in embedded((project / "report.html").read_text(encoding="utf-8"))["units"]} == {
        "stale"
    }


def test_what_got_worse_is_in_the_report(edgetpu, project):
    edgetpu("build")
    (project / "cut.tflite").write_bytes(models.dense_net(14, 1024, 1024))
    edgetpu("build", "--report", "report.html")
    assert "Before and now" in (project / "report.html").read_text(encoding="utf-8")


def test_json_stays_alone_on_stdout(edgetpu, project):
    assert edgetpu("build", "--report", "report.html", "--format", "json").json["ok"]
    assert (project / "report.html").exists()


def test_an_inspected_file(edgetpu, project):
    run = edgetpu("inspect", "a.tflite", "--html", "a.html")
    assert (run.code, run.err) == (0, "wrote `a.html`\n")
    assert embedded((project / "a.html").read_text(encoding="utf-8"))["units"][0]["name"] == "a"


@pytest.mark.parametrize("argv", [("build", "--report"), ("inspect", "a.tflite", "--html")])
def test_no_model_is_written_over(edgetpu, project, argv):
    before = (project / "a.tflite").read_bytes()
    run = edgetpu(*argv, "a.tflite")
    assert run.code == 2
    assert "a file name that ends in `.html`" in run.err
    assert (project / "a.tflite").read_bytes() == before


def test_a_page_that_cannot_be_written(edgetpu, project):
    (project / "folder.html").mkdir()
    run = edgetpu("inspect", "a.tflite", "--html", "folder.html")
    assert run.code == 5
    assert "ETB501" in run.err


def test_why_it_got_worse(edgetpu, project, monkeypatch):
    edgetpu("build")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    summary = project.parent / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    (project / "cut.tflite").write_bytes(models.dense_net(20, 1024, 1024))
    edgetpu("build", "--format", "github")
    worst = "| cut | off-chip | 0 B |"
    assert worst in summary.read_text(encoding="utf-8")
    assert "is new and streams" in summary.read_text(encoding="utf-8") or "are new and stream" in summary.read_text(
        encoding="utf-8"
    )
    page = edgetpu("diff", "--format", "markdown", "--why").out.splitlines()
    assert page[0].endswith("| why |")
    assert page[2].startswith(worst)
    assert "why" not in edgetpu("diff", "--format", "markdown").out
    assert "cut: a source changed; " in edgetpu("diff", "--why").out
    (member,) = edgetpu("diff", "--why", "--format", "json").json["members"]
    assert member["why"]["layers_known"]
    summary.write_text("", encoding="utf-8")
    edgetpu("diff", "--format", "github")
    assert worst in summary.read_text(encoding="utf-8")

from __future__ import annotations

import pytest

HOOK = "[tool.hatch.build.hooks.edgetpu]\n"
MODEL = '[tool.edgetpu.models.a]\nsource = "a.tflite"\n'


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> None:
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")

    return write


def findings(run) -> dict[str, str]:
    return {finding["subject"]: finding["state"] for finding in run.json["findings"]}


def test_a_project_in_order(edgetpu, project):
    project(HOOK + MODEL)
    run = edgetpu("doctor", "--format", "json")
    found = findings(run)
    assert run.code == 0
    assert found["configuration"] == found["build hook"] == found["builtin compiler"] == found["store"] == "found"
    assert found["Google's compiler"] == "missing"
    assert run.json["warnings"] == []


def test_a_missing_hook_table_is_told_aloud(edgetpu, project):
    project(MODEL)
    run = edgetpu("doctor")
    assert run.code == 0
    assert "✗ build hook" in run.out
    assert "ETB107" in run.err


def test_uv_without_cache_keys_is_told(edgetpu, project):
    project(HOOK + MODEL + "[tool.uv]\n")
    assert "`[tool.uv]` has no `cache-keys`" in edgetpu("doctor").err


def test_googles_compiler_is_missed_where_it_is_asked_for(edgetpu, project):
    project(HOOK + '[tool.edgetpu]\ncompiler = "google"\n' + MODEL)
    run = edgetpu("doctor", "--format", "json")
    assert run.code == 4
    assert findings(run)["Google's compiler"] == "wrong"


def test_without_a_project_the_rest_is_still_told(edgetpu, project):
    run = edgetpu("doctor", "--format", "json")
    assert run.code == 2
    assert findings(run)["edgetpu-build"] == "found"
    assert findings(run)["configuration"] == "wrong"


def test_every_fault_of_the_configuration_is_told(edgetpu, project):
    project(HOOK + '[tool.edgetpu]\ncompilr = "auto"\ntimeout = "long"\n')
    run = edgetpu("doctor", "--format", "json")
    assert run.code == 2
    assert {error["code"] for error in run.json["errors"]} >= {"ETB203"}


def test_it_writes_nothing(edgetpu, project, tmp_path, own_home):
    project(HOOK + MODEL)
    edgetpu("doctor")
    assert [p.name for p in tmp_path.iterdir()] == ["pyproject.toml"]
    assert not list(own_home.rglob("edgetpu-build"))


def test_versions_are_told_side_by_side(edgetpu, project, monkeypatch):
    from edgetpu_build.compiler.google import library

    project(HOOK + "[tool.edgetpu]\nmin-runtime-version = 13\n" + MODEL)
    monkeypatch.setattr(library, "find", lambda: "libedgetpu.so.1")
    for installed, state in ((14, "found"), (13, "found"), (12, "wrong")):
        monkeypatch.setattr(library, "runtime_version", lambda _name, installed=installed: installed)
        told = next(
            f for f in edgetpu("doctor", "--format", "json").json["findings"] if f["subject"] == "runtime versions"
        )
        assert told["state"] == state
        assert "runtime 13 at most" in told["text"]


def test_googles_compiler_and_the_runtime_it_writes_for(edgetpu, project, monkeypatch, tmp_path):
    from tests.support.standin.recording import Recording

    monkeypatch.setenv("EDGETPU_BUILD_COMMAND", str(Recording(tmp_path / "standin", "15.0.340273435").program))
    project(HOOK + "[tool.edgetpu]\n" + MODEL)
    found = edgetpu("doctor", "--format", "json").json["findings"]
    told = next(f["text"] for f in found if f["subject"] == "Google's compiler")
    assert "version 15.0.340273435, by itself for runtime 13 and newer" in told


def test_the_runtime_s_version_is_read_from_its_label():
    from edgetpu_build.compiler.google.library import runtime_version, version_in

    assert version_in("BuildLabel(COMPILER=6.3.0 20170516,DATE=redacted,TIME=redacted), RuntimeVersion(13)") == 13
    assert version_in("") == 0
    assert runtime_version("/no/such/library.so") == 0

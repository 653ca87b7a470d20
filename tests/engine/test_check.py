from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edgetpu_build.errors import EdgeTpuBuildError
from tests.support.project import Yard, codes, states, unit

HOOK = "[tool.hatch.build.hooks.edgetpu]\n"


@pytest.fixture
def built(yard: Yard) -> Yard:
    yard.models(a="a.tflite", b="b.tflite")
    yard.config(HOOK + yard.read("pyproject.toml").decode())
    yard.write("a.tflite", "aaa")
    yard.write("b.tflite", "bb")
    yard.build()
    return yard


@pytest.fixture
def committed(built: Yard) -> Yard:
    built.git("init", "-q")
    built.git("add", "-A")
    built.git("commit", "-qm", "all")
    return built


def test_what_was_built_passes_without_compiler_and_store(built: Yard, own_home: Path) -> None:
    shutil.rmtree(own_home / ".cache")
    outcome = built.check()
    assert (states(outcome), codes(outcome), outcome.exit_code) == ({"a": "fresh", "b": "fresh"}, [], 0)
    assert len(built.compiles) == 2


def test_it_writes_nothing_into_the_project(built: Yard) -> None:
    before = {p: p.stat().st_ctime_ns for p in built.root.rglob("*")}
    built.check()
    assert {p: p.stat().st_ctime_ns for p in built.root.rglob("*")} == before


def test_no_lock_is_a_finding(built: Yard) -> None:
    (built.root / "edgetpu.lock").unlink()
    outcome = built.check()
    assert (codes(outcome), outcome.exit_code) == (["ETB103", "ETB103"], 1)


def test_a_changed_source_is_a_finding(built: Yard) -> None:
    built.write("a.tflite", "newer")
    outcome = built.check()
    assert states(outcome) == {"a": "stale", "b": "fresh"}
    (told,) = unit(outcome, "a").diagnostics
    assert (told.code, told.line) == ("ETB103", 3)
    assert told.message == "the lock is not right for `a`: source `a.tflite` changed"


def test_a_changed_option_is_a_finding(built: Yard) -> None:
    built.config(
        built.read("pyproject.toml").decode().replace("[tool.edgetpu]\n", "[tool.edgetpu]\nmin-runtime-version = 13\n")
    )
    assert codes(built.check()) == ["ETB103", "ETB103"]


def test_only_the_named_are_judged(built: Yard) -> None:
    built.write("a.tflite", "newer")
    assert built.check("b").exit_code == 0


def test_another_revision_of_the_compiler_is_no_finding(built: Yard) -> None:
    newer = replace(built, backend=replace(built.backend, revision="2"))
    assert newer.check().exit_code == 0


def test_a_changed_output_is_a_finding(built: Yard) -> None:
    built.write("a_edgetpu.tflite", "mine")
    assert codes(built.check()) == ["ETB104"]


def test_a_digest_that_was_edited_in_the_lock_is_a_finding(built: Yard) -> None:
    text = built.read("edgetpu.lock").decode()
    digest = re.search(r'^sha256 = "(\w{64})"', text, re.MULTILINE)
    assert digest
    built.write("edgetpu.lock", text.replace(digest[1], "0" * 64))
    assert codes(built.check()) == ["ETB104"]


def test_a_unit_that_is_only_in_the_lock_is_a_finding(built: Yard) -> None:
    built.config(built.read("pyproject.toml").decode().partition("[tool.edgetpu.models.b]")[0])
    outcome = built.check()
    assert [(told.code, told.file) for told in outcome.diagnostics] == [("ETB103", "edgetpu.lock")]


def test_a_missing_hook_is_told(built: Yard) -> None:
    built.config(built.read("pyproject.toml").decode().replace(HOOK, ""))
    outcome = built.check()
    assert (codes(outcome), outcome.exit_code) == (["ETB107"], 0)


def test_uv_without_cache_keys_is_told(built: Yard) -> None:
    built.config(built.read("pyproject.toml").decode() + "[tool.uv]\n")
    assert codes(built.check()) == ["ETB107"]


class TestMissingOutputs:
    def test_outside_of_git_is_a_finding(self, built: Yard) -> None:
        (built.root / "a_edgetpu.tflite").unlink()
        assert codes(built.check()) == ["ETB104"]

    def test_committed_is_a_finding(self, committed: Yard) -> None:
        (committed.root / "a_edgetpu.tflite").unlink()
        assert codes(committed.check()) == ["ETB104"]

    def test_ignored_is_none(self, built: Yard) -> None:
        built.write(".gitignore", "*_edgetpu.tflite\n")
        built.git("init", "-q")
        for path in ("a_edgetpu.tflite", "b_edgetpu.tflite"):
            (built.root / path).unlink()
        outcome = built.check()
        assert (states(outcome), outcome.exit_code) == ({"a": "fresh", "b": "fresh"}, 0)
        assert "git does not keep" in unit(outcome, "a").why

    def test_ignored_but_changed_is_a_finding(self, built: Yard) -> None:
        built.write(".gitignore", "*_edgetpu.tflite\n")
        built.git("init", "-q")
        built.write("a_edgetpu.tflite", "mine")
        (built.root / "b_edgetpu.tflite").unlink()
        assert states(built.check()) == {"a": "stale", "b": "fresh"}


class TestBudgets:
    def budget(self, yard: Yard, text: str) -> None:
        yard.config(yard.read("pyproject.toml").decode() + f"budget = {{ {text} }}\n")

    def test_they_are_judged_from_the_lock(self, built: Yard) -> None:
        built.write("b.tflite", "b" * 300)
        built.build()
        self.budget(built, 'off-chip = "150 B"')
        outcome = built.check()
        (told,) = unit(outcome, "b").diagnostics
        assert (told.code, outcome.exit_code) == ("ETB101", 1)
        assert told.line == built.read("pyproject.toml").decode().count("\n")
        assert told.message == "`b` streams 200 B of parameters from off-chip memory per inference, budget 150 B"
        assert len(built.compiles) == 3

    def test_growth_is_measured_against_what_is_committed(self, committed: Yard) -> None:
        self.budget(committed, 'growth = "50 B"')
        committed.write("b.tflite", "b" * 300)
        assert codes(committed.build()) == ["ETB101"]
        assert codes(committed.build()) == ["ETB101"]
        assert codes(committed.check()) == ["ETB101"]
        committed.git("commit", "-qam", "larger")
        assert committed.check().exit_code == 0
        assert codes(committed.check(base="HEAD~1")) == ["ETB101"]

    def test_outside_of_git_against_the_lock_as_it_was(self, built: Yard) -> None:
        self.budget(built, 'growth = "50 B"')
        built.write("b.tflite", "b" * 300)
        assert codes(built.build()) == ["ETB101"]
        assert codes(built.build()) == []

    def test_an_unknown_base_is_refused(self, committed: Yard) -> None:
        with pytest.raises(EdgeTpuBuildError) as caught:
            committed.check(base="nowhere")
        assert caught.value.exit_code == 2


class TestStaged:
    def test_the_index_alone_counts(self, committed: Yard) -> None:
        committed.write("a.tflite", "newer")
        committed.write("pyproject.toml", "broken = [")
        (committed.root / "b_edgetpu.tflite").unlink()
        committed.config(committed.git("show", "HEAD:pyproject.toml"))
        assert committed.check(staged=True).exit_code == 0
        committed.git("add", "a.tflite")
        outcome = committed.check(staged=True)
        assert (states(outcome), codes(outcome)) == ({"a": "stale", "b": "fresh"}, ["ETB103"])

    def test_everything_staged_together_passes(self, committed: Yard) -> None:
        committed.write("a.tflite", "newer")
        committed.build()
        committed.git("add", "-A")
        assert committed.check(staged=True).exit_code == 0

    def test_a_forgotten_lock_is_found(self, committed: Yard) -> None:
        committed.write("a.tflite", "newer")
        committed.build()
        committed.git("add", "a.tflite", "a_edgetpu.tflite")
        assert codes(committed.check(staged=True)) == ["ETB103"]

    def test_a_forgotten_output_is_found(self, committed: Yard) -> None:
        committed.write("a.tflite", "newer")
        committed.build()
        committed.git("add", "a.tflite", "edgetpu.lock")
        assert codes(committed.check(staged=True)) == ["ETB104"]

    def test_outputs_that_are_not_kept_are_no_finding(self, committed: Yard) -> None:
        committed.git("rm", "-q", "--cached", "a_edgetpu.tflite", "b_edgetpu.tflite")
        assert committed.check(staged=True).exit_code == 0

    def test_a_model_that_was_never_added_is_missing(self, committed: Yard) -> None:
        committed.git("rm", "-q", "--cached", "a.tflite")
        with pytest.raises(EdgeTpuBuildError) as caught:
            committed.check(staged=True)
        assert [told.code for told in caught.value.diagnostics] == ["ETB211"]

    def test_a_pointer_of_git_lfs_stands_for_its_model(self, committed: Yard) -> None:
        import hashlib

        sha256 = hashlib.sha256(b"aaa").hexdigest()
        committed.write("a.tflite", f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize 3\n")
        committed.git("add", "a.tflite")
        assert committed.check(staged=True).exit_code == 0
        committed.write("a.tflite", f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n")
        committed.git("add", "a.tflite")
        assert codes(committed.check(staged=True)) == ["ETB103"]

    def test_globs_look_into_the_index(self, yard: Yard) -> None:
        yard.config(HOOK + '[tool.edgetpu.models.k]\nsource = "m/*.tflite"\n')
        yard.write("m/a.tflite", "a")
        yard.build()
        yard.git("init", "-q")
        yard.git("add", "-A")
        yard.write("m/b.tflite", "b")
        assert states(yard.check(staged=True)) == {"k[a]": "fresh"}
        yard.git("add", "-A")
        assert codes(yard.check(staged=True)) == ["ETB103"]

    def test_in_a_folder_of_the_repository(self, tmp_path: Path) -> None:
        yard = Yard.at(tmp_path / "repository" / "below")
        top = Yard(tmp_path / "repository", yard.backend)
        yard.models(a="a.tflite")
        yard.config(HOOK + yard.read("pyproject.toml").decode())
        yard.write("a.tflite", "aaa")
        yard.build()
        top.git("init", "-q")
        top.git("add", "-A")
        yard.write("a.tflite", "newer")
        assert yard.check(staged=True).exit_code == 0
        top.git("add", "-A")
        assert codes(yard.check(staged=True)) == ["ETB103"]

    def test_git_may_point_to_another_index(self, committed: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
        committed.write("a.tflite", "newer")
        other = committed.root / ".git" / "other-index"
        shutil.copy(committed.root / ".git" / "index", other)
        monkeypatch.setenv("GIT_INDEX_FILE", str(other))
        committed.git("add", "a.tflite")
        assert codes(committed.check(staged=True)) == ["ETB103"]
        monkeypatch.delenv("GIT_INDEX_FILE")
        assert committed.check(staged=True).exit_code == 0

    def test_outside_of_a_repository_it_is_refused(self, built: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", os.path.dirname(built.root))
        with pytest.raises(EdgeTpuBuildError) as caught:
            built.check(staged=True)
        assert caught.value.exit_code == 2

    def test_models_are_inflated_once(self, committed: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
        from edgetpu_build.engine import git

        committed.check(staged=True)
        asked: list[str] = []
        real = git.blobs
        monkeypatch.setattr(git, "blobs", lambda root, oids, env: asked.extend(o := list(oids)) or real(root, o, env))
        committed.check(staged=True)
        assert len(asked) == 2  # pyproject.toml and lock

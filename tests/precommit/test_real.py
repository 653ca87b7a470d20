"""pre-commit itself: real commits through the hooks, and `try-repo` on this repository."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.precommit.conftest import Repository
from tests.support import models

pytestmark = pytest.mark.slow
PROJECT = Path(__file__).resolve().parents[2]


def config(hook: str) -> str:
    """Our manifest's own settings, with the environment that the tests run in instead of one of pre-commit's."""
    entry = f"{sys.executable} -c 'import sys; from edgetpu_hooks.precommit import {hook}; sys.exit({hook}())'"
    return f"""\
repos:
- repo: local
  hooks:
  - id: edgetpu-{hook}
    name: edgetpu-{hook}
    entry: {json.dumps(entry)}
    language: system
    always_run: true
    pass_filenames: false
    require_serial: true
"""


@pytest.fixture
def hooked(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("PRE_COMMIT_HOME", str(repo.root.parent / "pre-commit"))
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "T")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "t@example.org")
    repo.write(".pre-commit-config.yaml", config("check"))
    subprocess.run([sys.executable, "-m", "pre_commit", "install"], cwd=repo.root, check=True, capture_output=True)
    repo.commit()
    return repo


def commit(repo: Repository, *arguments: str) -> tuple[int, str]:
    command = ["git", "commit", "-q", "-m", "x", *arguments]
    done = subprocess.run(command, cwd=repo.root, capture_output=True, encoding="utf-8", check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_commit_that_agrees_passes(hooked: Repository) -> None:
    hooked.write("models/a.tflite", models.dense_net(layers=3))
    hooked.build()
    hooked.git("add", "-A")
    assert commit(hooked)[0] == 0


def test_a_partial_stage_is_judged_as_it_is_staged(hooked: Repository) -> None:
    hooked.write("models/a.tflite", models.dense_net(layers=3))
    hooked.build()
    hooked.git("add", "models/a.tflite")
    code, said = commit(hooked)
    assert (code, "the lock is not right for `a`" in said) == (1, True)
    hooked.git("add", "-u")
    hooked.write("models/a.tflite", models.dense_net(layers=4))
    assert commit(hooked)[0] == 0
    assert (hooked.root / "models/a.tflite").read_bytes() == models.dense_net(layers=4)


def test_a_commit_of_named_files_is_judged_by_its_own_index(hooked: Repository) -> None:
    hooked.write("models/a.tflite", models.dense_net(layers=3))
    hooked.write("notes.txt", "x")
    hooked.git("add", "-A")
    assert commit(hooked, "notes.txt")[0] == 0
    assert commit(hooked, "models/a.tflite")[0] == 1


def test_a_commit_that_only_deletes_is_judged(hooked: Repository) -> None:
    hooked.git("rm", "-q", "models/a.tflite")
    code, said = commit(hooked)
    assert (code, "models/a.tflite" in said) == (1, True)


def test_the_building_hook_stops_once_and_then_passes(hooked: Repository) -> None:
    hooked.write(".pre-commit-config.yaml", config("build"))
    hooked.write("models/a.tflite", models.dense_net(layers=3))
    hooked.git("add", "-A")
    code, said = commit(hooked)
    assert (code, "run `git add models/a_edgetpu.tflite edgetpu.lock`" in said) == (1, True)
    hooked.git("add", "-A")
    assert commit(hooked)[0] == 0


@pytest.mark.skipif(not (PROJECT / ".git").exists(), reason="not a clone of the repository")
@pytest.mark.parametrize(("hook", "changed"), [("edgetpu-check", False), ("edgetpu-build", True)])
def test_try_repo(hook: str, changed: bool, repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the manifest, in an environment that pre-commit makes; the one test that needs a package index."""
    monkeypatch.setenv("PRE_COMMIT_HOME", str(repo.root.parent / "pre-commit"))
    if changed:
        repo.write("models/a.tflite", models.dense_net(layers=3))
        repo.git("add", "models/a.tflite")
    command = [sys.executable, "-m", "pre_commit", "try-repo", str(PROJECT), hook, "--verbose", "--color", "never"]
    done = subprocess.run(command, cwd=repo.root, capture_output=True, encoding="utf-8", check=False)
    if "InstallError" in done.stdout or "No matching distribution" in done.stdout:
        pytest.skip("no package index")
    said = done.stdout + done.stderr
    assert (done.returncode, "Failed" in said) == (int(changed), changed), said
    assert ("run `git add models/a_edgetpu.tflite edgetpu.lock`" in said) == changed

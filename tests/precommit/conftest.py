"""A repository of real git with a project in it that is built and committed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edgetpu_build.engine.build import build
from edgetpu_build.engine.project import Project
from tests.support import models

PYPROJECT = """\
[tool.hatch.build.hooks.edgetpu]

[tool.edgetpu]
compiler = "builtin"

[tool.edgetpu.models.a]
source = "models/a.tflite"
"""


class Repository:
    """``root`` is the folder of the project, which is the repository's."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self.root = root
        self._environment = environment
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        identity = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.root, input=stdin, capture_output=True, check=True
        )
        return done.stdout.decode()

    def write(self, path: str, data: str | bytes) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data.encode() if isinstance(data, str) else data)
        return target

    def build(self, folder: str = ".") -> None:
        outcome = build(Project.load(self.root / folder, self._environment))
        assert outcome.exit_code == 0, outcome.all_diagnostics

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "--no-verify", "-m", "x")


@pytest.fixture
def empty(tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    import os

    root = tmp_path.resolve() / "repo"
    root.mkdir()
    monkeypatch.chdir(root)
    return Repository(root, dict(os.environ))


@pytest.fixture
def repo(empty: Repository) -> Repository:
    empty.write("pyproject.toml", PYPROJECT)
    empty.write("models/a.tflite", models.dense_net(layers=2))
    empty.build()
    empty.commit()
    return empty


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """All that was printed since the last time."""

    def read() -> str:
        out, err = capsys.readouterr()
        return out + err

    return read

"""Small consumer projects, and the front ends that build them."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import models

MODEL = models.conv_net(layers=2, channels=8, size=8)
HEAD = """
[build-system]
requires = ["hatchling", "edgetpu-build"]
build-backend = "hatchling.build"

[project]
name = "consumer"
version = "1.0"
requires-python = ">=3.10"

[tool.hatch.build.targets.wheel]
packages = ["src/consumer"]

[tool.hatch.build.hooks.edgetpu]

[tool.edgetpu]
compiler = "builtin"
out-dir = "src/consumer/models"
allow-simulator = true
"""


class Consumer:
    """A package with models, not yet built."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("src/consumer/__init__.py", b"")
        self.pyproject = HEAD
        self.write(".gitignore", b"/src/consumer/models/\n")

    def write(self, path: str, data: bytes) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        return target

    def model(self, name: str, source: str, data: bytes = MODEL, *, more: str = "") -> None:
        """Declares a model and writes its file."""
        self.write(source, data)
        quoted = source.replace("\\", "\\\\").replace('"', '\\"')
        self.configure(f'\n[tool.edgetpu.models."{name}"]\nsource = "{quoted}"\n{more}')

    def configure(self, text: str) -> None:
        self.pyproject += text
        self.write("pyproject.toml", self.pyproject.encode())

    def replace(self, old: str, new: str) -> None:
        assert old in self.pyproject
        self.pyproject = self.pyproject.replace(old, new)
        self.write("pyproject.toml", self.pyproject.encode())


@pytest.fixture
def consumer(tmp_path: Path) -> Consumer:
    return Consumer(tmp_path / "consumer")


def run(command: list[str], cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | {"PATH": path} | env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


Build = Callable[..., subprocess.CompletedProcess[str]]


def hatchling(root: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """`hatchling build`: the hook without a front end around it."""
    return run([sys.executable, "-m", "hatchling", "build", "-d", str(root / "dist"), *arguments], root, **env)


def names(archive: Path) -> set[str]:
    """Paths in an archive; in an sdist, below its top folder."""
    if archive.suffix == ".whl":
        return set(zipfile.ZipFile(archive).namelist())
    with tarfile.open(archive) as tar:
        return {name.partition("/")[2] for name in tar.getnames()}


def wheel_of(root: Path) -> Path:
    (wheel,) = (root / "dist").glob("*.whl")
    return wheel


def sdist_of(root: Path) -> Path:
    (sdist,) = (root / "dist").glob("*.tar.gz")
    return sdist


def unpack(sdist: Path, folder: Path) -> Path:
    with tarfile.open(sdist) as tar:
        tar.extractall(folder, filter="data") if sys.version_info >= (3, 12) else tar.extractall(folder)
    (root,) = folder.iterdir()
    return root

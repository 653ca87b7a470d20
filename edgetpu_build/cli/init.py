"""`edgetpu-build init`: the tables that a build needs, written into pyproject.toml."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from edgetpu_build.cli import output
from edgetpu_build.errors import error

NAME = "init"
HELP = "Write [tool.edgetpu] into pyproject.toml"

PYPROJECT = "pyproject.toml"
NOT_HATCHLING = (
    "note: no build hook without hatchling as build backend: run `edgetpu-build build` before you build a wheel"
)
IGNORE = "Compiled files stand beside their sources: commit them, or add `*_edgetpu*.tflite` to .gitignore"


def configure(parser: ArgumentParser) -> None:
    """No options of its own."""


def run(args: Namespace) -> int:
    from edgetpu_build.config import edit

    root = folder(args)
    changed = write(root, lambda text: edit.init(text, name=package_name(root), uv=(root / "uv.lock").exists()))
    view = output.View.of(args)
    if not edit.uses_hatchling(read(root)):
        output.note(view, NOT_HATCHLING)
    text = f"{'wrote' if changed else 'nothing to do:'} {PYPROJECT}\nnext: `edgetpu-build add PATH` for each model"
    return output.answer(view, NAME, text, written=[PYPROJECT] if changed else [])


def folder(args: Namespace) -> Path:
    """`--project`, or here: a new project begins where one stands."""
    root = Path(args.project or os.curdir).resolve()
    if not root.is_dir():
        raise error("ETB214", f"`--project {args.project}` is not a folder", "name the folder of pyproject.toml")
    return root


def package_name(root: Path) -> str:
    """A distribution's name made of the folder's."""
    import re

    return re.sub(r"[^a-z0-9]+", "-", root.name.lower()).strip("-") or "my-package"


def read(root: Path) -> str:
    from edgetpu_build.config import load

    return load.read(root) if (root / PYPROJECT).exists() else ""


def write(root: Path, change: Callable[[str], str]) -> bool:
    """Let pyproject.toml be what ``change`` makes of it; False if that is what it was."""
    from edgetpu_build.files import write_atomic

    path = (root / PYPROJECT).resolve()
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    return write_atomic(path, change(read(root)).encode(), mode=mode)

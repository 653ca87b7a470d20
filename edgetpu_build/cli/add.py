"""`edgetpu-build add PATH...`: a table for each model, written into pyproject.toml."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

from edgetpu_build.cli import output
from edgetpu_build.cli.init import IGNORE, NOT_HATCHLING, PYPROJECT, folder, package_name, read, write
from edgetpu_build.errors import Diagnostic, EdgeTpuBuildError, error, warning

NAME = "add"
HELP = "Add models to [tool.edgetpu]"

_COMPILED = "_edgetpu.tflite"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="PATH", help="models, folders of models, or globs in quotes")


def run(args: Namespace) -> int:
    from edgetpu_build.config import edit
    from edgetpu_build.engine.project import find_root

    root = folder(args) if args.project else find_root(Path.cwd()).resolve()
    sources = [source for path in args.paths for source in _sources(Path(path), root)]
    uv = (root / "uv.lock").exists()
    changed = write(root, lambda text: edit.add(text, sources, name=package_name(root), uv=uv))
    view = output.View.of(args)
    if not edit.uses_hatchling(read(root)):
        output.note(view, NOT_HATCHLING)
    if changed:
        output.note(view, IGNORE)
    done = f"wrote {PYPROJECT}" if changed else f"nothing to do: {PYPROJECT} has them all"
    text = "\n".join([done, *sources, "next: `edgetpu-build build`"])
    return output.answer(
        view, NAME, text, diagnostics=list(_outside(sources)), written=[PYPROJECT] if changed else [], sources=sources
    )


def _sources(path: Path, root: Path) -> Iterator[str]:
    """What a path stands for, relative to the project, POSIX."""
    if path.is_dir():
        found = sorted(entry for entry in path.glob("*.tflite") if not entry.name.endswith(_COMPILED))
        if not found:
            raise error("ETB211", f"`{path}` holds no model", "name a .tflite file, or a folder with some")
        for entry in found:
            yield from _sources(entry, root)
        return
    if not path.exists() and not any(sign in str(path) for sign in "*?["):
        raise error(
            "ETB211", f"`{path}` does not exist", "name a .tflite file, a folder with some, or a glob in quotes"
        )
    if path.name.endswith(_COMPILED):
        hint = "add the model that it was made from"
        raise EdgeTpuBuildError(Diagnostic(code="ETB304", message=f"`{path}` is already compiled", hint=hint))
    yield Path(os.path.relpath(os.path.abspath(path), root)).as_posix()  # noqa: PTH100 - resolve() would follow links


def _outside(sources: list[str]) -> Iterator[Diagnostic]:
    for source in sources:
        if source.startswith("../"):
            hint = "it cannot travel in an sdist; move it into the project"
            yield warning("ETB210", f"`{source}` is outside the project", hint, file=PYPROJECT)

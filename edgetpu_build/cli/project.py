"""The project that a command works on."""

from __future__ import annotations

import os
from argparse import Namespace
from dataclasses import replace
from typing import TYPE_CHECKING

from edgetpu_build.cli.output import View
from edgetpu_build.errors import error

if TYPE_CHECKING:  # a help page must not wait for the engine
    from pathlib import Path

    from edgetpu_build.engine.project import Project


def root(args: Namespace) -> Path:
    """`--project`, which must be a folder, or the nearest one above with `[tool.edgetpu]`."""
    from pathlib import Path

    if args.project is None:
        return nearest()
    folder = Path(args.project)
    if not folder.is_dir():
        raise error(
            "ETB214", f"`--project {args.project}` is not a folder", "name the folder that holds pyproject.toml"
        )
    return folder


def nearest() -> Path:
    """The nearest project from the working directory up."""
    from pathlib import Path

    from edgetpu_build.engine.project import find_root

    return find_root(Path.cwd())


def load(args: Namespace) -> Project:
    """The project, its configuration read. Raises ETB2nn with every fault in it."""
    from edgetpu_build.engine.project import Project

    return Project.load(root(args), os.environ)


def view(args: Namespace, project: Project) -> View:
    """The view with the folder that was found, so that annotations point into the repository."""
    return replace(View.of(args), project=str(project.root))

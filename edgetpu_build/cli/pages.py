"""Pages with pictures: where they go, and how a build becomes one. What draws them is loaded when one is asked for."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from edgetpu_build.cli import output
from edgetpu_build.cli.output import View

if TYPE_CHECKING:
    from edgetpu_build.engine.outcome import Outcome
    from edgetpu_build.engine.project import Project


def path(value: str) -> str:
    """A value type: a file that is a page by its name, so that no model is ever written over."""
    if not value.lower().endswith((".html", ".htm")):
        raise ArgumentTypeError(f"found `{value}`, allowed: a file name that ends in `.html`")
    return value


def write(view: View, path: str, page: str) -> None:
    """Raises ETB501."""
    from edgetpu_build import files

    files.write_atomic(path, page.encode(), durable=False)
    output.note(view, f"wrote `{path}`")


def of_build(project: Project, outcome: Outcome) -> str:
    """The page of a build, its layers from the sources that the lock names."""
    from edgetpu_build.engine import layers, lockfile
    from edgetpu_build.engine.lockfile import Lock
    from edgetpu_build.engine.placement import with_operators
    from edgetpu_build.report import html

    lock, read = lockfile.read(project.root) or Lock(), layers.here(project)

    def layered(name: str) -> tuple[layers.Layered, ...] | None:
        unit = lock.units.get(name)
        return layers.of(unit, read) if unit else None

    return html.render(html.of_outcome(_title(project), with_operators(project, outcome), layered))


def _title(project: Project) -> str:
    """The package's name: the folder's would differ from one checkout to the next."""
    from edgetpu_build.config.toml import loads

    table = loads((project.root / "pyproject.toml").read_text(encoding="utf-8"))
    return str(table.get("project", {}).get("name") or "Edge TPU models")

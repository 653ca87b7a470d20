"""What goes into an archive, and where: the hatch hook's view of an outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgetpu_build.engine.outcome import Outcome
from edgetpu_build.engine.project import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """``path``: relative to the project. ``wheel_path``: POSIX path in the wheel, None: where `path` falls by itself.

    ``target``: `edgetpu` or `simulator`. ``kind``: `output` or `log`.
    """

    path: str
    wheel_path: str | None
    target: str
    kind: Literal["output", "log"]


def shipped(project: Project, outcome: Outcome) -> tuple[Shipped, ...]:
    """Every file of a unit with ``ship = true``. Raises ETB106 for simulator artifacts unless they are allowed."""
    raise NotImplementedError

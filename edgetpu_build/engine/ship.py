"""What goes into an archive, and where: the hatch hook's view of an outcome."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from edgetpu_build.engine.outcome import MemberOutcome, Outcome, UnitOutcome
from edgetpu_build.engine.project import Project
from edgetpu_build.errors import error

GET_REAL_ONES = (
    'compile with Google\'s `edgetpu_compiler` (`compiler = "google"`, on x86-64 Linux or through `compiler-command`), '
    "or set `allow-simulator = true` to ship them for tests and demonstrations"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """``path``: relative to the project. ``wheel_path``: POSIX path in the wheel, None: where ``path`` falls by itself.

    ``target``: `edgetpu` or `simulator`. ``kind``: `output` or `log`.
    """

    path: str
    wheel_path: str | None
    target: str
    kind: Literal["output", "log"]


def shipped(project: Project, outcome: Outcome) -> tuple[Shipped, ...]:
    """Every file of a model with ``ship = true``. Raises ETB106 for simulator artifacts unless they are allowed."""
    found = tuple(file for unit in outcome.units for file in _of_unit(project, unit))
    simulated = [file.path for file in found if file.target == "simulator" and file.kind == "output"]
    if simulated and not project.config.allow_simulator:
        others = f" and {len(simulated) - 1} more" if len(simulated) > 1 else ""
        message = (
            f"`{simulated[0]}`{others} would be shipped, made by builtin for the simulated device: no silicon runs it"
        )
        line = project.config.lines.get("", 0)
        raise error(
            "ETB106", message, GET_REAL_ONES, file="pyproject.toml", line=line, key="tool.edgetpu.allow-simulator"
        )
    return found


def _of_unit(project: Project, unit: UnitOutcome) -> Iterator[Shipped]:
    models = {model.name: model for model in project.config.models}
    for member in unit.members:
        model = models.get(member.name) or models[member.name.partition("[")[0]]
        if model.ship:
            yield from _of_member(member, model.wheel_path, unit.target, logs=project.config.ship_logs)


def _of_member(member: MemberOutcome, folder: str | None, target: str, *, logs: bool) -> Iterator[Shipped]:
    kinds: tuple[tuple[Literal["output", "log"], tuple[str, ...]], ...] = (
        ("output", tuple(output.path for output in member.outputs)),
        ("log", tuple(log.path for log in member.logs) if logs else ()),
    )
    for kind, paths in kinds:
        for path in paths:
            inside = None if folder is None else posixpath.join(folder, posixpath.basename(path))
            yield Shipped(path=path, wheel_path=inside, target=target, kind=kind)

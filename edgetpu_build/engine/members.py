"""The models of a unit (or of all units) as values, for who asks about them without building."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgetpu_build import files
from edgetpu_build.compiler.interface import Options
from edgetpu_build.engine.plan import plan, select
from edgetpu_build.engine.project import Project
from edgetpu_build.errors import error
from edgetpu_build.tflite import reader
from edgetpu_build.tflite.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """``calls``: calls a second, where the group says so."""

    models: Mapping[str, Model]
    options: Options
    calls: Mapping[str, float] = field(default_factory=dict)


def read(project: Project, name: str | None) -> Members:
    """A group's or model's members; without a name those of the only group, else every model. ETB209 for unknown names,
    ETB3nn for what is no model.
    """
    planned = plan(project.config, project.root)
    groups = tuple(unit for unit in planned.units if unit.kind == "group")
    chosen = select(planned, [name]) if name else groups if len(groups) == 1 else planned.units
    if not chosen:
        raise error("ETB209", "the project has no models", "`edgetpu-build add` declares them")
    first = chosen[0]
    models = {
        member.name: reader.read(files.read_stable(project.root / member.source)[0], label=member.source)
        for unit in chosen
        for member in unit.members
    }
    calls = dict(first.calls) if len(chosen) == 1 else {}
    return Members(models=models, options=first.options, calls=calls)

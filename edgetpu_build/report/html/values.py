"""What a page shows, as values: from an inspected file or from a build, the pictures need not know which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgetpu_build.compiler.interface import LayerResult, OperatorResult
from edgetpu_build.errors import Diagnostic
from edgetpu_build.figure import Figures
from edgetpu_build.report import json_form

Edge = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """``operators``: positions in the model's."""

    index: int
    operators: tuple[int, ...]
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One model. ``operators``: in an order in which they can run; ``edges``: (maker, user), positions in it.

    ``tensors``: the name of each operator's first result. ``layers``: by operator. ``before``: figures to compare with.
    ``note``: where the layers come from, if that is not plain.
    """

    name: str
    source: str
    figures: Figures
    before: Figures | None = None
    operators: tuple[OperatorResult, ...] = ()
    tensors: tuple[str, ...] = ()
    edges: tuple[Edge, ...] = ()
    layers: tuple[LayerResult, ...] = ()
    segments: tuple[Segment, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A unit of a build, or a file. Its models share one on-chip memory unless they are segmented."""

    name: str
    kind: str = "model"
    state: str = ""
    why: str = ""
    models: tuple[Drawn, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """``sides``: (what, before, after) where two files were compared; ``diagnostics``: of no section."""

    title: str
    lead: str
    sections: tuple[Section, ...]
    sides: tuple[tuple[str, str, str], ...] = ()
    labels: tuple[str, str] = ("before", "now")
    diagnostics: tuple[Diagnostic, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What the page embeds for programs, and for its own explanations: in the words of `--format json`."""
        return {"schema": json_form.SCHEMA, "title": self.title, "units": [_section(s) for s in self.sections]}


def _section(section: Section) -> dict[str, Any]:
    return {
        "name": section.name,
        "kind": section.kind,
        "state": section.state,
        "why": section.why,
        "members": [_drawn(model) for model in section.models],
    }


def _drawn(model: Drawn) -> dict[str, Any]:
    return {
        "name": model.name,
        "source": model.source,
        "figures": model.figures.to_json(),
        "before": model.before.to_json() if model.before else None,
        "operators": [json_form.operator(operator) for operator in model.operators],
        "layers": [json_form.layer(layer) for layer in model.layers],
        "segments": [
            {"index": s.index, "operators": list(s.operators), "figures": s.figures.to_json()} for s in model.segments
        ],
        "tensors": list(model.tensors),
    }

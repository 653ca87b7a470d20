"""What `reweight` made, and what was proven on the way."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from edgetpu_build.compiler.reweight.proof import Proven, Reweighted
from edgetpu_build.report import text
from edgetpu_build.report.style import PLAIN, Style, printable

CAUTION = "not tried on hardware: see docs/explanation/reweighting.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """``path``: the file written. ``source``: the new model, ``old``: the artifact that it came from."""

    path: str
    source: str
    old: str
    seconds: float


def human(found: Reweighted, made: Made, style: Style = PLAIN, *, explain: bool = False) -> str:
    """One line, and with ``explain`` one an operator."""
    name, size = style.paint(printable(made.path), "bold"), text.size(found.parameters)
    what = f"{size} of parameters and {text.plural(found.constants, 'word')} of instructions rewritten, all proven"
    lines = [f"{name}: {what} (layout of compiler {found.generation}, token {found.token:016x})", CAUTION]
    if explain:
        lines += ["", *(_operator(operator) for operator in found.operators), "", *_means()]
    return "\n".join(lines)


def to_json(found: Reweighted, made: Made) -> dict[str, Any]:
    """The unit."""
    from edgetpu_build.compiler.inspection import inspect
    from edgetpu_build.report import inspect as report

    unit = report.to_json([inspect(found.data, label=made.source)])
    published = {"path": made.path, "sha256": sha256(found.data).hexdigest(), "size": len(found.data)}
    unit["members"][0]["outputs"] = [published]
    return unit | {"why": f"reweighted from {made.old}", "seconds": round(made.seconds, 3)}


def proof(found: Reweighted, made: Made) -> dict[str, Any]:
    """What was proven, operator by operator."""
    return {
        "from": made.old,
        "compiler": found.generation,
        "token": f"{found.token:016x}",
        "parameter_bytes": found.parameters,
        "constants": found.constants,
        "shared": found.shared,
        "operators": [
            {"index": o.index, "name": o.kind, "parameter_bytes": o.parameters, "words": o.words, "roles": [*o.roles]}
            for o in found.operators
        ],
    }


def _operator(operator: Proven) -> str:
    parts = [f"{text.size(operator.parameters)} of parameters"] if operator.parameters else []
    if operator.words:
        parts.append(f"{text.plural(operator.words, 'word')} ({', '.join(operator.roles)})")
    return f"{operator.index:>4}  {operator.kind:<26}{'; '.join(parts) or 'nothing of its own'}"


def _means() -> list[str]:
    return [
        "parameters: made from the old model they were the artifact's, byte for byte",
        "words: their constants were those of the old model's operator; no other word holds any",
        "the way back from the new model to the old gave the artifact that came in, byte for byte",
    ]

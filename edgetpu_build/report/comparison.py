"""Where builtin's prediction and Google's result part ways: for a person, for a program, and as facts to be sent to us.

A contribution holds operators, shapes, types and figures. No weights, no scales, no names, no digests: who reads it
learns how a model is built, not what it knows or whose it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from edgetpu_build.compiler.diagnosis import KNOWN_CUSTOM_OPERATORS
from edgetpu_build.compiler.google.transcript import STATUSES
from edgetpu_build.compiler.inspection import inspect
from edgetpu_build.compiler.interface import OperatorResult
from edgetpu_build.engine.compare import FIGURES, Compared, Comparison
from edgetpu_build.engine.stored import Artifact
from edgetpu_build.report import text
from edgetpu_build.report.style import PLAIN, Style, printable
from edgetpu_build.tflite.model import Operator, Subgraph, Tensor
from edgetpu_build.tflite.reader import read

SCHEMA = 1
_COUNTS = ("subgraphs", "runtime_version")


def human(found: Comparison, style: Style = PLAIN) -> str:
    """A line a model, and beneath it whatever differs."""
    return "\n".join(line for member in found.members for line in _lines(member, style))


def to_json(found: Comparison) -> list[dict[str, Any]]:
    """``name``, ``unit``, ``compiler``; ``figures``: name -> both; ``operators``: those placed otherwise."""
    return [
        {
            "name": member.name,
            "unit": member.unit,
            "compiler": f"google {member.google.version}",
            "figures": {
                name: {
                    "builtin": getattr(member.ours.figures, name).to_json(),
                    "google": getattr(member.theirs.figures, name).to_json(),
                }
                for name in member.figures
            },
            "operators": [
                {"index": ours.index, "name": ours.name, "builtin": _placed(ours), "google": _placed(theirs)}
                for ours, theirs in member.operators
            ],
        }
        for member in found.members
    ]


def contribution(found: Comparison) -> str:
    """JSON lines, one a model, those that agree too: both are worth knowing."""
    return "".join(json.dumps(_facts(member), sort_keys=True) + "\n" for member in found.members)


def _lines(member: Compared, style: Style) -> Iterable[str]:
    operators, figures = member.operators, member.figures
    name = style.paint(printable(member.name), "bold")
    if not operators and not figures:
        total = text.plural(len(member.ours.operators), "operator")
        yield f"{name}: builtin foretells what Google's {member.google.version} did, {total} and every figure"
        return
    yield (
        f"{name}: builtin and Google's {member.google.version} part ways in {text.plural(len(operators), 'operator')} "
        f"and {text.plural(len(figures), 'figure')}"
    )
    for ours, theirs in operators:
        yield f"  operator {ours.index} ({ours.name}): builtin {_where(ours)}, Google's {_where(theirs)}"
    for key in figures:
        render = text.count if key in _COUNTS else text.size
        ours, theirs = (getattr(side.figures, key) for side in (member.ours, member.theirs))
        yield f"  {key.replace('_', ' ')}: builtin {text.figure(ours, render)}, Google's {text.figure(theirs, render)}"


def _where(operator: OperatorResult) -> str:
    if operator.target == "edgetpu":
        return "Edge TPU"
    return f"CPU ({printable(operator.rule or operator.status)})"


def _placed(operator: OperatorResult) -> dict[str, str]:
    return {"target": operator.target, "rule": operator.rule, "status": operator.status, "reason": operator.reason}


def _facts(member: Compared) -> dict[str, Any]:
    graph = read(member.source).main
    options = asdict(member.options)
    cuts, _ = options.pop("cuts"), options.pop("generation")
    return {
        "schema": SCHEMA,
        "compiler": member.google.version,
        "options": options | {"cuts": len(cuts)},
        "place_in_group": member.order,
        "graph": _graph(graph),
        "google": {
            "figures": _figures(member.theirs.figures.to_json()),
            "placement": [[o.index, o.target, _known_status(o.status)] for o in member.theirs.operators],
            "files": [_file(artifact) for artifact in member.theirs.artifacts],
        },
        "builtin": {
            "figures": _figures(member.ours.figures.to_json()),
            "placement": [[o.index, o.target, o.rule] for o in member.ours.operators],
            "layers": [[layer.index, layer.bytes, layer.placement] for layer in member.ours.layers],
        },
    }


def _figures(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in FIGURES}


def _known_status(status: str) -> str:
    """A status may quote the model; only those that are known to be fixed are passed on."""
    return status if status in STATUSES else ""


def _graph(graph: Subgraph) -> dict[str, Any]:
    return {
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "tensors": [_tensor(tensor) for tensor in graph.tensors],
        "operators": [_operator(operator) for operator in graph.operators],
    }


def _tensor(tensor: Tensor) -> dict[str, Any]:
    quantization = tensor.quantization
    return {
        "shape": list(tensor.shape),
        "type": tensor.type,
        "constant": tensor.data is not None,
        "variable": tensor.is_variable,
        "scales": len(quantization.scale) if quantization else 0,
        "axis": quantization.axis if quantization else 0,
    }


def _operator(operator: Operator) -> dict[str, Any]:
    custom = operator.custom_code if operator.custom_code in KNOWN_CUSTOM_OPERATORS else ""
    return {
        "kind": operator.kind,
        "custom": custom,
        "version": operator.version,
        "inputs": list(operator.inputs),
        "outputs": list(operator.outputs),
        "options": {name: value for name, value in operator.options.items() if _is_setting(value)},
    }


def _is_setting(value: object) -> bool:
    """Numbers, switches and the schema's own words; text and bytes may be names."""
    return isinstance(value, bool | int | float) or (isinstance(value, str) and value.replace("_", "").isupper())


def _file(artifact: Artifact) -> dict[str, Any]:
    found = inspect(artifact.data)
    return {
        "size": len(artifact.data),
        "executables": [
            {
                "type": e.type,
                "parameter_bytes": len(e.parameters),
                "instruction_bytes": [len(chunk) for chunk in e.instructions],
                "cycles": e.estimated_cycles,
                "scratch_bytes": e.scratch_size,
                "narrow_memory": e.narrow_memory,
                "input_bytes": [layer.size for layer in e.inputs],
                "output_bytes": [layer.size for layer in e.outputs],
                "runtime": compiled.package.min_runtime_version,
            }
            for compiled in found.compiled
            for e in compiled.package.executables
        ],
    }

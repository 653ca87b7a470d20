"""The machine's form of every answer: one object, whatever happened. docs/reference/json.md describes it.

``{"schema": 1, "command", "ok", "units", "errors", "warnings"}`` and, where a command has more to say, keys of its own.
Numbers that a compiler or a rule yields are ``{"value", "confidence"}``; memory is in bytes, time in seconds but for
``latency_ms``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edgetpu_build.compiler.interface import LayerResult, MemberResult, OperatorResult, Result, SegmentResult
from edgetpu_build.engine.outcome import MemberOutcome, Outcome, Output, SegmentOutcome, UnitOutcome
from edgetpu_build.errors import Diagnostic
from edgetpu_build.figure import Figures

SCHEMA = 1
_PLACE = ("code", "message", "hint", "file", "line", "key", "unit", "rule")
_OPERATOR = ("index", "name", "target", "rule", "status", "reason", "hint")
_LAYER = ("index", "name", "bytes", "placement", "reason", "confidence")


def document(
    command: str,
    *,
    units: Iterable[Mapping[str, Any]] = (),
    diagnostics: Iterable[Diagnostic] = (),
    **more: Any,
) -> dict[str, Any]:
    """The object itself. ``ok`` is false as soon as one diagnostic is an error; ``more`` are the command's own keys."""
    found = tuple(diagnostics)
    errors = [diagnostic(d) for d in found if d.severity == "error"]
    return {
        "schema": SCHEMA,
        "command": command,
        "ok": not errors,
        "units": list(units),
        "errors": errors,
        "warnings": [diagnostic(d) for d in found if d.severity != "error"],
        **more,
    }


def outcome_report(outcome: Outcome, **more: Any) -> dict[str, Any]:
    """A whole build, check or verify."""
    return document(
        outcome.command,
        units=[unit(u) for u in outcome.units],
        diagnostics=outcome.all_diagnostics,
        written=list(outcome.written),
        removed=list(outcome.removed),
        lock_changed=outcome.lock_changed,
        seconds=round(outcome.seconds, 3),
        **more,
    )


def compile_report(
    result: Result,
    *,
    command: str = "compile",
    name: str = "",
    sources: Sequence[str] = (),
    outputs: Sequence[Sequence[Output]] = (),
    seconds: float = 0.0,
    why: str = "asked for on the command line",
    diagnostics: Iterable[Diagnostic] = (),
    **more: Any,
) -> dict[str, Any]:
    """One unit made of a compiler's answer, its members in the order given.

    ``sources`` are the paths as the user wrote them (the labels if left out); ``outputs`` the compiled files of each
    member, one a segment where it was segmented. The result's own warnings come first, then ``diagnostics``.
    """
    own = (*result.warnings, *(w for m in result.members for w in m.warnings))
    members = [
        _compiled_member(
            member,
            source=sources[i] if i < len(sources) else member.label,
            outputs=outputs[i] if i < len(outputs) else (),
        )
        for i, member in enumerate(result.members)
    ]
    answer = {
        "name": name or "+".join(m["name"] for m in members),
        "kind": kind_of(result),
        "state": "compiled",
        "why": why,
        "seconds": round(seconds, 3),
        "compiler": f"{result.compiler.name} {result.compiler.version}",
        "target": result.compiler.target,
        "members": members,
    }
    return document(command, units=[answer], diagnostics=(*own, *diagnostics), **more)


def kind_of(result: Result) -> str:
    """``group`` for several members, ``segments`` for one that was cut, else ``model``."""
    if len(result.members) > 1:
        return "group"
    return "segments" if any(len(m.segments) > 1 for m in result.members) else "model"


def unit(unit: UnitOutcome) -> dict[str, Any]:
    return {
        "name": unit.name,
        "kind": unit.kind,
        "state": unit.state,
        "why": unit.why,
        "seconds": round(unit.seconds, 3),
        "compiler": unit.compiler,
        "target": unit.target,
        "fingerprint": unit.fingerprint,
        "members": [member(m) for m in unit.members],
    }


def member(member: MemberOutcome) -> dict[str, Any]:
    answer = _member(member.name, member.source, member.outputs, member.figures, member.operators)
    if member.segments:
        answer["segments"] = [_segment(s, s.outputs, member.operators) for s in member.segments]
    return answer


def diagnostic(diagnostic: Diagnostic) -> dict[str, Any]:
    """Every field but the severity, which is told by the list that it stands in."""
    return _fields(diagnostic, _PLACE)


def output(output: Output) -> dict[str, Any]:
    return {"path": output.path, "sha256": output.sha256, "size": output.size}


def operator(operator: OperatorResult) -> dict[str, Any]:
    """``index``: its position in the original file."""
    return _fields(operator, _OPERATOR)


def layer(layer: LayerResult) -> dict[str, Any]:
    """``index``: the operator in the original file; ``bytes``: its parameters."""
    return _fields(layer, _LAYER)


def _compiled_member(member: MemberResult, *, source: str, outputs: Sequence[Output]) -> dict[str, Any]:
    answer = _member(stem(source), source, outputs, member.figures, member.operators)
    answer["layers"] = [layer(item) for item in member.layers]
    if member.segments:
        answer["segments"] = [_segment(s, outputs[i : i + 1], member.operators) for i, s in enumerate(member.segments)]
    return answer


def _member(
    name: str, source: str, outputs: Iterable[Output], figures: Figures, operators: Iterable[OperatorResult]
) -> dict[str, Any]:
    return {
        "name": name,
        "source": source,
        "outputs": [output(o) for o in outputs],
        "figures": figures.to_json(),
        "operators": [operator(o) for o in operators],
    }


def _segment(
    segment: SegmentOutcome | SegmentResult, outputs: Iterable[Output], operators: Iterable[OperatorResult]
) -> dict[str, Any]:
    """Its operators as the member has them; their indices alone where these are not known (nothing was compiled)."""
    known = {o.index: _fields(o, _OPERATOR) for o in operators}
    return {
        "index": segment.index,
        "outputs": [output(o) for o in outputs],
        "operators": [known.get(index, index) for index in segment.operators],
        "figures": segment.figures.to_json(),
    }


def _fields(value: object, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names}


def stem(path: str) -> str:
    """The file name without folders and without its last extension."""
    return path.rpartition("/")[2].removesuffix(".tflite")

"""What was inspected or built -> what a page shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from edgetpu_build.compiler import inspection
from edgetpu_build.compiler.inspection import Inspection
from edgetpu_build.compiler.interface import LayerResult, OperatorResult
from edgetpu_build.engine.layers import Layered
from edgetpu_build.engine.outcome import MemberOutcome, Outcome, UnitOutcome
from edgetpu_build.report import human, text
from edgetpu_build.report.html.values import Drawn, Edge, Page, Section, Segment
from edgetpu_build.report.json_form import stem
from edgetpu_build.tflite.model import Operator, Subgraph

SILICON = "a file for silicon does not tell its layers, but how much of them stays on the chip and how much streams"
UNKNOWN_LAYERS = "its source is not what the lock was made from, so its layers are not known"
PREDICTED = "Google's compiler made it: the figures are its own, the layers are the builtin compiler's prediction"
_LAYERED = 60  # units; the sections of more never fit on a page
_KINDS = {
    "": "a model, as it would be compiled",
    "edgetpu": "compiled for the Edge TPU",
    "simulator": "compiled for the simulated device",
}


def of_files(files: Sequence[Inspection]) -> Page:
    """One file, or two that are compared."""
    sections = tuple(_file(found) for found in files)
    labels = [found.label for found in files]
    title = " and ".join(map(stem, labels)) if len(files) < 3 else text.plural(len(files), "file")
    if len(files) != 2:
        lead = _KINDS[files[0].target] if len(files) == 1 else ""
        return Page(title=title, lead=lead, sections=sections)
    before, after = files
    found = tuple((d.what, d.before, d.after) for d in inspection.differences(before, after))
    lead = f"{text.plural(len(found), 'difference')} between two files" if found else "two files that do not differ"
    return Page(title=title, lead=lead, sections=sections, sides=found, labels=(before.label, after.label))


def of_outcome(title: str, outcome: Outcome, layers: Callable[[str], tuple[Layered, ...] | None]) -> Page:
    """A build. ``layers``: the members of a unit, layer by layer; None where they are not to be had."""
    shown = replace(outcome, seconds=0.0)
    near = frozenset(unit.name for unit in outcome.units[:_LAYERED])
    return Page(
        title=title,
        lead=human.summary(shown),
        sections=tuple(_unit(unit, layers if unit.name in near else _nothing) for unit in outcome.units),
        diagnostics=outcome.diagnostics,
    )


def _nothing(_: str) -> None:
    return None


def edges(subgraph: Subgraph) -> tuple[Edge, ...]:
    """(maker, user) of every tensor that one operator makes for another."""
    return _edges([(operator.inputs, operator.outputs) for operator in subgraph.operators])


def _edges(ends: Sequence[tuple[Sequence[object], Sequence[object]]]) -> tuple[Edge, ...]:
    maker = {tensor: i for i, (_, outputs) in enumerate(ends) for tensor in outputs}
    found = ((maker[tensor], i) for i, (inputs, _) in enumerate(ends) for tensor in inputs if tensor in maker)
    return tuple(sorted(set(found)))


def _tensors(subgraph: Subgraph) -> tuple[str, ...]:
    return tuple(_first(subgraph, operator) for operator in subgraph.operators)


def _first(subgraph: Subgraph, operator: Operator) -> str:
    return subgraph.tensors[operator.outputs[0]].name if operator.outputs and operator.outputs[0] >= 0 else ""


def _unit(unit: UnitOutcome, layers: Callable[[str], tuple[Layered, ...] | None]) -> Section:
    good = unit.state in ("fresh", "cached", "compiled")
    found = layers(unit.name) if good else None
    by_name = {layered.name: layered for layered in found or ()}
    note = PREDICTED if unit.target == "edgetpu" else ""
    return Section(
        name=unit.name,
        kind=unit.kind,
        state=unit.state,
        why=unit.why,
        models=tuple(_member(member, by_name.get(member.name), note) for member in unit.members) if good else (),
        diagnostics=unit.diagnostics,
    )


def _member(member: MemberOutcome, layered: Layered | None, note: str) -> Drawn:
    before = member.before if member.before and _moved(member.before, member) else None
    drawn = Drawn(
        name=member.name,
        source=member.source,
        figures=member.figures,
        before=before,
        operators=member.operators,
        segments=tuple(Segment(index=s.index, operators=s.operators, figures=s.figures) for s in member.segments),
        note=UNKNOWN_LAYERS,
    )
    if layered is None:
        return drawn
    main = layered.model.main
    return replace(
        drawn,
        figures=layered.figures,
        operators=member.operators or layered.result.operators,
        tensors=_tensors(main),
        edges=edges(main),
        layers=layered.result.layers,
        segments=tuple(
            replace(segment, figures=figures)
            for segment, figures in zip(
                drawn.segments, layered.segments or [s.figures for s in drawn.segments], strict=True
            )
        ),
        note=note,
    )


def _moved(before: object, member: MemberOutcome) -> bool:
    from edgetpu_build.report import changes

    return bool(changes.of(member))


def _file(found: Inspection) -> Section:
    drawn = _compiled(found) if found.target else _model(found)
    return Section(
        name=stem(found.label), state="", why=_KINDS[found.target], models=(drawn,), diagnostics=found.warnings
    )


def _model(found: Inspection) -> Drawn:
    main = found.model.main if found.model.subgraphs else None
    return Drawn(
        name=stem(found.label),
        source=found.label,
        figures=found.figures,
        operators=found.operators,
        tensors=_tensors(main) if main else (),
        edges=edges(main) if main else (),
        layers=found.layers,
    )


def _compiled(found: Inspection) -> Drawn:
    """The file's operators, with those inside of the simulated device's in place of the custom one that holds them."""
    packages = {compiled.index: compiled for compiled in found.compiled}
    main = found.model.main
    operators: list[OperatorResult] = []
    tensors: list[str] = []
    ends: list[tuple[Sequence[object], Sequence[object]]] = []
    layers: list[LayerResult] = []
    for index, operator in enumerate(main.operators):
        compiled, start = packages.get(index), len(operators)
        if compiled and compiled.program:
            inside = compiled.program.model.main
            outer = _ports(inside, operator)
            operators += [
                OperatorResult(index=start + i, name=o.kind, target="edgetpu") for i, o in enumerate(inside.operators)
            ]
            tensors += _tensors(inside)
            ends += [
                ([outer.get(t, (index, t)) for t in o.inputs], [outer.get(t, (index, t)) for t in o.outputs])
                for o in inside.operators
            ]
            layers += [replace(layer, index=start + layer.index) for layer in compiled.layers]
            continue
        operators.append(replace(found.operators[index], index=start))
        tensors.append(_first(main, operator))
        ends.append((operator.inputs, operator.outputs))
    return Drawn(
        name=stem(found.label),
        source=found.label,
        figures=found.figures,
        operators=tuple(operators),
        tensors=tuple(tensors),
        edges=_edges(ends),
        layers=tuple(layers),
        note=SILICON if found.target == "edgetpu" else "",
    )


def _ports(inside: Subgraph, operator: Operator) -> Mapping[int, int]:
    """The program's ends -> the file's tensors, by position."""
    ports = dict(zip(inside.inputs, operator.inputs, strict=False))
    return ports | dict(zip(inside.outputs, operator.outputs, strict=False))

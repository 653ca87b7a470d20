"""What a compile will come to, without writing anything: placement, layers, caching, activation memory and figures.

``predict`` is the arithmetic of the builtin compiler. ``inspect`` and ``check --explain`` ask it alone; ``builtin``
asks it and writes artifacts from the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from edgetpu_build.chip.generations import Generation, generation
from edgetpu_build.compiler import activation, capacity, parameters, placement, segmentation, timing, wellformed
from edgetpu_build.compiler.activation import Activation
from edgetpu_build.compiler.caching import Allocation, Candidate, Decision, allocate, candidate_of
from edgetpu_build.compiler.interface import LayerResult, Options
from edgetpu_build.compiler.placement import Placement
from edgetpu_build.errors import Diagnostic
from edgetpu_build.figure import Figure, Figures, estimated, exact
from edgetpu_build.tflite import surgery
from edgetpu_build.tflite.model import Model, Subgraph

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One model (or segment). ``decisions``: its layers in the order of the blob, by Edge TPU operator.

    ``activations``: one for each Edge TPU operator. ``room``: bytes on the chip for the parameters of all models that
    are compiled together. ``runtime``: the number that the file asks for.
    """

    model: Model
    placement: Placement
    decisions: tuple[Decision, ...]
    activations: tuple[Activation, ...]
    figures: Figures
    room: Figure
    runtime: int
    warnings: tuple[Diagnostic, ...] = ()

    @property
    def layers(self) -> tuple[LayerResult, ...]:
        """Parameter memory by operator, in file order."""
        return tuple(sorted((decision.result() for decision in self.decisions), key=lambda layer: layer.index))


class _Draft(NamedTuple):
    """A model whose layers wait for room."""

    model: Model
    placement: Placement
    candidates: tuple[Candidate, ...]
    activations: tuple[Activation, ...]

    @property
    def subgraph(self) -> Subgraph:
        return self.model.main

    def warnings(self) -> tuple[Diagnostic, ...]:
        found = (activation.warn(self.subgraph, need) for need in self.activations)
        return tuple(warning for warning in found if warning)


def predict(
    models: Sequence[Model],
    options: Options,
    intermediate_tensors: Sequence[Names] = (),
    *,
    segment: bool = False,
    stop_at: frozenset[int] = frozenset(),
) -> tuple[Forecast, ...]:
    """Forecasts of models that are compiled together, in order; options about segments are not looked at.

    ``intermediate_tensors``: names per model, where its Edge TPU operator must end. ``segment``: the one model is a
    segment. ``stop_at``: operators of the one model that must stay on the CPU. Raises what placement raises (ETB302,
    ETB310, ETB402).
    """
    known = generation(options.generation)
    names = [*intermediate_tensors, *[()] * (len(models) - len(intermediate_tensors))]
    drafts = [_draft(model, mine, stop_at, options, known) for model, mine in zip(models, names, strict=True)]
    room = _room(drafts, known, segment=segment)
    allocation = allocate([draft.candidates for draft in drafts], room, known.name)
    runtime = known.writes_for(options.min_runtime_version)
    figures = (
        _figures(draft, decisions, allocation, _shifted(room, left))
        for draft, decisions, left in zip(drafts, allocation.decisions, allocation.remaining, strict=True)
    )
    return tuple(
        Forecast(
            model=draft.model,
            placement=draft.placement,
            decisions=decisions,
            activations=draft.activations,
            figures=replace(found, runtime_version=exact(runtime), latency_ms=_latency(draft, decisions, options)),
            room=room,
            runtime=runtime,
            warnings=draft.warnings(),
        )
        for draft, decisions, found in zip(drafts, allocation.decisions, figures, strict=True)
    )


def predict_segments(model: Model, count: int, options: Options) -> tuple[tuple[tuple[int, ...], Forecast], ...]:
    """Per segment of ``-n count``: its operators in the original, and its forecast."""
    return tuple(
        (operators, predict_segment(model, operators, options))
        for operators in segmentation.by_parameters(model.main, count)
    )


def predict_segment(model: Model, operators: tuple[int, ...], options: Options) -> Forecast:
    """Forecast of these operators as a segment of their own; indices in it count within the segment."""
    return predict([_part(model, operators)], options, segment=True)[0]


def _part(model: Model, operators: tuple[int, ...]) -> Model:
    """The segment as values: same tensors, only these operators, ends where tensors cross the cut."""
    whole = model.main
    inputs, outputs = surgery.boundary(whole, operators)
    inside = tuple(whole.operators[index] for index in operators)
    return replace(model, subgraphs=(replace(whole, inputs=inputs, outputs=outputs, operators=inside),))


def _draft(model: Model, names: Names, stop_at: frozenset[int], options: Options, known: Generation) -> _Draft:
    subgraph = model.main
    placed = placement.place(
        subgraph,
        generation=known,
        min_runtime_version=options.min_runtime_version,
        multiple_subgraphs=options.multiple_subgraphs,
        stop_at=stop_at | placement.consumers(subgraph, names) if names else stop_at,
    )
    for partition in placed.partitions:
        wellformed.check(subgraph, partition)
    found = tuple(
        candidate_of(subgraph, layer)
        for partition in placed.partitions
        for layer in parameters.layers(subgraph, generation=known.name, mapped=frozenset(partition))
    )
    writes = known.writes_for(options.min_runtime_version)
    needs = tuple(activation.analyse(subgraph, partition, writes, known.name) for partition in placed.partitions)
    return _Draft(model, placed, found, needs)


def _room(drafts: Sequence[_Draft], known: Generation, *, segment: bool) -> Figure:
    """Several executables share the room that the largest leaves."""
    members = [
        (draft.subgraph, partition, need)
        for draft in drafts
        for partition, need in zip(draft.placement.partitions, draft.activations, strict=True)
    ]
    if segment and members:
        return capacity.segment_room(known.name, *members[0])
    return capacity.room(known.name, members, models=len(drafts))


def _figures(draft: _Draft, decisions: Sequence[Decision], allocation: Allocation, left: Figure) -> Figures:
    """``left``: the room that remains once this model is served."""
    mapped = draft.placement.mapped
    cached = [d.candidate.layer for d in decisions if d.cached]
    streamed = [d.candidate.layer for d in decisions if not d.cached]
    used, off_chip = sum(d.candidate.room for d in decisions if d.cached), sum(layer.size for layer in streamed)
    sure = all(d.sure and d.candidate.layer.confidence == "exact" for d in decisions)
    make = exact if sure and not allocation.contested else estimated
    return Figures(
        on_chip_available=_shifted(left, (left.value or 0) + used) if mapped else exact(0),
        on_chip_used=make(used),
        off_chip=make(off_chip),
        cached_bytes=make(sum(layer.size for layer in cached)),
        streamed_bytes=make(off_chip),
        edgetpu_operators=exact(mapped),
        cpu_operators=exact(len(draft.subgraph.operators) - mapped),
        subgraphs=exact(len(draft.placement.partitions)),
    )


def _latency(draft: _Draft, decisions: Sequence[Decision], options: Options) -> Figure:
    device = timing.device_of(options)
    found = timing.latencies(draft.subgraph, draft.placement.partitions, decisions, draft.activations, device)
    return timing.figure(found, len(draft.subgraph.operators) - draft.placement.mapped)


def _shifted(room: Figure, value: float) -> Figure:
    """``value``, as sure as the room that it is left of."""
    by = value - (room.value or 0)
    low, high = (None if bound is None else max(0, bound + by) for bound in (room.low, room.high))
    return replace(room, value=value, low=low, high=high)

"""How long a forecast's inferences take: the latency model asked about placement, caching and traffic as predicted.

Operators on the CPU are not counted, so the range of a model that has them has no upper end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgetpu_build.compiler.activation import Activation
from edgetpu_build.compiler.caching import Decision
from edgetpu_build.figure import UNKNOWN, Figure, estimated
from edgetpu_build.latency import work
from edgetpu_build.latency.model import IMAGE, Device, Latency, Traffic, predict
from edgetpu_build.tflite import surgery
from edgetpu_build.tflite.model import Subgraph

if TYPE_CHECKING:
    from edgetpu_build.compiler.forecast import Forecast
    from edgetpu_build.compiler.interface import Options

ONLY_EDGETPU = "operators on the CPU are not counted"


def device_of(options: Options) -> Device:
    """What the options assume; the host is an x86 computer."""
    return Device(link=options.link, clock=options.clock)


def times(forecast: Forecast, device: Device) -> tuple[Latency, ...]:
    """One for each Edge TPU operator; ``index`` of an operator's time is its position in the model."""
    partitions = forecast.placement.partitions
    return latencies(forecast.model.main, partitions, forecast.decisions, forecast.activations, device)


def latencies(
    subgraph: Subgraph,
    partitions: Sequence[Sequence[int]],
    decisions: Sequence[Decision],
    activations: Sequence[Activation],
    device: Device,
) -> tuple[Latency, ...]:
    """As ``times``, from the parts that a forecast is made of."""
    held: dict[int, list[int]] = {}  # operator -> bytes cached, bytes streamed
    for decision in decisions:
        layer = decision.candidate.layer
        held.setdefault(layer.index, [0, 0])[not decision.cached] += layer.size
    nothing = (0, 0)
    return tuple(
        predict(
            [work.of(subgraph, subgraph.operators[index]) for index in partition],
            traffic(subgraph, *surgery.boundary(subgraph, partition), int(need.instructions.value or 0)),
            device,
            places=partition,
            streamed=[held.get(index, nothing)[1] for index in partition],
            cached=sum(held.get(index, nothing)[0] for index in partition),
        )
        for partition, need in zip(partitions, activations, strict=True)
    )


def traffic(subgraph: Subgraph, inputs: Sequence[int], outputs: Sequence[int], instructions: int) -> Traffic:
    """What goes over the link besides parameters; tensors are taken to have 8 bits, as the Edge TPU's have."""
    given = [work.shape(subgraph.tensors[index]) for index in outputs]
    return Traffic(
        inputs=sum(_size(work.shape(subgraph.tensors[index])) for index in inputs),
        outputs=sum(map(_size, given)),
        positions=sum(rows * columns for rows, columns, _ in given if rows * columns > IMAGE),
        instructions=instructions,
    )


def figure(found: Sequence[Latency], cpu_operators: int) -> Figure:
    """Milliseconds of one inference that finds its parameters loaded: of all Edge TPU operators, one after another."""
    if not found:
        return UNKNOWN
    figures = [latency.figure for latency in found]
    value, low, high = (sum(getattr(f, end) for f in figures) for end in ("value", "low", "high"))
    return estimated(round(value, 3), round(low, 3), None if cpu_operators else round(high, 3))


def _size(shape: work.Map) -> int:
    return shape[0] * shape[1] * shape[2]

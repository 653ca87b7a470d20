"""A .tflite file as what a device does with it: a model that would be compiled, or a file that builtin compiled.

Of files for silicon only the sums of parameter bytes are known, and no operators: they are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from edgetpu_build.chip.generations import generation
from edgetpu_build.compiler import activation, balance, segmentation, timing
from edgetpu_build.compiler.artifact import Program
from edgetpu_build.compiler.forecast import Forecast, predict, predict_segment
from edgetpu_build.compiler.inspection import Inspection, inspect
from edgetpu_build.compiler.interface import Options
from edgetpu_build.errors import error
from edgetpu_build.figure import Figure
from edgetpu_build.latency import work
from edgetpu_build.latency.model import Device, Latency
from edgetpu_build.latency.model import predict as predict_latency
from edgetpu_build.tflite.model import Model, Subgraph


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What one device does for an inference. ``latencies``: of its Edge TPU operators, one after another.

    ``cached``: bytes that lie in its memory between inferences. ``cpu``: operators that are not counted.
    """

    name: str
    latencies: tuple[Latency, ...]
    cached: int
    cpu: int = 0

    @property
    def total(self) -> float:
        """Milliseconds of an inference."""
        return sum(latency.total for latency in self.latencies)

    @property
    def load(self) -> float:
        """Milliseconds more of the first one."""
        return sum(latency.load for latency in self.latencies)

    @property
    def figure(self) -> Figure:
        return timing.figure(self.latencies, self.cpu)

    @property
    def notes(self) -> tuple[str, ...]:
        found = [note for latency in self.latencies for note in latency.notes]
        return tuple(dict.fromkeys([*found, *([timing.ONLY_EDGETPU] if self.cpu else [])]))


def of_file(data: bytes, label: str, options: Options, device: Device) -> tuple[Stage, ...]:
    """The stages of a file: one, or a model's segments as ``options`` ask for them. ETB3nn if it is no model; ETB308 if
    nothing of it runs on the Edge TPU.
    """
    found = inspect(data, label=label, options=options)
    if found.target == "edgetpu":
        told = f"`{label}` is compiled for the Edge TPU itself: which operators are in it cannot be read"
        raise error("ETB304", told, "name the model that it was compiled from", file=label)
    stages = (_compiled(found, device),) if found.target else tuple(of_model(found.model, label, options, device))
    if not any(stage.latencies for stage in stages):
        raise error(
            "ETB308", f"nothing of `{label}` runs on the Edge TPU", "`edgetpu-build inspect` says why", file=label
        )
    return stages


def of_model(model: Model, label: str, options: Options, device: Device) -> Iterator[Stage]:
    """As it would be compiled."""
    if options.segments == 1 and not options.cuts:
        (forecast,) = predict([model], options)
        yield of_forecast(forecast, label, device)
        return
    if options.cuts:
        segments = segmentation.by_tensors(model.main, options.cuts)
    elif options.balance == "parameters":
        segments = segmentation.by_parameters(model.main, options.segments)
    else:
        segments = balance.by_latency(model, options.segments, options)
    for number, operators in enumerate(segments):
        forecast = predict_segment(model, operators, options)
        yield of_forecast(forecast, f"{label} segment {number} of {len(segments)}", device)


def of_forecast(forecast: Forecast, label: str, device: Device) -> Stage:
    """A model or segment that would be compiled."""
    return Stage(
        name=label,
        latencies=timing.times(forecast, device),
        cached=int(forecast.figures.cached_bytes.value or 0),
        cpu=int(forecast.figures.cpu_operators.value or 0),
    )


def _with_constants(program: Program) -> Subgraph:
    """The program's graph with its constants told from what is computed: their bytes lie in the package."""
    graph, elsewhere = program.model.main, {relocation.tensor for relocation in program.relocations}
    tensors = (replace(t, data=memoryview(b"")) if i in elsewhere else t for i, t in enumerate(graph.tensors))
    return replace(graph, tensors=tuple(tensors))


def _compiled(found: Inspection, device: Device) -> Stage:
    latencies = []
    for compiled in found.compiled:
        program = compiled.program
        if program is None:
            continue
        graph = _with_constants(program)
        runtime = generation(Options().generation).writes
        everything = range(len(graph.operators))
        need = activation.analyse(graph, everything, runtime)
        streamed = {layer.index: layer.bytes for layer in compiled.layers if layer.placement == "streamed"}
        latencies.append(
            predict_latency(
                [work.of(graph, operator) for operator in graph.operators],
                timing.traffic(graph, graph.inputs, graph.outputs, int(need.instructions.value or 0)),
                device,
                streamed=[streamed.get(index, 0) for index in everything],
                cached=compiled.package.cached_bytes,
            )
        )
    cached = sum(compiled.package.cached_bytes for compiled in found.compiled)
    cpu = len(found.model.main.operators) - len(found.compiled)
    return Stage(name=found.label, latencies=tuple(latencies), cached=cached, cpu=cpu)

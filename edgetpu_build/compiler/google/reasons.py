"""Our own prediction beside what Google's compiler did: where the two agree, our reasons are its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from edgetpu_build.compiler.forecast import predict
from edgetpu_build.compiler.google import command as commands
from edgetpu_build.compiler.google import reading
from edgetpu_build.compiler.google.transcript import Block
from edgetpu_build.compiler.interface import LayerResult, OperatorResult, Options
from edgetpu_build.errors import Diagnostic, EdgeTpuBuildError, warning
from edgetpu_build.figure import UNKNOWN, Figure
from edgetpu_build.latency.constants import FITTED
from edgetpu_build.tflite.model import Model


class Placed(NamedTuple):
    """Operators and layers of a model or segment. ``latency``: predicted, unknown where operators lie differently."""

    operators: list[OperatorResult]
    layers: tuple[LayerResult, ...] = ()
    latency: Figure = UNKNOWN


@dataclass(frozen=True, slots=True)
class Piece:
    """A compiled model or segment: its file, what is in it, and what was told of it."""

    data: bytes
    found: reading.Compiled
    block: Block
    log: str


class Forecasts:
    """Owns what our core predicts of the same models: where it comes to what Google's did, its reasons hold."""

    def __init__(
        self,
        models: Sequence[Model],
        options: Options,
        names: Sequence[tuple[str, ...]],
        version: str,
        *,
        segment: bool = False,
    ) -> None:
        who = commands.known(version)
        asked = replace(options, generation=who.name if who else options.generation, segments=1, cuts=())
        self._options = asked
        try:
            self._found = predict(models, asked, names, segment=segment)
        except EdgeTpuBuildError:
            self._found = ()

    @property
    def hopeless(self) -> int:
        """Bytes that stream however large the chip is."""
        return sum(d.candidate.layer.size for found in self._found for d in found.decisions if d.hopeless)

    def explain(self, position: int, model: Model, piece: Piece) -> Placed:
        forecast = self._found[position] if self._found else None
        predicted = forecast.placement.operators if forecast else ()
        operators = reading.operators(model, piece.found, piece.block, predicted)
        if forecast is None or [op.target for op in operators] != [op.target for op in predicted]:
            return Placed(operators)
        figures = forecast.figures
        real = piece.found.cached_bytes, piece.found.streamed_bytes
        more = real[1] - (figures.streamed_bytes.value or 0)
        latency = _later(figures.latency_ms, more / (FITTED.bandwidth[self._options.link] * 1e3))
        if (figures.cached_bytes.value, figures.streamed_bytes.value) != real:
            return Placed(operators, latency=latency)
        layers = tuple(replace(layer, confidence="estimated") for layer in forecast.layers)
        return Placed(operators, layers, latency)


def _later(latency: Figure, more: float) -> Figure:
    """By so many milliseconds, for the bytes that Google's compiler streams besides those predicted."""
    if latency.value is None:
        return latency
    low, high = (None if bound is None else round(bound + more, 3) for bound in (latency.low, latency.high))
    return replace(latency, value=round(latency.value + more, 3), low=low, high=high)


def nothing_mapped(operators: Sequence[OperatorResult], label: str) -> list[Diagnostic]:
    if not operators or any(operator.target == "edgetpu" for operator in operators):
        return []
    first = operators[0]
    why = f"operator {first.index} ({first.name}): {first.reason}"
    message = f"none of {len(operators)} operators goes to the Edge TPU; {why}"
    return [warning("ETB308", message, first.hint, file=label, rule=first.rule)]

"""What happens when: inferences through one or several devices as spans of time, for a picture or a trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from edgetpu_build.latency.constants import FITTED
from edgetpu_build.latency.model import Latency

Track = Literal["host", "link", "tiles"]
Kind = Literal["host", "load", "send", "stream", "array", "weights", "activations", "receive"]
TRACKS: tuple[Track, ...] = ("host", "link", "tiles")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """``start`` and ``length`` in milliseconds. ``inference``: which one, from 0."""

    device: int
    track: Track
    name: str
    kind: Kind
    start: float
    length: float
    inference: int = 0

    @property
    def end(self) -> float:
        return self.start + self.length


def spans(stages: Sequence[Sequence[Latency]], inferences: int, *, loaded: bool = False) -> Iterator[Span]:
    """Inferences through a device for each stage, in order. ``loaded``: parameters are there already."""
    hop = FITTED.hop if len(stages) > 1 else 0.0
    free = [0.0] * len(stages)
    for inference in range(inferences):
        ready = 0.0
        for device, latencies in enumerate(stages):
            at = max(ready, free[device])
            for latency in latencies:
                first = not inference and not loaded
                for span in _one(latency, device, inference, at, first=first):
                    yield span
                    at = max(at, span.end)
            free[device] = at
            ready = at + hop


def _one(latency: Latency, device: int, inference: int, start: float, *, first: bool) -> Iterator[Span]:
    """The spans of one Edge TPU operator."""

    def span(track: Track, name: str, kind: Kind, start: float, length: float) -> Span:
        return Span(device=device, track=track, name=name, kind=kind, start=start, length=length, inference=inference)

    at = start
    if first and latency.load:
        yield span("link", "cached parameters", "load", at, latency.load)
        at += latency.load
    yield span("host", "request", "host", at, latency.fixed)
    at += latency.fixed
    yield span("link", "input", "send", at, latency.inputs)
    at += latency.inputs
    yield span("link", "instructions", "send", at, latency.instructions)
    at += latency.instructions
    for time in latency.operators:
        name = f"{time.index} {time.kind}"
        if time.stream:
            yield span("link", f"{name}: parameters", "stream", at, time.stream)
        kind: Kind = "array" if time.bound == "stream" else time.bound
        yield span("tiles", name, kind, at, time.compute)
        at += time.total
    yield span("host", "output", "receive", at, latency.outputs)

"""`bench` for a person and for a program: what an inference takes, part by part, and what a pipeline does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from edgetpu_build.compiler.stages import Stage
from edgetpu_build.latency.model import Device, Latency, OperatorTime
from edgetpu_build.latency.pipeline import Pipeline, pipeline
from edgetpu_build.report import text
from edgetpu_build.report.style import PLAIN, Style, pad, printable, width

SHOWN = 12
PARTS = {
    "fixed": "request",
    "inputs": "input",
    "instructions": "instructions",
    "on_device": "operators",
    "outputs": "output",
}
"""Part of an inference -> what it is called, in order."""
WAITS = {"array": "computing", "weights": "weights to the tiles", "activations": "activations", "stream": "streaming"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One thing measured: a model on one device, or segments on a device each."""

    name: str
    device: Device
    stages: tuple[Stage, ...]

    @property
    def flow(self) -> Pipeline:
        return pipeline([stage.total for stage in self.stages])


def human(found: Sequence[Bench], style: Style = PLAIN, *, every: bool = False) -> str:
    """``every``: all operators, not only the slowest."""
    return "\n\n".join("\n".join(_bench(one, style, every=every)) for one in found)


def to_json(found: Sequence[Bench]) -> list[dict[str, Any]]:
    """Times in milliseconds, predicted; ``latency_ms`` with its range."""
    return [
        {
            "name": one.name,
            "assumes": {"link": one.device.link, "clock": one.device.clock, "host": one.device.host},
            "latency_ms": round(one.flow.latency, 3),
            "pace_ms": round(one.flow.pace, 3),
            "per_second": round(1000 / one.flow.pace, 1),
            "slowest": one.flow.slowest,
            "stages": [_stage_json(stage) for stage in one.stages],
        }
        for one in found
    ]


def _stage_json(stage: Stage) -> dict[str, Any]:
    return {
        "name": stage.name,
        "latency_ms": stage.figure.to_json(),
        "first_ms": round(stage.total + stage.load, 3),
        "cached_bytes": stage.cached,
        "cpu_operators": stage.cpu,
        "parts": {part: round(sum(getattr(one, part) for one in stage.latencies), 4) for part in PARTS},
        "operators": [_operator_json(time) for one in stage.latencies for time in one.operators],
        "notes": list(stage.notes),
    }


def _operator_json(time: OperatorTime) -> dict[str, Any]:
    return {
        "index": time.index,
        "name": time.kind,
        "ms": round(time.total, 4),
        "compute_ms": round(time.compute, 4),
        "stream_ms": round(time.stream, 4),
        "streamed_bytes": time.streamed,
        "bound": time.bound,
    }


def _bench(one: Bench, style: Style, *, every: bool) -> Iterator[str]:
    yield style.paint(printable(one.name), "bold") + f": predicted for {one.device}"
    for stage in one.stages:
        if len(one.stages) > 1:
            yield ""
        yield from _stage(stage, style, every=every)
    if len(one.stages) > 1:
        yield ""
        yield from _flow(one, style)


def _stage(stage: Stage, style: Style, *, every: bool) -> Iterator[str]:
    figure = stage.figure
    low, high = figure.low or 0, f"{figure.high:.2f}" if figure.high is not None else "?"
    rate = f", {1000 / stage.total:.0f} a second" if stage.total else ""
    yield f"{style.paint(printable(stage.name), 'bold')}  ~{stage.total:.2f} ms ({low:.2f} to {high}){rate}"
    parts = ", ".join(
        f"{word} {sum(getattr(one, part) for one in stage.latencies):.2f}" for part, word in PARTS.items()
    )
    yield f"  of which {parts} ms"
    if stage.load:
        told = f"{text.size(stage.cached)} of parameters are loaded then and stay"
        yield f"  first inference ~{stage.total + stage.load:.2f} ms: {told}"
    yield from (f"  note: {note}" for note in stage.notes)
    yield from _operators(stage.latencies, style, every=every)


def _operators(latencies: Sequence[Latency], style: Style, *, every: bool) -> Iterator[str]:
    times = [time for latency in latencies for time in latency.operators]
    whole = sum(time.total for time in times) or 1.0
    shown = times if every else sorted(times, key=lambda time: -time.total)[:SHOWN]
    rows = [("", "operator", "ms", "share", "streams", "waits for")]
    for time in shown:
        streams = text.size(time.streamed) if time.streamed else ""
        share = f"{time.total / whole:.0%}"
        rows.append((str(time.index), time.kind, f"{time.total:.3f}", share, streams, WAITS[time.bound]))
    yield from _columns(rows, style, (True, False, True, True, True, False))
    left = len(times) - len(shown)
    if left:
        rest = whole - sum(time.total for time in shown)
        yield style.paint(f"  and {text.plural(left, 'faster operator')}, {rest:.3f} ms together; -v shows all", "dim")


def _flow(one: Bench, style: Style) -> Iterator[str]:
    flow = one.flow
    slow = one.stages[flow.slowest]
    yield style.paint(f"pipeline of {len(one.stages)} devices", "bold") + (
        f"  ~{1000 / flow.pace:.0f} a second, an input takes ~{flow.latency:.2f} ms"
    )
    yield f"  every {flow.pace:.2f} ms a result: {printable(slow.name)} is the slowest"


def _columns(rows: Sequence[Sequence[str]], style: Style, right: Sequence[bool]) -> Iterator[str]:
    widths = [max(width(row[i]) for row in rows) for i in range(len(right))]
    for number, row in enumerate(rows):
        line = "  " + "  ".join(pad(cell, widths[i], right=right[i]) for i, cell in enumerate(row)).rstrip()
        yield style.paint(line, "dim") if number == 0 else line

"""`partition` for a person: the segments found, what each takes, and what Google's own cut would take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgetpu_build.compiler.partition import Division
from edgetpu_build.engine.partitioning import Partitioned
from edgetpu_build.report import text


def human(done: Partitioned, how: str) -> str:
    return "\n".join(_lines(done, how))


def to_json(done: Partitioned) -> dict[str, Any]:
    """Nanoseconds, as the options have them."""
    first = done.found.first
    return {
        "segment_ns": list(done.found.best.times),
        "slowest_ns": done.found.best.slowest,
        "spread_ns": done.found.best.spread,
        "num_segments_ns": list(first.times) if first else None,
        "targets": done.found.targets,
        "measured": done.measured,
        "kept": done.kept,
    }


def _lines(done: Partitioned, how: str) -> Iterator[str]:
    best, first = done.found.best, done.found.first
    yield f"latencies, {how}"
    for number, (operators, time) in enumerate(zip(done.segments, best.times, strict=True)):
        yield f"  segment {number}  {text.plural(len(operators), 'operator'):>14}  {time / 1e6:9.3f} ms"
    slowest, fastest = (f"{time / 1e6:.3f} ms" for time in (best.slowest, best.slowest - best.spread))
    yield f"slowest {slowest}, fastest {fastest}{_instead(best, first)}"
    earlier = f", {done.kept} of an earlier run" if done.kept else ""
    yield f"{done.found.targets} targets tried, {text.plural(done.measured, 'segment')} measured{earlier}"


def _instead(best: Division, first: Division | None) -> str:
    if first is None:
        return "; `--num_segments` alone cannot cut it"
    if first.places == best.places:
        return "; `--num_segments` alone cuts it there, too"
    return f"; `--num_segments` alone: slowest {first.slowest / 1e6:.3f} ms"

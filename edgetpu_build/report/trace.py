"""A timeline as a trace that Perfetto (ui.perfetto.dev) and chrome://tracing open: the JSON trace event format.

https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU. Times are microseconds there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from edgetpu_build.latency.timeline import TRACKS, Span


def document(spans: Iterable[Span], devices: Sequence[str]) -> dict[str, Any]:
    """One process a device, one thread a track, one complete event a span."""
    events: list[dict[str, Any]] = []
    for device, name in enumerate(devices):
        events.append({"ph": "M", "name": "process_name", "pid": device, "args": {"name": name}})
        for thread, track in enumerate(TRACKS):
            told = {"name": track}
            events.append({"ph": "M", "name": "thread_name", "pid": device, "tid": thread, "args": told})
            order = {"sort_index": thread}
            events.append({"ph": "M", "name": "thread_sort_index", "pid": device, "tid": thread, "args": order})
    events += [
        {
            "ph": "X",
            "name": span.name,
            "cat": span.kind,
            "pid": span.device,
            "tid": TRACKS.index(span.track),
            "ts": round(span.start * 1000, 3),
            "dur": round(span.length * 1000, 3),
            "args": {"inference": span.inference},
        }
        for span in spans
    ]
    return {"displayTimeUnit": "ms", "traceEvents": events}

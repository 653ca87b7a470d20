"""Segments as a timeline: where latency is known, several inputs on their way through the pipeline; else bytes."""

from __future__ import annotations

from collections.abc import Sequence

from edgetpu_build.report import text
from edgetpu_build.report.html import marks
from edgetpu_build.report.html.markup import Markup, join, percent, tag
from edgetpu_build.report.html.values import Drawn, Segment

_INPUTS = 4
_ROW = 30


def draw(model: Drawn) -> Markup:
    """The picture; nothing for a model that is not cut."""
    if len(model.segments) < 2:
        return Markup()
    times = [s.figures.latency_ms.value for s in model.segments]
    known = [time for time in times if time]
    return _times(model.segments, known) if len(known) == len(times) else _bytes(model.segments)


def _times(segments: Sequence[Segment], times: Sequence[float]) -> Markup:
    """Input after input; each waits for its segment to be free."""
    free = [0.0] * len(times)
    spans: list[list[tuple[float, float]]] = [[] for _ in times]
    for _ in range(_INPUTS):
        ready = 0.0
        for stage, time in enumerate(times):
            start = max(ready, free[stage])
            ready = free[stage] = start + time
            spans[stage].append((start, ready))
    end = max(free)
    slowest = max(range(len(times)), key=times.__getitem__)
    rows = []
    for stage, segment in enumerate(segments):
        shown = text.figure(segment.figures.latency_ms, text.milliseconds)
        boxes = [
            _box(
                start / end, (stop - start) / end, f"slow i{i}" if stage == slowest else f"stage i{i}", f"input {i + 1}"
            )
            for i, (start, stop) in enumerate(spans[stage])
        ]
        note = ", the slowest" if stage == slowest else ""
        rows.append(_row(segment, boxes, f"{shown} an input{note}"))
    sure = "" if all(s.figures.latency_ms.confidence == "exact" for s in segments) else "~"
    pace, one = (sure + text.milliseconds(value) for value in (times[slowest], sum(times)))
    told = f"One input takes {one} from end to end; in a stream, a result comes every {pace}, as long as "
    told += f"segment {segments[slowest].index} takes. What the host needs between segments is not in it."
    return join([tag("p", told), tag("div", *rows, class_="bars")])


def _bytes(segments: Sequence[Segment]) -> Markup:
    parts = [(s.figures.cached_bytes.value or 0, s.figures.streamed_bytes.value or 0) for s in segments]
    whole = sum(map(sum, parts)) or 1
    rows, at = [], 0.0
    for segment, (cached, streamed) in zip(segments, parts, strict=True):
        boxes = [
            _box(at / whole, cached / whole, "stage i0", text.size(cached)),
            _box((at + cached) / whole, streamed / whole, "streamed", text.size(streamed)),
        ]
        at += cached + streamed
        rows.append(_row(segment, boxes, f"{text.size(cached)} cached, {text.size(streamed)} streamed"))
    told = "How long a segment takes is not known: the lengths are bytes of parameters, one segment behind the other."
    return join([tag("p", told), tag("div", *rows, class_="bars")])


def _row(segment: Segment, boxes: Sequence[Markup], told: str) -> Markup:
    name = f"segment {segment.index}"
    picture = tag("svg", *boxes, role="img", aria_label=f"{name}: {told}", width="100%", height=f"{_ROW}")
    return join([tag("span", name, class_="axis", aria_hidden="true"), picture])


def _box(x: float, share: float, kind: str, label: str) -> Markup:
    if share <= 0:
        return Markup()
    rect = tag("rect", x=percent(x), width=percent(share), height=f"{_ROW - 4}", rx="3", class_=kind)
    fits = marks.fitting(share, label)
    return join([rect, tag("text", label, x=percent(x), dx="7", y="17", class_=fits) if fits else None])

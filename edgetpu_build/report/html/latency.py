"""`bench` as a page: what an inference is made of, what happens when, and which operators take the time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from edgetpu_build.compiler.stages import Stage
from edgetpu_build.figure import Figure
from edgetpu_build.latency.model import OperatorTime
from edgetpu_build.latency.timeline import TRACKS, Span, spans
from edgetpu_build.report import bench, json_form, text
from edgetpu_build.report.bench import PARTS, WAITS, Bench
from edgetpu_build.report.html import marks, tables
from edgetpu_build.report.html.markup import Markup, join, number, percent, prose, tag
from edgetpu_build.report.html.page import frame

_ROW = 27
_LEAST = 0.01  # of the width, below which operators are one span
_KINDS = {
    "host": "request and hand-over",
    "load": "cached parameters, once",
    "send": "input and instructions",
    "stream": "streamed parameters",
    "array": "computing: array",
    "weights": "computing: weights to the tiles",
    "activations": "computing: activations",
    "receive": "output",
}
_PART_KINDS = {"fixed": "host", "inputs": "send", "instructions": "send", "on_device": "array", "outputs": "receive"}


def render(found: Sequence[Bench], inferences: int) -> str:
    """The whole file; ``inferences``: how many the timeline shows."""
    title = found[0].name if len(found) == 1 else text.plural(len(found), "prediction")
    data = {"schema": json_form.SCHEMA, "title": title, "units": [], "latency": bench.to_json(found)}
    main = join(_section(one, f"u{i}", inferences, titled=len(found) > 1) for i, one in enumerate(found))
    names = [one.name for one in found]
    return frame(title, f"latency predicted for {found[0].device}", names if len(names) > 1 else [], main, data)


def _section(one: Bench, key: str, inferences: int, *, titled: bool) -> Markup:
    happens = list(spans([stage.latencies for stage in one.stages], inferences))
    notes = dict.fromkeys(note for stage in one.stages for note in stage.notes)
    parts = [
        tag("h2", one.name if titled else "At a glance", id=key),
        _tiles(one),
        tag("ul", *(tag("li", prose(note)) for note in notes), class_="told") if notes else None,
        tag("h3", "What an inference is made of"),
        _parts(one.stages),
        tag("h3", "What happens when"),
        _legend({span.kind for span in happens}),
        *_timeline(happens, [stage.name for stage in one.stages], inferences),
        tag("h3", "Which operators take the time"),
        *(_operators(stage) for stage in one.stages),
    ]
    return tag("section", *parts, class_="card", aria_labelledby=key)


def _tiles(one: Bench) -> Markup:
    first = sum(stage.total + stage.load for stage in one.stages)
    facts = [
        ("one inference", _of(one.stages[0].figure) if len(one.stages) == 1 else f"~{one.flow.latency:.2f} ms"),
        ("in a stream", f"~{1000 / one.flow.pace:.0f} /s"),
        ("the first one", f"~{text.milliseconds(first)}"),
        ("loaded once", text.size(sum(stage.cached for stage in one.stages))),
        ("devices", str(len(one.stages))),
    ]
    drawn = [tag("div", tag("dt", title), tag("dd", value)) for title, value in facts]
    rows = [(stage.name, _of(stage.figure), _range(stage.figure), stage.figure.confidence) for stage in one.stages]
    titles = ("", "latency", "nine of ten lie within", "confidence")
    return join([tag("dl", *drawn, class_="tiles"), tables.table(f"{one.name}: latency", titles, rows, right=(1, 2))])


def _parts(stages: Sequence[Stage]) -> Markup:
    longest = max(stage.total for stage in stages) or 1.0
    drawn: list[Markup] = []
    for device, stage in enumerate(stages):
        told, boxes, at = [], [], 0.0
        for part, words in PARTS.items():
            amount = sum(getattr(latency, part) for latency in stage.latencies)
            label = f"{words} {amount:.2f} ms"
            boxes.append(_box(at / longest, amount / longest, f"k-{_PART_KINDS[part]}", label))
            told.append(label)
            at += amount
        drawn += _row(f"device {device}" if len(stages) > 1 else "inference", boxes, ", ".join(told), _ROW)
    return tag("div", *drawn, class_="bars")


def _timeline(happens: Sequence[Span], devices: Sequence[str], inferences: int) -> Iterator[Markup]:
    """A picture a device, a row each for host, link and tiles."""
    end = max((span.end for span in happens), default=1.0) or 1.0
    yield tag("p", f"{text.plural(inferences, 'inference')} from nothing loaded, {text.milliseconds(end)} in all.")
    axis = [tag("text", track, x="100%", y=str(i * _ROW + 17), text_anchor="end") for i, track in enumerate(TRACKS)]
    height = str(len(TRACKS) * _ROW)
    for device, name in enumerate(devices):
        mine = list(_joined((span for span in happens if span.device == device), end * _LEAST))
        told = ", ".join(f"{track} {_busy(mine, track):.2f} ms busy" for track in TRACKS)
        boxes = (_span(span, end) for span in mine)
        yield tag("h4", f"device {device}: {name}") if len(devices) > 1 else Markup()
        yield tag(
            "div",
            tag("svg", *axis, class_="axis", width="100%", height=height, aria_hidden="true"),
            tag("svg", *boxes, role="img", aria_label=f"Timeline of {name}: {told}", width="100%", height=height),
            class_="bars rows",
        )


def _joined(found: Iterable[Span], least: float) -> Iterator[Span]:
    """Operators one after another are one span where they are too short to be seen."""
    last: Span | None = None
    for span in sorted(found, key=lambda span: (span.track, span.inference, span.start)):
        near = last and (last.track, last.inference) == (span.track, span.inference) == ("tiles", span.inference)
        if last and near and min(last.length, span.length) < least:
            last = replace(last, name="operators", length=span.end - last.start)
            continue
        if last:
            yield last
        last = span
    if last:
        yield last


def _span(span: Span, end: float) -> Markup:
    told = f"{span.name}: {number(span.length)} ms, inference {span.inference + 1}"
    kind = f"k-{span.kind} i{span.inference % 2}"
    return _box(span.start / end, span.length / end, kind, span.name, row=TRACKS.index(span.track), told=told)


def _operators(stage: Stage) -> Markup:
    times = [time for latency in stage.latencies for time in latency.operators]
    whole = sum(time.total for time in times) or 1.0
    boxes, at = [], 0.0
    for time in times:
        share = time.total / whole
        told = f"{time.index} {time.kind}: {number(time.total)} ms, waits for {WAITS[time.bound]}"
        boxes.append(_box(at, share, f"k-{time.bound}", _named(time), told=told))
        at += share
    slowest = max(times, key=lambda time: time.total)
    label = f"{stage.name}: {text.plural(len(times), 'operator')}, {whole:.2f} ms; the longest is {_named(slowest)}"
    rows, so_far = [], 0.0
    for time in sorted(times, key=lambda time: -time.total):
        so_far += time.total
        streams = text.size(time.streamed) if time.streamed else ""
        rows.append((_named(time), f"{time.total:.3f} ms", f"{so_far / whole:.0%}", streams, WAITS[time.bound]))
    titles = ("operator", "time", "running total", "streams", "waits for")
    table = tables.table(f"{stage.name}: operators", titles, rows, right=(1, 2, 3))
    picture = tag("div", *_row("operators", boxes, label, _ROW), class_="bars")
    return join(
        [tag("p", label + "."), picture, tables.folded(f"Table of {text.plural(len(times), 'operator')}", table)]
    )


def _named(time: OperatorTime) -> str:
    return f"{time.index} {time.kind}"


def _row(name: str, boxes: Sequence[Markup], told: str, height: int) -> tuple[Markup, Markup]:
    picture = tag("svg", *boxes, role="img", aria_label=f"{name}: {told}", width="100%", height=str(height))
    return tag("span", name, class_="axis", aria_hidden="true"), picture


def _box(x: float, share: float, kind: str, label: str, *, row: int = 0, told: str = "") -> Markup:
    if share <= 0:
        return Markup()
    top = row * _ROW
    place = {"x": percent(x), "y": str(top), "width": percent(share), "height": str(_ROW - 3)}
    rect = tag("rect", tag("title", told or label), class_=kind, **place)
    return join([rect, marks.label(share, label, label.partition(" ")[0], x=percent(x), dx="5", y=str(top + 16))])


def _busy(found: Sequence[Span], track: str) -> float:
    return sum(span.length for span in found if span.track == track)


def _legend(kinds: set[str]) -> Markup:
    items = [
        tag(
            "li",
            tag(
                "svg",
                tag("rect", width="100%", height="100%", class_=f"k-{kind}"),
                width="16",
                height="12",
                aria_hidden="true",
            ),
            words,
        )
        for kind, words in _KINDS.items()
        if kind in kinds
    ]
    return tag("ul", *items, class_="legend")


def _of(figure: Figure) -> str:
    return text.figure(figure, text.milliseconds)


def _range(figure: Figure) -> str:
    if figure.low is None and figure.high is None:
        return ""
    low, high = ("?" if bound is None else text.milliseconds(bound) for bound in (figure.low, figure.high))
    return f"{low} to {high}"

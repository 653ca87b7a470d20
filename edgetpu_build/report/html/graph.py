"""The graph, operator by operator: a line of beads with arcs where a result is used later than by its neighbour.

Round and filled: on the Edge TPU. Square: on the CPU. Diamond: the first of those, which keeps others there, explained
below the picture. In large graphs, runs of operators that share a fate are one bead with a number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from edgetpu_build.compiler.interface import OperatorResult
from edgetpu_build.report import text
from edgetpu_build.report.html.markup import Markup, join, number, prose, tag
from edgetpu_build.report.html.values import Drawn
from edgetpu_build.report.style import printable, shorten

_WHOLE = 90  # operators up to which each has its bead
_RUNS = 24  # beads that stand for all that are mapped, in larger graphs
_PITCH = 20
_PITCHES = 40  # between few
_ROOM = 1060  # pixels that few operators spread over
_WIDE = 34
_GAP = 18  # between segments
_LETTER = 5.2  # pixels that a letter of a turned label reaches down
_LONGEST = 18  # letters of a name that are shown


class _Bead(NamedTuple):
    """Operators ``start`` to ``stop`` (without). ``x``: its middle."""

    start: int
    stop: int
    kind: str
    segment: int
    x: float = 0.0

    @property
    def many(self) -> bool:
        return self.stop - self.start > 1


def blocker(model: Drawn) -> OperatorResult | None:
    """The first operator that stays on the CPU for a reason of its own."""
    return next((o for o in model.operators if o.target == "cpu" and o.follows < 0), None)


def draw(model: Drawn, key: str) -> Markup:
    """The picture and the explanation; nothing for a model whose operators are not known."""
    if not model.operators:
        return Markup()
    beads = _placed(_beads(model))
    below = 30 + _LETTER * max(len(_name(bead, model)) for bead in beads)
    width = beads[-1].x + below
    arcs = list(_arcs(beads, model))
    top = max((height for _, height in arcs), default=0.0) + 26
    largest = max((layer.bytes for layer in model.layers), default=0)
    sizes: Counter[int] = Counter()
    for layer in model.layers:
        sizes[layer.index] += layer.bytes
    told = _told(model)
    drawn = [
        *_boundaries(beads, top + below),
        *(_arc(path, top) for path, _ in arcs),
        *(_bead(bead, top, sizes, largest, key) for bead in beads),
        *(_label(bead, model, top) for bead in beads),
    ]
    picture = tag(
        "svg",
        *drawn,
        role="img",
        aria_label=f"Graph: {told}",
        width=number(width),
        height=number(top + below),
        viewBox=f"0 0 {number(width)} {number(top + below)}",
        class_="graph",
    )
    region = tag("div", picture, class_="scroll", tabindex="0", role="region", aria_label=f"Graph of {model.name}")
    return join([tag("p", told[0].upper() + told[1:] + "."), _explained(model), region])


def legend(model: Drawn) -> Markup:
    marks = [("edgetpu", "on the Edge TPU")]
    if any(o.target == "cpu" for o in model.operators):
        marks += [("cpu", "on the CPU"), ("blocker", "the first of them")]
    items = [
        tag("li", tag("svg", _shape(kind, 8, 8, 6), width="16", height="16", aria_hidden="true"), label)
        for kind, label in marks
    ]
    return tag("ul", *items, tag("li", "the larger, the more parameters"), class_="legend")


def _told(model: Drawn) -> str:
    mapped = sum(o.target == "edgetpu" for o in model.operators)
    total = len(model.operators)
    if mapped == total:
        return (
            f"all {text.plural(total, 'operator')} on the Edge TPU"
            if total > 1
            else "its one operator is on the Edge TPU"
        )
    return f"{mapped} of {text.plural(total, 'operator')} on the Edge TPU, {total - mapped} on the CPU"


def _explained(model: Drawn) -> Markup | None:
    first = blocker(model)
    if first is None or not first.reason:
        return None
    followers = sum(o.follows == first.index for o in model.operators)
    title = f"First on the CPU: operator {first.index}, {first.name}"
    rule = [" (rule ", tag("code", first.rule), ")"] if first.rule else []
    parts = [
        tag("strong", title),
        *rule,
        tag("p", prose(first.reason)),
        tag("p", f"{text.plural(followers, 'operator')} could be mapped, but for coming after it.")
        if followers
        else None,
        tag("p", "What to do: ", prose(first.hint)) if first.hint else None,
    ]
    return tag("div", *parts, class_="callout", role="note")


def _kind(operator: OperatorResult, first: OperatorResult | None) -> str:
    if operator.target == "edgetpu":
        return "edgetpu"
    return "blocker" if operator is first else "cpu"


def _beads(model: Drawn) -> Iterator[_Bead]:
    """One an operator; in large graphs one a run of operators that share a fate."""
    segment_of = {operator: s.index for s in model.segments for operator in s.operators}
    first = blocker(model)
    fates = [(_kind(o, first), segment_of.get(i, 0)) for i, o in enumerate(model.operators)]
    mapped = sum(kind == "edgetpu" for kind, _ in fates)
    longest = (
        {"edgetpu": -(-mapped // _RUNS), "cpu": -(-(len(fates) - mapped) // _WHOLE)} if len(fates) > _WHOLE else {}
    )
    at = 0
    while at < len(fates):
        stop = at + 1
        while stop < len(fates) and fates[stop] == fates[at] and stop - at < longest.get(fates[at][0], 1):
            stop += 1
        yield _Bead(at, stop, *fates[at])
        at = stop


def _placed(beads: Iterator[_Bead]) -> list[_Bead]:
    placed: list[_Bead] = []
    x, found = 14.0, list(beads)
    pitch = min(_PITCHES, max(_PITCH, _ROOM / len(found)))
    for bead in found:
        if placed and placed[-1].segment != bead.segment:
            x += _GAP
        wide = _WIDE if bead.many else pitch
        placed.append(bead._replace(x=x + wide / 2))
        x += wide
    return placed


def _arcs(beads: Sequence[_Bead], model: Drawn) -> Iterator[tuple[str, float]]:
    """Path and height of every edge between beads, neighbours as a straight line."""
    bead_of = {i: n for n, bead in enumerate(beads) for i in range(bead.start, bead.stop)}
    edges = model.edges or tuple((i, i + 1) for i in range(len(model.operators) - 1))
    for one, other in sorted({(bead_of[a], bead_of[b]) for a, b in edges}):
        start, end = beads[one].x, beads[other].x
        if other == one + 1:
            yield f"M{number(start)} 0H{number(end)}", 0.0
        elif other != one:
            height = min(96.0, 9.0 + 5.5 * abs(end - start) ** 0.5)
            rise = number(-height * 1.33)
            yield f"M{number(start)} 0C{number(start)} {rise} {number(end)} {rise} {number(end)} 0", height


def _arc(path: str, top: float) -> Markup:
    return tag("path", d=path, class_="edge", transform=f"translate(0 {number(top)})")


def _boundaries(beads: Sequence[_Bead], bottom: float) -> Iterator[Markup]:
    for left, right in pairwise(beads):
        if left.segment != right.segment:
            x = number((left.x + right.x) / 2)
            yield tag("line", x1=x, x2=x, y1="0", y2=number(bottom), class_="cut")
            yield tag("text", f"segment {right.segment}", x=x, dx="6", y="12", class_="w1")


def _bead(bead: _Bead, top: float, sizes: Counter[int], largest: int, key: str) -> Markup:
    if bead.many:
        half = _WIDE / 2 - 3
        rect = tag(
            "rect",
            x=number(bead.x - half),
            y=number(top - 9),
            width=number(2 * half),
            height="18",
            rx="9" if bead.kind == "edgetpu" else "2",
            class_=bead.kind,
        )
        return join(
            [
                rect,
                tag(
                    "text",
                    f"{bead.stop - bead.start}x",
                    x=number(bead.x),
                    y=number(top + 4),
                    text_anchor="middle",
                    class_="count",
                ),
            ]
        )
    share = sizes[bead.start] / largest if largest else 0
    return _shape(bead.kind, bead.x, top, 4 + 5 * share**0.5, f"{key}.{bead.start}")


def _shape(kind: str, x: float, y: float, radius: float, key: str | None = None) -> Markup:
    if kind == "edgetpu":
        return tag("circle", cx=number(x), cy=number(y), r=number(radius), class_=kind, data_k=key)
    turned = f"rotate(45 {number(x)} {number(y)})" if kind == "blocker" else None
    half = max(radius, 6.0) if kind == "blocker" else radius
    return tag(
        "rect",
        x=number(x - half),
        y=number(y - half),
        width=number(2 * half),
        height=number(2 * half),
        transform=turned,
        class_=kind,
        data_k=key,
    )


def _name(bead: _Bead, model: Drawn) -> str:
    if bead.many:
        return f"{bead.start} to {bead.stop - 1}"
    return f"{bead.start} {shorten(printable(model.operators[bead.start].name), _LONGEST)}"


def _label(bead: _Bead, model: Drawn, top: float) -> Markup:
    x, y = number(bead.x + 3), number(top + 18)
    return tag("text", _name(bead, model), x=x, y=y, transform=f"rotate(50 {x} {y})", class_=f"name {bead.kind}")

"""The tables behind the pictures: everything that a picture shows, for a reader, a screen reader and a search."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from edgetpu_build import figure
from edgetpu_build.compiler.interface import OperatorResult
from edgetpu_build.figure import Figure, Figures
from edgetpu_build.report import text
from edgetpu_build.report.html.marks import layer_size
from edgetpu_build.report.html.markup import Child, Markup, join, prose, tag
from edgetpu_build.report.html.values import Drawn

_ROWS = 1000
Render = Callable[[float], str]
FIGURES: tuple[tuple[str, str, Render], ...] = (
    ("on_chip_used", "on the chip", text.size),
    ("on_chip_available", "room on the chip", text.size),
    ("off_chip", "off the chip", text.size),
    ("cached_bytes", "parameters cached", text.size),
    ("streamed_bytes", "parameters streamed", text.size),
    ("edgetpu_operators", "operators on the Edge TPU", text.count),
    ("cpu_operators", "operators on the CPU", text.count),
    ("subgraphs", "Edge TPU subgraphs", text.count),
    ("latency_ms", "latency", text.milliseconds),
    ("runtime_version", "needs runtime", text.count),
)


def table(caption: str, titles: Sequence[str], rows: Iterable[Sequence[Child]], right: Collection[int] = ()) -> Markup:
    """``right``: the columns of numbers. The first cell of a row is its heading. Of very many rows the first."""
    shown = list(rows)
    if len(shown) > _ROWS:
        shown = [*shown[:_ROWS], (f"and {len(shown) - _ROWS} more", *[""] * (len(titles) - 1))]
    head = tag(
        "tr",
        *(
            tag("th", title, scope="col", class_="number" if i in right else None) if title else tag("td")
            for i, title in enumerate(titles)
        ),
    )
    body = (tag("tr", *(_cell(i, cell, number=i in right) for i, cell in enumerate(row))) for row in shown)
    found = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body))
    return tag("div", found, class_="scroll", tabindex="0", role="region", aria_label=caption)


def folded(title: str, content: Markup) -> Markup:
    return tag("details", tag("summary", title), content)


def figures(name: str, found: Figures) -> Markup:
    """Every figure with its confidence, and the range of an estimate where one is known."""
    rows = [
        (title, text.figure(value, render), value.confidence, _range(value, render))
        for title, value, render in _pairs(found)
    ]
    return folded(
        "All figures", table(f"{name}: figures", ("figure", "value", "confidence", "range"), rows, right=(1, 3))
    )


def layers(model: Drawn) -> Markup:
    """The largest first, with the running total."""
    if not model.layers:
        return Markup()
    total = sum(layer.bytes for layer in model.layers) or 1
    rows, so_far = [], 0
    for layer in sorted(model.layers, key=lambda layer: -layer.bytes):
        so_far += layer.bytes
        rows.append(
            (
                f"{layer.index} {layer.name}",
                layer_size(layer),
                f"{so_far / total:.0%}",
                layer.placement,
                layer.confidence,
                layer.reason,
            )
        )
    titles = ("layer", "parameters", "running total", "memory", "confidence", "why")
    return folded(
        f"Table of {text.plural(len(rows), 'layer')}", table(f"{model.name}: layers", titles, rows, right=(1, 2))
    )


def operators(model: Drawn) -> Markup:
    """In the order of the graph; in very large ones those on the CPU first."""
    if not model.operators:
        return Markup()
    titles = ("operator", "runs on", *(["segment"] if model.segments else []), "first result", "why")
    rows = list(_operators(model))
    if len(rows) > _ROWS:
        rows.sort(key=lambda row: row[1] != "CPU")
    found = table(f"{model.name}: operators", titles, rows)
    return folded(f"Table of {text.plural(len(model.operators), 'operator')}", found)


def segments(model: Drawn) -> Markup:
    if len(model.segments) < 2:
        return Markup()
    rows = [
        (
            f"segment {s.index}",
            str(len(s.operators)),
            *(text.figure(getattr(s.figures, key), render) for key, render in _SEGMENT),
        )
        for s in model.segments
    ]
    titles = ("segment", "operators", "on the chip", "off the chip", "latency")
    return folded("Table of segments", table(f"{model.name}: segments", titles, rows, right=(1, 2, 3, 4)))


_SEGMENT = (("on_chip_used", text.size), ("off_chip", text.size), ("latency_ms", text.milliseconds))


def whole(model: Drawn) -> Figures:
    """A segmented model's figures are its segments' sum where the compiler gave none for the whole."""
    if model.segments and model.figures.off_chip.value is None:
        return figure.sum_up([s.figures for s in model.segments])
    return model.figures


def _operators(model: Drawn) -> Iterator[Sequence[Child]]:
    segment_of = {operator: s.index for s in model.segments for operator in s.operators}
    for position, operator in enumerate(model.operators):
        tensor = model.tensors[position] if position < len(model.tensors) else ""
        segment = [str(segment_of.get(position, ""))] if model.segments else []
        where = "Edge TPU" if operator.target == "edgetpu" else "CPU"
        yield f"{operator.index} {operator.name}", where, *segment, tensor, _why(operator)


def _why(operator: OperatorResult) -> Markup:
    rule = join([tag("code", operator.rule), " "]) if operator.rule else None
    hint = prose(f" (what to do: {operator.hint})") if operator.hint else None
    return join([rule, prose(operator.reason), hint])


def _pairs(found: Figures) -> Iterator[tuple[str, Figure, Render]]:
    return ((title, getattr(found, key), render) for key, title, render in FIGURES)


def _range(value: Figure, render: Render) -> str:
    if value.low is None and value.high is None:
        return ""
    low, high = ("?" if bound is None else render(bound) for bound in (value.low, value.high))
    return f"{low} to {high}"


def _cell(column: int, content: Child, *, number: bool) -> Markup:
    if column == 0:
        return tag("th", content, scope="row")
    return tag("td", content, class_="number" if number else None)

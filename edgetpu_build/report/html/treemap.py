"""Where the bytes go: a rectangle a layer, its area the bytes of its parameters, with the running total."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from edgetpu_build.compiler.interface import LayerResult
from edgetpu_build.report import text
from edgetpu_build.report.html import marks
from edgetpu_build.report.html.markup import Markup, join, percent, tag
from edgetpu_build.report.html.values import Drawn

_MOST = 120  # rectangles; the rest is one
_HEIGHT = 300  # pixels
_LINE = 15
_ASPECT = 2.4  # width to height that the rectangles are laid out for


class Box(NamedTuple):
    """Shares of the picture."""

    x: float
    y: float
    width: float
    height: float


def draw(model: Drawn, key: str) -> Markup:
    """The picture; nothing for a model without parameters."""
    layers = sorted((layer for layer in model.layers if layer.bytes), key=lambda layer: -layer.bytes)
    total = sum(layer.bytes for layer in layers)
    if not total:
        return Markup()
    shown, rest = layers[:_MOST], layers[_MOST:]
    sizes = [layer.bytes for layer in shown] + ([sum(layer.bytes for layer in rest)] if rest else [])
    boxes = squarified(sizes, _ASPECT)
    sums = list(accumulate(sizes))
    drawn = [
        _cell(box, layer, so_far, total, f"{key}.{layer.index}")
        for box, layer, so_far in zip(boxes, shown, sums, strict=False)
    ]
    if rest:
        drawn.append(_rest(boxes[-1], len(rest), sizes[-1]))
    half = next(i for i, so_far in enumerate(sums, start=1) if 2 * so_far >= total)
    largest = f"{half} largest" if half > 1 else "largest"
    told = f"{text.size(total)} of parameters in {text.plural(len(layers), 'layer')}; half of them in the {largest}"
    picture = tag(
        "svg", *drawn, class_="treemap", role="img", aria_label=f"Treemap: {told}", width="100%", height=str(_HEIGHT)
    )
    return join([tag("p", told + "."), picture])


def squarified(sizes: Sequence[float], aspect: float) -> list[Box]:
    """Boxes for sizes in falling order, each as near to a square as rows allow (Bruls, Huizing and van Wijk, 2000)."""
    boxes: list[Box] = []
    x, y, width, height = 0.0, 0.0, aspect, 1.0
    scale = aspect / sum(sizes)
    areas = [size * scale for size in sizes]
    at = 0
    while at < len(areas):
        side = min(width, height)
        count = _row(areas[at:], side)
        row = areas[at : at + count]
        thick = sum(row) / side
        offset = 0.0
        for area in row:
            length = area / thick
            placed = (x + offset, y, length, thick) if width < height else (x, y + offset, thick, length)
            boxes.append(Box(placed[0] / aspect, placed[1], placed[2] / aspect, placed[3]))
            offset += length
        if width < height:
            y, height = y + thick, height - thick
        else:
            x, width = x + thick, width - thick
        at += count
    return boxes


def _row(areas: Sequence[float], side: float) -> int:
    """How many of the next areas make a row whose worst rectangle is best."""
    total, best = 0.0, float("inf")
    for count, area in enumerate(areas, start=1):
        total += area
        thick = total / side
        worst = max(max(thick * thick / one, one / (thick * thick)) for one in (areas[0], area))
        if worst > best:
            return count - 1
        best = worst
    return len(areas)


def _cell(box: Box, layer: LayerResult, so_far: int, total: int, key: str) -> Markup:
    """The deeper into the running total, the fainter."""
    tint = 5 * (so_far - layer.bytes) // total
    rect = tag("rect", width="100%", height="100%", class_=f"{layer.placement} t{tint}")
    lines = (
        (f"{layer.index} {layer.name}", str(layer.index)),
        (marks.layer_size(layer), ""),
        (f"Σ {so_far / total:.0%}", ""),
    )
    return _framed(box, rect, lines, key)


def _rest(box: Box, count: int, size: int) -> Markup:
    rect = tag("rect", width="100%", height="100%", class_="rest")
    return _framed(box, rect, ((f"{count} smaller layers", f"{count} more"), (text.size(size), "")), None)


def _framed(box: Box, rect: Markup, lines: Sequence[tuple[str, str]], key: str | None) -> Markup:
    """Lines as far as the box is high."""
    room = int((box.height * _HEIGHT - 6) // _LINE)
    labels = (
        marks.label(box.width, shown, short, x="6", y=f"{17 + _LINE * i}")
        for i, (shown, short) in enumerate(lines[:room])
    )
    place = {"x": box.x, "y": box.y, "width": box.width, "height": box.height}
    return tag("svg", rect, *labels, data_k=key, **{name: percent(share) for name, share in place.items()})

"""The on-chip memory as a map: what lies in it at scale, and its layers one by one; below, what streams.

The picture of the compiler's manual for models that are compiled together, for one's own models. Layers stand in the
order of the files that hold them; the chip itself spreads each over its 16 tiles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from edgetpu_build.chip.facts import SRAM_BYTES
from edgetpu_build.compiler.interface import LayerResult
from edgetpu_build.figure import Figures
from edgetpu_build.report import text
from edgetpu_build.report.html import marks
from edgetpu_build.report.html.markup import Markup, join, percent, tag
from edgetpu_build.report.html.values import Drawn, Section

_ROWS = 8
_ROW = 27  # pixels, with the gap
_TINTS = 6
_SMALL = 0.1  # of a bar: its size stands beside it


class Share(NamedTuple):
    """One model's part of a chip. ``key``: of the model on the page."""

    name: str
    key: str
    figures: Figures
    layers: tuple[LayerResult, ...]

    def bytes(self, placement: str) -> float:
        """Of its layers; without them what the figures say."""
        figure = self.figures.cached_bytes if placement == "cached" else self.figures.streamed_bytes
        known = sum(layer.bytes for layer in self.layers if layer.placement == placement)
        return known or figure.value or 0


class Chip(NamedTuple):
    title: str
    shares: tuple[Share, ...]

    @property
    def padding(self) -> float:
        """What rounding costs: layers take whole rows of a tile's memory."""
        return max(0.0, sum((s.figures.on_chip_used.value or 0) - s.bytes("cached") for s in self.shares))

    @property
    def free(self) -> float | None:
        """Each model's room is what it uses and what is left once all are served."""
        left = [(s.figures.on_chip_available.value, s.figures.on_chip_used.value) for s in self.shares]
        known = [room - used for room, used in left if room is not None and used is not None]
        return max(0.0, min(known)) if known and len(known) == len(left) else None


class _Region(NamedTuple):
    size: float
    kind: str
    label: str
    key: str = ""
    short: str = ""


def chips(section: Section, key: str) -> tuple[Chip, ...]:
    """Models of a section share one; each segment has its own."""
    if len(section.models) == 1 and len(section.models[0].segments) > 1:
        return tuple(_segments(section.models[0], f"{key}.0"))
    shares = tuple(Share(m.name, f"{key}.{i}", m.figures, m.layers) for i, m in enumerate(section.models))
    return (Chip("", shares),) if shares else ()


def _segments(model: Drawn, key: str) -> Iterator[Chip]:
    for segment in model.segments:
        inside = frozenset(segment.operators)
        layers = tuple(layer for layer in model.layers if layer.index in inside)
        yield Chip(f"segment {segment.index}", (Share(model.name, key, segment.figures, layers),))


def draw(found: Sequence[Chip]) -> Markup:
    """All chips of a section, at one scale."""
    most = max((sum(layer.bytes for s in chip.shares for layer in s.layers) for chip in found), default=0)
    row = _row_size(most)
    return join(_chip(chip, row) for chip in found)


def legend(found: Sequence[Chip]) -> Markup:
    """The models by tint where there are several, and the fills that were used."""
    shares = found[0].shares if found else ()
    several = len(shares) > 1
    items = (
        [_swatch(f"cached m{i % _TINTS}", s.name) for i, s in enumerate(shares)]
        if several
        else [_swatch("cached m0", "parameters on the chip")]
    )
    if any(s.bytes("streamed") for chip in found for s in chip.shares):
        items.append(_swatch("streamed", "streamed at every inference"))
    if any(chip.padding for chip in found):
        items.append(_swatch("padding", "lost to rounding"))
    if any(chip.free is not None for chip in found):
        items += [_swatch("free", "free"), _swatch("reserve", "program and activations")]
    return tag("ul", *items, class_="legend")


def summary(chip: Chip) -> str:
    """The picture in a sentence."""
    cached, streamed = (sum(s.bytes(where) for s in chip.shares) for where in ("cached", "streamed"))
    told = f"{text.size(cached)} of parameters on the chip"
    told += f", {text.size(streamed)} streamed" if streamed else ", nothing streamed"
    if chip.free is not None:
        sure = all(s.figures.on_chip_available.confidence == "exact" for s in chip.shares)
        told += f", {'' if sure else '~'}{text.size(chip.free)} free"
    return told


def _chip(chip: Chip, row: int) -> Markup:
    off = sum(s.bytes("streamed") for s in chip.shares)
    scale = max(SRAM_BYTES, off)
    bars = [_bar("on the chip", _on_chip(chip), scale)]
    if off:
        bars.append(_bar("off the chip", _streamed(chip), scale))
    told = summary(chip)
    parts = [
        tag("h4", chip.title) if chip.title else None,
        tag("p", told[0].upper() + told[1:] + "."),
        tag("div", *bars, class_="bars"),
        _layers(chip, row, told),
    ]
    return tag("div", *parts, class_="chip")


def _on_chip(chip: Chip) -> list[_Region]:
    several = len(chip.shares) > 1
    found = [
        _Region(s.bytes("cached"), f"cached m{i % _TINTS}", s.name if several else "parameters")
        for i, s in enumerate(chip.shares)
    ]
    used = sum(region.size for region in found) + chip.padding
    found.append(_Region(chip.padding, "padding", "rounding"))
    if chip.free is None:
        return [*found, _Region(max(0, SRAM_BYTES - used), "free", "program, activations and free room: not known")]
    reserve = max(0, SRAM_BYTES - used - chip.free)
    return [*found, _Region(chip.free, "free", "free"), _Region(reserve, "reserve", "program, activations")]


def _streamed(chip: Chip) -> list[_Region]:
    return [
        _Region(s.bytes("streamed"), "streamed", s.name if len(chip.shares) > 1 else "streamed") for s in chip.shares
    ]


def _bar(name: str, regions: Sequence[_Region], scale: float) -> Markup:
    drawn, at = [], 0.0
    for region in regions:
        share = region.size / scale
        size = text.size(region.size)
        drawn.append(_box(at, share, 0, region, label=f"{region.label} {size}", short=size))
        at += share
    if at < _SMALL and regions[-1].size:
        drawn.append(tag("text", text.size(scale * at), x=percent(at), dx="6", y="16", class_="beside"))
    told = ", ".join(f"{region.label} {text.size(region.size)}" for region in regions if region.size)
    picture = tag("svg", *drawn, role="img", aria_label=f"{name}: {told}", width="100%", height=f"{_ROW}")
    return join([tag("span", name, class_="axis", aria_hidden="true"), picture])


def _layers(chip: Chip, row: int, told: str) -> Markup:
    """Rows of memory, as text runs: a layer goes on where the row before ended."""
    several = len(chip.shares) > 1
    cached, streamed = (
        [
            _Region(
                layer.bytes,
                f"{where} m{i % _TINTS}" if where == "cached" else where,
                _name(share, layer, several=several),
                f"{share.key}.{layer.index}",
                str(layer.index),
            )
            for i, share in enumerate(chip.shares)
            for layer in share.layers
            if layer.placement == where and layer.bytes
        ]
        for where in ("cached", "streamed")
    )
    on, off = _count(cached, row), _count(streamed, row)
    if not on + off:
        return Markup()
    rows = [*_wrapped(cached, row, 0), *_wrapped(streamed, row, on)]
    height = str((on + off) * _ROW)
    axis = [tag("text", text.size(i * row), x="100%", y=f"{i * _ROW + 17}", text_anchor="end") for i in range(on)]
    axis += [
        tag(
            "text",
            "off-chip" if i == 0 else text.size(i * row),
            x="100%",
            y=f"{(on + i) * _ROW + 17}",
            text_anchor="end",
        )
        for i in range(off)
    ]
    return tag(
        "div",
        tag("svg", *axis, class_="axis", width="100%", height=height, aria_hidden="true"),
        tag(
            "svg",
            *rows,
            role="img",
            aria_label=f"Map of the layers, {text.size(row)} a row: {told}",
            width="100%",
            height=height,
        ),
        class_="bars rows",
    )


def _name(share: Share, layer: LayerResult, *, several: bool) -> str:
    return (f"{share.name} " if several else "") + f"{layer.index} {layer.name}"


def _wrapped(regions: Sequence[_Region], row: int, first: int) -> Iterator[Markup]:
    at = 0
    for region in regions:
        left = int(region.size)
        pieces = []
        while left:
            line, column = divmod(at, row)
            taken = min(left, row - column)
            pieces.append((column / row, taken / row, first + line))
            at, left = at + taken, left - taken
        widest = max(range(len(pieces)), key=lambda i: (pieces[i][1], -i))
        for i, (x, share, line) in enumerate(pieces):
            written = {"label": region.label, "short": region.short} if i == widest else {}
            yield _box(x, share, line, region, **written)


def _box(x: float, share: float, line: int, region: _Region, *, label: str = "", short: str = "") -> Markup:
    if share <= 0:
        return Markup()
    top = line * _ROW
    place = {"x": percent(x), "y": f"{top}", "width": percent(share), "height": f"{_ROW - 3}"}
    rect = tag("rect", class_=region.kind, data_k=region.key or None, **place)
    return join([rect, marks.label(share, label, short, x=percent(x), dx="5", y=f"{top + 16}") if label else None])


def _count(regions: Sequence[_Region], row: int) -> int:
    return -(-int(sum(region.size for region in regions)) // row)


def _row_size(most: float) -> int:
    """A power of two: about eight rows for the fullest chip."""
    row = 1 << 10
    while most / row > _ROWS:
        row *= 2
    return row


def _swatch(kind: str, label: str) -> Markup:
    return tag(
        "li",
        tag("svg", tag("rect", width="100%", height="100%", class_=kind), width="16", height="12", aria_hidden="true"),
        label,
    )

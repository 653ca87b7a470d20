"""Two builds side by side: the figures of the lock against today's, or two files against each other."""

from __future__ import annotations

from collections.abc import Sequence

from edgetpu_build.figure import Figures
from edgetpu_build.report import changes, text
from edgetpu_build.report.html import marks, memory, tables
from edgetpu_build.report.html.markup import Markup, join, percent, tag
from edgetpu_build.report.html.values import Drawn, Page

_SIGNS = {"better": "▼ better", "worse": "▲ worse", "changed": "changed"}
_ROW = 27
_SHOWN = 12


def of_model(model: Drawn) -> Markup:
    """What moved since the lock, and both sides' memory as bars; nothing where nothing did."""
    if model.before is None:
        return Markup()
    moved = changes.between(model.before, model.figures)
    rows = [
        (
            c.measure.title,
            text.figure(c.before, c.measure.render),
            text.figure(c.after, c.measure.render),
            c.delta,
            tag("span", _SIGNS[c.verdict], class_=c.verdict),
        )
        for c in moved
    ]
    table = tables.table(
        f"{model.name}: what moved", ("figure", "before", "now", "difference", ""), rows, right=(1, 2, 3)
    )
    scale = max(1.0, _total(model.before), _total(model.figures))
    bars = [*_bar("before", model.before, scale), *_bar("now", model.figures, scale)]
    return join([tag("div", *bars, class_="bars"), table])


def of_files(page: Page, key: str) -> Markup:
    """The memory of both files beside each other, and everything that differs."""
    halves = [
        tag("div", tag("h3", section.name), memory.draw(memory.chips(section, f"{key}{i}")))
        for i, section in enumerate(page.sections)
    ]
    return join([tag("div", *halves, class_="halves"), _differences(page)])


def _differences(page: Page) -> Markup:
    """The first few in sight; most of the others are layers."""
    if not page.sides:
        return tag("p", "Nothing that can be told.")
    titles, rest = ("", *page.labels), page.sides[_SHOWN:]
    shown = tables.table("What differs", titles, page.sides[:_SHOWN])
    if not rest:
        return shown
    return join([shown, tables.folded(f"And {len(rest)} more", tables.table("What else differs", titles, rest))])


def _total(figures: Figures) -> float:
    return (figures.on_chip_used.value or 0) + (figures.off_chip.value or 0)


def _bar(name: str, figures: Figures, scale: float) -> Sequence[Markup]:
    sides = (("cached m0", figures.on_chip_used, "on-chip"), ("streamed", figures.off_chip, "off-chip"))
    drawn, at = [], 0.0
    for kind, figure, word in sides:
        share = (figure.value or 0) / scale
        label = f"{word} {text.figure(figure, text.size)}"
        fits = marks.fitting(share, label)
        if share:
            drawn.append(tag("rect", x=percent(at), width=percent(share), height=str(_ROW - 3), class_=kind))
        if fits:
            drawn.append(tag("text", label, x=percent(at), dx="5", y="16", class_=fits))
        at += share
    told = ", ".join(f"{word} {text.figure(figure, text.size)}" for _, figure, word in sides)
    return (
        tag("span", name, class_="axis", aria_hidden="true"),
        tag("svg", *drawn, role="img", aria_label=f"{name}: {told}", width="100%", height=str(_ROW)),
    )

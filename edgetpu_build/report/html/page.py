"""The page around the pictures: one file that needs nothing else, the same bytes for the same values.

Its security policy names the digests of its own style and script: nothing else runs, even if a name got through as
markup. Sections that would make it larger than a megabyte are left to `inspect --html`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from string import Template
from typing import Any

from edgetpu_build import __version__
from edgetpu_build.errors import Diagnostic
from edgetpu_build.figure import total
from edgetpu_build.report import text
from edgetpu_build.report.html import graph, marks, memory, sides, tables, timeline, treemap
from edgetpu_build.report.html.markup import Child, Markup, embedded, escape, join, prose, tag
from edgetpu_build.report.html.values import Drawn, Page, Section

MOST = 1_000_000
_LINKS = 40
_LINES = 300  # of the overview
_RESERVED = 120_000  # frame, overview, notes
_ALONE = "`edgetpu-build inspect FILE --html PAGE` draws one"
_STATES = {"compiled": "✓", "cached": "✓", "fresh": "·", "stale": "!", "failed": "✗"}
_SIGNS = {"error": "✗ error", "warning": "! warning", "note": "note"}


def render(page: Page) -> str:
    """The whole file."""
    beside = _sides(page)
    drawn, told = _within(page, len(beside.encode()))
    names = [section.name for section in page.sections]
    main = join([_overview(page, len(drawn)), beside, *drawn])
    return frame(page.title, page.lead, names[: len(drawn)] if len(names) > 1 else [], main, told.to_json())


def frame(title: str, lead: str, names: Sequence[str], main: Markup, data: Mapping[str, Any]) -> str:
    """A page around its content. ``names``: of the sections, which are called `u0`, `u1`, ..."""
    style, script = _file("style.css"), _file("script.js")
    return Template(_file("page.html")).substitute(
        title=escape(title),
        policy=f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; img-src data:",
        style=style,
        script=script,
        patterns=marks.PATTERNS,
        lead=prose(lead),
        contents=_contents(names),
        main=main,
        data=embedded(data),
        version=escape(__version__),
    )


def _within(page: Page, taken: int) -> tuple[list[Markup], Page]:
    """The sections that fit, and what is embedded of them. The first is always drawn, if need be with less embedded."""
    drawn: list[Markup] = []
    told: list[Section] = []
    size = _RESERVED + taken
    titled = [section.name for section in page.sections] != [page.title]
    for number, section in enumerate(page.sections):
        one = _section(section, f"{number}", titled=titled)
        size += len(one.encode()) + _embedded_size(page, section)
        if size > MOST and drawn:
            break
        drawn.append(one)
        told.append(section if size <= MOST else _brief(section))
    return drawn, replace(page, sections=tuple(told))


def _embedded_size(page: Page, section: Section) -> int:
    return len(embedded(replace(page, sections=(section,)).to_json()))


def _brief(section: Section) -> Section:
    """Its figures alone."""
    models = (replace(model, operators=(), tensors=(), layers=()) for model in section.models)
    return replace(section, models=tuple(models))


def _contents(names: Sequence[str]) -> Markup:
    if not names:
        return Markup()
    links = [tag("li", tag("a", name, href=f"#u{i}")) for i, name in enumerate(names[:_LINKS])]
    return tag("nav", tag("ul", *links), aria_label="Models")


def _overview(page: Page, drawn: int) -> Markup:
    parts: list[Child] = []
    left = len(page.sections) - drawn
    if len(page.sections) > 1:
        rows = [_line(section, f"#u{i}" if i < drawn else "") for i, section in enumerate(page.sections[:_LINES])]
        titles = ("model", "on the chip", "off the chip", "on the CPU", "state", "why")
        parts.append(tables.table("Everything at a glance", titles, rows, right=(1, 2, 3)))
    if left:
        parts.append(
            tag(
                "p",
                prose(f"{text.plural(left, 'section')} would make this page too large; {_ALONE}"),
            )
        )
    parts.append(_told(page.diagnostics))
    inner = join(parts)
    return tag("section", tag("h2", "Overview"), inner, class_="card") if inner else Markup()


def _line(section: Section, link: str) -> Sequence[Child]:
    found = [tables.whole(model) for model in section.models]

    def summed(key: str) -> str:
        render = text.count if key == "cpu_operators" else text.size
        return text.figure(total(getattr(f, key) for f in found), render) if found else ""

    name = tag("a", section.name, href=link) if link else section.name
    figures = (summed(key) for key in ("on_chip_used", "off_chip", "cpu_operators"))
    return (name, *figures, _state(section), prose(section.why))


def _state(section: Section) -> Markup:
    if not section.state:
        return Markup()
    return tag("span", f"{_STATES.get(section.state, '')} {section.state}", class_=f"state {section.state}")


def _sides(page: Page) -> Markup:
    if len(page.sections) != 2 or page.labels == ("before", "now"):
        return Markup()
    return tag("section", tag("h2", "Side by side"), sides.of_files(page, ""), class_="card")


def _section(section: Section, key: str, *, titled: bool) -> Markup:
    head = tag("h2", section.name if titled else "At a glance", " ", _state(section), id=f"u{key}")
    chips = memory.chips(section, key)
    known = any(model.operators or model.layers for model in section.models) or bool(chips)
    parts = [
        head,
        tag("p", prose(section.why), class_="why") if section.why and titled else None,
        _told(section.diagnostics),
        *(_figures(model, titled=len(section.models) > 1) for model in section.models),
        _block("Memory", join([memory.legend(chips), memory.draw(chips)])) if known else None,
        *(_model(model, f"{key}.{i}", titled=len(section.models) > 1) for i, model in enumerate(section.models)),
    ]
    return tag("section", *parts, class_="card", aria_labelledby=f"u{key}")


def _figures(model: Drawn, *, titled: bool) -> Markup:
    found = tables.whole(model)
    tiles = (
        ("off the chip", found.off_chip, text.size),
        ("on the chip", found.on_chip_used if found.on_chip_used.value is not None else found.cached_bytes, text.size),
        ("on the Edge TPU", found.edgetpu_operators, text.count),
        ("on the CPU", found.cpu_operators, text.count),
        ("latency", found.latency_ms, text.milliseconds),
    )
    drawn = [
        tag("div", tag("dt", title), tag("dd", text.figure(value, render), class_=value.confidence))
        for title, value, render in tiles
    ]
    return join(
        [
            tag("h3", model.name, class_="plain") if titled else None,
            tag("dl", *drawn, class_="tiles"),
            tables.figures(model.name, found),
        ]
    )


def _model(model: Drawn, key: str, *, titled: bool) -> Markup:
    suffix = f": {model.name}" if titled else ""
    parts = [
        _block(f"Before and now{suffix}", sides.of_model(model)),
        _block(f"Segments{suffix}", join([timeline.draw(model), tables.segments(model)])),
        _block(f"Graph{suffix}", join([graph.legend(model), graph.draw(model, key), tables.operators(model)]))
        if model.operators
        else None,
        _block(f"Where the bytes go{suffix}", join([treemap.draw(model, key), tables.layers(model)])),
        tag("p", f"Note: {model.note}.", class_="why") if model.note else None,
    ]
    return join(parts)


def _block(title: str, content: Markup) -> Markup:
    return join([tag("h3", title), content]) if content else Markup()


def _told(found: Sequence[Diagnostic]) -> Markup:
    if not found:
        return Markup()
    return tag("ul", *map(_diagnostic, found), class_="told")


def _diagnostic(told: Diagnostic) -> Markup:
    place = f"{told.file}:{told.line} " if told.file and told.line else f"{told.file} " if told.file else None
    hint = tag("p", "hint: ", prose(told.hint)) if told.hint else None
    return tag(
        "li",
        tag("strong", _SIGNS[told.severity]),
        " ",
        place,
        prose(told.message),
        f" ({told.code})",
        hint,
        class_=told.severity,
    )


@cache
def _file(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _digest(content: str) -> str:
    """Of the text between the tags, as it stands in the page."""
    return "sha256-" + b64encode(sha256(content.encode()).digest()).decode()

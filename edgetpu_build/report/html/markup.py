"""HTML and SVG as values: what is not ``Markup`` already is escaped, so no name in a model can be more than text."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from edgetpu_build.report.style import printable

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})
_VOID = frozenset({"br", "col", "link", "meta"})


class Markup(str):
    """Text that is HTML. Only this module makes it from anything else."""

    __slots__ = ()


Child = str | Markup | None
Value = str | float | bool | None


def escape(text: str) -> Markup:
    return text if isinstance(text, Markup) else Markup(printable(text).translate(_ESCAPES))


def join(parts: Iterable[Child], between: str = "") -> Markup:
    return Markup(between.join(escape(part) for part in parts if part))


def tag(name: str, *children: Child, **attributes: Value) -> Markup:
    """An element. ``class_`` is `class`, ``aria_label`` is `aria-label`; None and False leave an attribute out."""
    head = name + "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{head}>")
    return Markup(f"<{head}>{join(children)}</{name}>")


def prose(sentence: str) -> Markup:
    """Text in which `backticks` mark what is typed."""
    parts = sentence.split("`")
    if len(parts) % 2 == 0:
        return escape(sentence)
    return join(tag("code", part) if i % 2 else part for i, part in enumerate(parts))


def number(value: float) -> str:
    """At most three decimals, and no more than are needed: equal inputs, equal bytes."""
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text


def percent(share: float) -> str:
    """A share of 1 as an SVG length."""
    return f"{number(share * 100)}%"


def embedded(data: Any) -> Markup:
    """JSON that may stand in a `<script>`: nothing in it can end the element."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _attribute(key: str, value: Value) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    return f' {name}="{escape(value if isinstance(value, str) else number(value))}"'

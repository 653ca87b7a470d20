"""What all pictures have in common: which labels fit where, how a layer's size is told, the patterns that fill.

A picture is as wide as its page, so a label has a class that says from which width of the page on it fits; the style
sheet hides it below. Nothing is told by colour alone: what streams is hatched, what stays on the CPU is square.
"""

from __future__ import annotations

from edgetpu_build.compiler.interface import LayerResult
from edgetpu_build.report import text
from edgetpu_build.report.html.markup import Markup, join, tag
from edgetpu_build.report.style import width

_WIDTHS = ((330, "w1"), (600, "w2"), (1000, "w3"))
"""Pixels that a picture has at least, by class: always, on a tablet or paper, on a desk."""
_LETTER = 7.2


def fitting(share: float, label: str, indent: float = 10) -> str:
    """The class of a label in a box that takes this share of the picture's width; "" if it never fits."""
    needed = width(label) * _LETTER + indent
    return next((name for pixels, name in _WIDTHS if share * pixels >= needed), "")


def label(share: float, shown: str, short: str = "", **place: str) -> Markup:
    """The text where it fits, below that width the short one where that does."""
    full, brief = fitting(share, shown), fitting(share, short) if short else ""
    if not full:
        full, shown, brief = brief, short, ""
    parts = [tag("text", shown, class_=full, **place)] if full else []
    if brief and brief < full:
        parts.append(tag("text", short, class_=f"{brief} below-{full}", **place))
    return join(parts)


def layer_size(layer: LayerResult) -> str:
    return ("~" if layer.confidence == "estimated" else "") + text.size(layer.bytes)


PATTERNS = Markup(
    '<svg width="0" height="0" aria-hidden="true" class="patterns"><defs>'
    '<pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="7" height="7" class="hatch-ground"></rect>'
    '<rect width="2.5" height="7" class="hatch-line"></rect></pattern>'
    '<pattern id="dots" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<rect width="6" height="6" class="dots-ground"></rect>'
    '<circle cx="2" cy="2" r="1" class="dots-dot"></circle></pattern>'
    "</defs></svg>"
)
"""Referred to by the style sheet."""

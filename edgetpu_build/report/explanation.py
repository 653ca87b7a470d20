"""Why a unit would or would not be built: its fingerprint, ingredient by ingredient."""

from __future__ import annotations

from typing import Any

from edgetpu_build.engine.explain import Explanation, IngredientChange
from edgetpu_build.report.style import PLAIN, Style, pad, printable, shorten, width

_SHOWN = 44


def human(found: Explanation, style: Style = PLAIN) -> str:
    """The decision first, then what goes into the fingerprint; what changed is marked with both values."""
    lines = [f"{style.paint(printable(found.name), 'bold')} ({found.kind}): {found.state}, {printable(found.why)}", ""]
    lines.append(f"fingerprint  {found.fingerprint}")
    if found.locked != found.fingerprint:
        lines.append(f"in the lock  {found.locked or 'none'}")
    column = max((width(printable(i.name)) for i in found.ingredients), default=0)
    lines += ["", *(_ingredient(i, column, style) for i in found.ingredients)]
    return "\n".join(lines).rstrip()


def to_json(found: Explanation) -> dict[str, Any]:
    return {
        "name": found.name,
        "kind": found.kind,
        "state": found.state,
        "why": found.why,
        "fingerprint": found.fingerprint,
        "locked": found.locked,
        "ingredients": [
            {"name": i.name, "value": i.value, "before": i.before, "changed": i.changed} for i in found.ingredients
        ],
    }


def _ingredient(ingredient: IngredientChange, column: int, style: Style) -> str:
    name = pad(printable(ingredient.name), column)
    value = _value(ingredient.value)
    if not ingredient.changed:
        return f"  {name}  {value}"
    mark, arrow = style.glyph("≠", "!"), style.glyph("→", "->")
    return style.paint(f"{mark} {name}  {_value(ingredient.before or '')} {arrow} {value}", "yellow")


def _value(value: str) -> str:
    return shorten(printable(value), _SHOWN) or '""'

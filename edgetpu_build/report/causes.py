"""Why figures moved, in a sentence for each kind of figure: the layers, the operators, or what was changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from edgetpu_build.engine.fingerprint import DEFAULTS, Ingredient
from edgetpu_build.engine.why import Cause, LayerMove, OperatorMove
from edgetpu_build.report import json_form, text

_NAMED = 3
_OPERATORS = frozenset({"cpu_operators", "edgetpu_operators", "subgraphs"})


def sentence(cause: Cause, measure: str) -> str:
    """Of the figure with this key; what was changed if nothing nearer is known."""
    near = operators(cause) if measure in _OPERATORS else layers(cause)
    return near or ingredients(cause)


def ingredients(cause: Cause) -> str:
    """ "`segments` changed from 2 to 1, a source changed"."""
    return ", ".join(dict.fromkeys(_ingredient(before, after) for before, after in cause.ingredients))


def layers(cause: Cause) -> str:
    """ "3 layers stream now (412.0 KiB: 12 CONV_2D, ...): REASON"; the worst kind of move first."""
    told = []
    for kind, (one, many) in _DOES.items():
        found = [move for move in cause.layers if _kind(move) == kind]
        if found:
            told.append(_layers(found, one if len(found) == 1 else many))
    return "; ".join(told[:2])


def operators(cause: Cause) -> str:
    """Who went to the CPU, and why; then who came back."""
    left = [m.after for m in cause.operators if m.after and m.after.target == "cpu"]
    back = [m.before for m in cause.operators if m.after is None or m.after.target == "edgetpu"]
    told = []
    if left:
        first = next((operator for operator in left if operator.follows < 0), left[0])
        others = f" and {len(left) - 1} more" if len(left) > 1 else ""
        reason = f": {first.reason}" if first.reason else ""
        told.append(f"{first.index} {first.name}{others} on the CPU now{reason}")
    if back and back[0]:
        others = f" and {len(back) - 1} more" if len(back) > 1 else ""
        told.append(f"{back[0].index} {back[0].name}{others} no longer on the CPU")
    return "; ".join(told)


def to_json(cause: Cause) -> dict[str, Any]:
    """``changed``: ingredients, ``layers`` and ``operators``: those that moved, before and after."""
    return {
        "changed": [
            {"name": after.tag, "before": before.text, "after": after.text} for before, after in cause.ingredients
        ],
        "layers": [_move(move, json_form.layer) for move in cause.layers],
        "operators": [_move(move, json_form.operator) for move in cause.operators],
        "layers_known": cause.seen,
    }


_DOES = {
    "streams": ("streams now", "stream now"),
    "new streams": ("is new and streams", "are new and stream"),
    "more": ("streams more", "stream more"),
    "cached": ("is cached now", "are cached now"),
    "streamed gone": ("that streamed is gone", "that streamed are gone"),
    "less": ("streams less", "stream less"),
    "size": ("has another size", "have another size"),
    "new": ("is new", "are new"),
    "gone": ("is gone", "are gone"),
}
"""Kind of move -> what is said of one layer, and of several; the worst first."""


def _kind(move: LayerMove) -> str:
    if move.before is None:
        return "new streams" if move.effect else "new"
    if move.after is None:
        return "streamed gone" if move.effect else "gone"
    if move.before.placement != move.after.placement:
        return "streams" if move.after.placement == "streamed" else "cached"
    return "size" if not move.effect else "more" if move.effect > 0 else "less"


def _layers(found: Sequence[LayerMove], does: str) -> str:
    """The largest by name, the reason of the largest that has one worth telling."""
    found = sorted(found, key=lambda move: -abs(move.effect) or -_bytes(move))
    sides = [side for side in (move.after or move.before for move in found) if side]
    names = ", ".join(f"{side.index} {side.name}" for side in sides[:_NAMED]) + (", …" if len(sides) > _NAMED else "")
    guess = "~" if any(side.confidence == "estimated" for side in sides) else ""
    amount = sum(abs(move.effect) for move in found) or sum(map(_bytes, found))
    reason = f": {sides[0].reason}" if found[0].effect > 0 and sides[0].reason else ""
    return f"{text.plural(len(found), 'layer')} {does} ({guess}{text.size(amount)}: {names}){reason}"


def _bytes(move: LayerMove) -> int:
    side = move.after or move.before
    return side.bytes if side else 0


def _ingredient(before: Ingredient, after: Ingredient) -> str:
    kind = after.tag.rpartition(" ")[0]
    if kind == "source":
        return "a source changed" if before.parts and after.parts else "its members changed"
    if after.tag == "compiler identity":
        return "the compiler itself changed"
    return f"`{after.tag}` changed from {_value(before)} to {_value(after)}"


def _value(ingredient: Ingredient) -> str:
    """What is not told is at its default."""
    if ingredient.parts:
        return ingredient.text
    default = getattr(DEFAULTS, ingredient.tag.replace("-", "_"), "")
    return str(default) if default not in ("", ()) else "none"


def _move(move: LayerMove | OperatorMove, form: Any) -> dict[str, Any]:
    return {side: form(value) if value else None for side, value in (("before", move.before), ("after", move.after))}


def summary(causes: Iterable[tuple[str, Cause]]) -> list[str]:
    """A line a member, for a person: everything that is known of it."""
    told = ((name, [ingredients(cause), operators(cause), layers(cause)]) for name, cause in causes)
    return [f"{name}: {'; '.join(filter(None, parts))}" for name, parts in told if any(parts)]

"""Why figures moved between two locks: which ingredient changed, which layers and operators took another place.

Neither lock tells its layers, so the sources of both sides are compiled once more in memory (``layers``). Where one is
not to be had (a Git LFS pointer in the commit, say), the ingredients are all that is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from edgetpu_build.compiler.interface import LayerResult, OperatorResult
from edgetpu_build.engine import baseline, layers, lockfile
from edgetpu_build.engine.fingerprint import Ingredient, changed
from edgetpu_build.engine.layers import Layered, Read
from edgetpu_build.engine.lockfile import Lock, LockedUnit, without_range
from edgetpu_build.engine.outcome import Outcome
from edgetpu_build.engine.project import Project
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.tflite.model import Model

_T = TypeVar("_T", LayerResult, OperatorResult)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerMove:
    """One layer on both sides; None where it is not there."""

    before: LayerResult | None
    after: LayerResult | None

    @property
    def effect(self) -> int:
        """By how many bytes more is streamed."""
        return _streamed(self.after) - _streamed(self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorMove:
    """One operator that runs elsewhere now, or is new or gone on the CPU."""

    before: OperatorResult | None
    after: OperatorResult | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Of one member. ``ingredients``: (before, now) of its unit's fingerprint. ``layers``, ``operators``: those that
    moved, in file order. ``seen``: the layers of both sides are known.
    """

    ingredients: tuple[tuple[Ingredient, Ingredient], ...] = ()
    layers: tuple[LayerMove, ...] = ()
    operators: tuple[OperatorMove, ...] = ()
    seen: bool = False


def why(project: Project, rev: str, members: Iterable[str]) -> dict[str, Cause]:
    """Causes by member, of those that both the lock of ``rev`` and the one that lies there have. Raises as ``diff``."""
    before, after = baseline.at(project, rev), lockfile.read(project.root)
    if before is None or after is None:
        return {}
    wanted = frozenset(members)
    old, new = _homes(before), _homes(after)
    sides = layers.at(project, rev), layers.here(project)
    known: dict[tuple[str, str], dict[str, Cause]] = {}
    found = {}
    for name in wanted & old.keys() & new.keys():
        pair = old[name], new[name]
        key = pair[0].name, pair[1].name
        if key not in known:
            known[key] = _of_units(*pair, *sides)
        found[name] = known[key][name]
    return found


def of_build(project: Project, outcome: Outcome) -> dict[str, Cause]:
    """Causes of what a build moved, where what it started from is what is committed."""
    moved = {
        member.name: member.before
        for unit in outcome.units
        for member in unit.members
        if member.before and without_range(member.before) != without_range(member.figures)
    }
    if not moved:
        return {}
    try:
        committed = baseline.figures(baseline.at(project, "HEAD"))
        return why(project, "HEAD", [name for name, before in moved.items() if committed.get(name) == before])
    except EdgeTpuBuildError:
        return {}


def between(before: Layered, after: Layered) -> tuple[tuple[LayerMove, ...], tuple[OperatorMove, ...]]:
    """What moved from one compile of a model to another."""
    old, new = _names(before.model), _names(after.model)
    return (
        tuple(
            LayerMove(before=one, after=other)
            for one, other in _paired(_by_name(before.result.layers, old), _by_name(after.result.layers, new))
            if one is None or other is None or (one.bytes, one.placement) != (other.bytes, other.placement)
        ),
        tuple(
            OperatorMove(before=one, after=other)
            for one, other in _paired(_by_name(before.result.operators, old), _by_name(after.result.operators, new))
            if _target(one) != _target(other)
        ),
    )


def _of_units(old: LockedUnit, new: LockedUnit, read_old: Read, read_new: Read) -> dict[str, Cause]:
    parts = changed(old.ingredients, new.ingredients)
    before = {layered.name: layered for layered in layers.of(old, read_old) or ()}
    after = {layered.name: layered for layered in layers.of(new, read_new) or ()}
    causes = {}
    for name in {m.name for m in old.members} & {m.name for m in new.members}:
        seen = name in before and name in after
        moved = between(before[name], after[name]) if seen else ((), ())
        causes[name] = Cause(ingredients=parts, layers=moved[0], operators=moved[1], seen=seen)
    return causes


def _homes(lock: Lock) -> Mapping[str, LockedUnit]:
    return {member.name: unit for unit in lock.units.values() for member in unit.members}


def _names(model: Model) -> list[str]:
    """A name for each operator that outlives a change of others: its first result's, or its position if that is not
    one of a kind.
    """
    main = model.main
    first = [main.tensors[op.outputs[0]].name if op.outputs and op.outputs[0] >= 0 else "" for op in main.operators]
    count = Counter(first)
    return [name if name and count[name] == 1 else f"#{i}" for i, name in enumerate(first)]


def _by_name(found: Iterable[_T], names: list[str]) -> dict[tuple[str, int], _T]:
    """An operator may have several layers: the first, the second, ..."""
    seen: Counter[str] = Counter()
    named = {}
    for one in found:
        name = names[one.index]
        named[name, seen[name]] = one
        seen[name] += 1
    return named


def _paired(
    before: Mapping[tuple[str, int], _T], after: Mapping[tuple[str, int], _T]
) -> list[tuple[_T | None, _T | None]]:
    pairs: list[tuple[_T | None, _T | None]] = [(before.get(key), one) for key, one in after.items()]
    gone: list[tuple[_T | None, _T | None]] = [(one, None) for key, one in before.items() if key not in after]
    return pairs + gone


def _streamed(layer: LayerResult | None) -> int:
    return layer.bytes if layer and layer.placement == "streamed" else 0


def _target(operator: OperatorResult | None) -> str:
    """An operator that is not there is as good as one on the Edge TPU: neither is left to the CPU."""
    return operator.target if operator else "edgetpu"

"""Why a unit would or would not be built: its fingerprint, ingredient by ingredient, against the last one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from edgetpu_build.engine import lockfile
from edgetpu_build.engine.compilers import Compilers
from edgetpu_build.engine.decide import Decision, decide
from edgetpu_build.engine.lockfile import Lock
from edgetpu_build.engine.order import in_order
from edgetpu_build.engine.plan import plan, select
from edgetpu_build.engine.project import Project
from edgetpu_build.engine.statindex import StatIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class IngredientChange:
    """``before`` is None where nothing is known of an earlier build."""

    name: str
    value: str
    before: str | None

    @property
    def changed(self) -> bool:
        return self.before is not None and self.before != self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """``state`` and ``why`` as a build would decide now. ``locked``: the fingerprint in the lock, "" without one."""

    name: str
    kind: str
    state: str
    why: str
    fingerprint: str
    locked: str
    ingredients: tuple[IngredientChange, ...]


def explain(project: Project, name: str) -> Explanation:
    """Of a unit, or of the unit that a model belongs to. ETB209 for an unknown name. Starts no compiler."""
    lock = lockfile.read(project.root) or Lock()
    (unit,) = select(plan(project.config, project.root, known_outputs=lock.files), [name])[:1]
    index = StatIndex(str(project.root), project.state, time.time_ns())
    compilers = Compilers(project.config, lock, project.backend)
    unit = in_order(unit, index, lock, as_locked=False)
    decision = decide(unit, compilers.known(unit), lock, index, logs=project.config.ship_logs)
    return Explanation(
        name=unit.name,
        kind=unit.kind,
        state=_state(decision, project),
        why=decision.why,
        fingerprint=decision.fingerprint,
        locked=decision.locked.fingerprint if decision.locked else "",
        ingredients=tuple(_changes(decision)),
    )


def _state(decision: Decision, project: Project) -> str:
    if decision.fresh:
        return "fresh"
    return "cached" if decision.fingerprint and project.store.get(decision.fingerprint) else "stale"


def _changes(decision: Decision) -> Iterator[IngredientChange]:
    before = {i.tag: i.text for i in decision.locked.ingredients} if decision.locked else None
    for ingredient in decision.ingredients:
        old = None if before is None else before.pop(ingredient.tag, "")
        yield IngredientChange(name=ingredient.tag, value=ingredient.text, before=old)
    for tag, old in (before or {}).items():
        yield IngredientChange(name=tag, value="", before=old)

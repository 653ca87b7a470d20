"""Why a unit would or would not be built: its fingerprint, ingredient by ingredient, against the last one."""

from __future__ import annotations

from dataclasses import dataclass

from edgetpu_build.engine.project import Project


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
    raise NotImplementedError

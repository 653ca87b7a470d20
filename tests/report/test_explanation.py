from __future__ import annotations

from edgetpu_build.engine.explain import Explanation, IngredientChange
from edgetpu_build.report import explanation

FOUND = Explanation(
    name="detector",
    kind="model",
    state="stale",
    why="its source changed",
    fingerprint="b" * 64,
    locked="a" * 64,
    ingredients=(
        IngredientChange(name="source", value="2" * 64, before="1" * 64),
        IngredientChange(name="min-runtime-version", value="14", before="14"),
        IngredientChange(name="segments", value="1", before=None),
    ),
)


def test_the_ingredient_that_changed_is_marked_with_both_values():
    lines = explanation.human(FOUND).splitlines()
    assert lines[0] == "detector (model): stale, its source changed"
    assert f"in the lock  {'a' * 64}" in lines
    marked = [line for line in lines if line.startswith("≠")]
    assert len(marked) == 1
    assert "source" in marked[0]
    assert "→" in marked[0]
    assert "  min-runtime-version  14" in lines


def test_the_json_has_every_ingredient():
    data = explanation.to_json(FOUND)
    assert [i["changed"] for i in data["ingredients"]] == [True, False, False]
    assert data["fingerprint"] == "b" * 64

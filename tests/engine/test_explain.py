from __future__ import annotations

import pytest

from edgetpu_build.engine.explain import explain
from edgetpu_build.errors import EdgeTpuBuildError
from tests.support.project import Yard


@pytest.fixture
def built(yard: Yard) -> Yard:
    yard.models(a="a.tflite")
    yard.write("a.tflite", "aaa")
    yard.build()
    return yard


def test_nothing_changed(built: Yard) -> None:
    found = explain(built.project(), "a")
    assert (found.state, found.fingerprint) == ("fresh", found.locked)
    assert not any(ingredient.changed for ingredient in found.ingredients)


def test_the_one_ingredient_that_changed_is_told(built: Yard) -> None:
    built.write("a.tflite", "new")
    found = explain(built.project(), "a")
    assert (found.state, found.why) == ("stale", "source `a.tflite` changed")
    assert [ingredient.name for ingredient in found.ingredients if ingredient.changed] == ["source 1"]
    assert found.fingerprint != found.locked


def test_what_the_store_has_is_told_apart(built: Yard) -> None:
    built.write("a.tflite", "new")
    built.build()
    built.write("a.tflite", "aaa")
    assert explain(built.project(), "a").state == "cached"


def test_without_a_lock_there_is_no_before(yard: Yard) -> None:
    yard.models(a="a.tflite")
    yard.write("a.tflite", "aaa")
    found = explain(yard.project(), "a")
    assert found.locked == ""
    assert {ingredient.before for ingredient in found.ingredients} == {None}


def test_an_unknown_name(built: Yard) -> None:
    with pytest.raises(EdgeTpuBuildError):
        explain(built.project(), "z")
    assert len(built.compiles) == 1

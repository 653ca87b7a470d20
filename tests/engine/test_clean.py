from __future__ import annotations

from edgetpu_build.engine.clean import clean
from tests.support.project import Yard, states


def test_exactly_what_was_written_goes(yard: Yard) -> None:
    yard.models(a="a.tflite", b="b.tflite")
    yard.write("a.tflite", "aaa"), yard.write("b.tflite", "bb")
    before = yard.files
    yard.build()
    assert clean(yard.project()) == ("a_edgetpu.tflite", "b_edgetpu.tflite")
    assert yard.files == before | {"edgetpu.lock"}
    assert clean(yard.project()) == ()
    assert states(yard.build()) == {"a": "cached", "b": "cached"}


def test_what_somebody_changed_stays(yard: Yard) -> None:
    yard.models(a="a.tflite")
    yard.write("a.tflite", "aaa")
    yard.build()
    yard.write("a_edgetpu.tflite", "mine")
    assert clean(yard.project()) == ()
    assert yard.read("a_edgetpu.tflite") == b"mine"


def test_without_a_lock_nothing_is_ours(yard: Yard) -> None:
    yard.models(a="a.tflite")
    yard.write("a.tflite", "aaa")
    yard.write("a_edgetpu.tflite", "whose?")
    assert clean(yard.project()) == ()

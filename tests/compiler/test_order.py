"""The order of a co-compile group."""

from __future__ import annotations

from edgetpu_build.compiler.interface import Options
from edgetpu_build.compiler.order import best_order
from edgetpu_build.tflite.model import Model
from edgetpu_build.tflite.reader import read
from tests.support.models import dense_net


def large() -> Model:
    """About 5 MB of parameters: one fits, two do not."""
    return read(dense_net(layers=2, units=1600, inputs=1600))


def test_the_model_that_is_called_most_comes_first() -> None:
    assert best_order([large(), large()], Options(generation="15.0"), [1.0, 30.0]) == (1, 0)


def test_the_order_given_wins_a_tie() -> None:
    assert best_order([large(), large()], Options(generation="15.0"), [1.0, 1.0]) == (0, 1)


def test_sixteen_does_not_care() -> None:
    assert best_order([large(), large()], Options(), [1.0, 30.0]) == (0, 1)


def test_of_many_models_each_comes_first_once() -> None:
    models = [read(dense_net()) for _ in range(6)] + [large()]
    order = best_order([*models, large()], Options(generation="15.0"), [1.0] * 7 + [9.0])
    assert sorted(order) == list(range(8))
    assert order.index(7) < order.index(6)

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.compiler.reweight.constants import bits, clamps, closest, ratio, rationals, roles
from edgetpu_build.compiler.reweight.graphs import Graph
from edgetpu_build.tflite.model import Quantization, Subgraph, Tensor
from edgetpu_build.tflite.reader import read
from tests.reweight import nets
from tests.support import silicon

SCALE = st.floats(2**-20, 1024, width=32)


def tensor(scale: float, zero_point: int) -> Tensor:
    return Tensor(
        name="t", shape=(1, 4), type="INT8", quantization=Quantization(scale=(scale,), zero_point=(zero_point,))
    )


@given(st.floats(1e-6, 1, exclude_min=True))
def test_the_closest_fraction(value: float) -> None:
    found = Fraction(value).limit_denominator(32767)
    assert closest(value, 32767) == (found.numerator, found.denominator)


@given(SCALE, st.integers(-128, 127), st.sampled_from(["NONE", "RELU", "RELU6"]))
def test_clamps_are_those_of_32_bit_floats(scale: float, zero_point: int, activation: str) -> None:
    result = tensor(scale, zero_point)
    assert clamps(result, activation) == tuple(bits(value) for value in silicon.clamps(result, activation))


@given(SCALE, SCALE)
def test_multipliers_are_those_of_32_bit_floats(source: float, result: float) -> None:
    assert ratio(source, result) == bits(silicon.ratio(source, tensor(result, 0)))


@given(SCALE, SCALE)
def test_factors_of_a_sum(first: float, second: float) -> None:
    quotient = first / second
    step, pair = rationals(tensor(first, 0), tensor(second, 0))
    if not 1 / 32767 < quotient < 32767:
        assert pair == (0, 0)
    else:
        assert max(pair) <= 32767
        assert abs(pair[0] / pair[1] / quotient - 1) < 1e-3
        assert step == pytest.approx(max(first, second) / max(pair), rel=1e-6)


def graph(*, per_channel: bool = False) -> Graph:
    main: Subgraph = read(nets.model(nets.facts(per_channel=per_channel))).main
    return Graph(main, frozenset(range(len(main.operators))), "16.0")


def test_what_a_convolution_must_show() -> None:
    for per_channel in (False, True):
        found = graph(per_channel=per_channel)
        (role,) = roles(found, 0)
        assert role.name == "weights"
        assert role.needed
        assert role.arrays == (7 if per_channel else 1)
        assert role.lanes == (16, 16)


def test_an_operator_without_parameters_is_read_from_its_tensors() -> None:
    found = graph()
    kinds = [operator.kind for operator in found.operators]
    (role,) = roles(found, kinds.index("LOGISTIC"))
    source = found.input(kinds.index("LOGISTIC"), 0)
    assert source is not None
    assert source.quantization is not None
    assert role.constants.multiplier == bits(source.quantization.scale[0])


def test_unknown_operators_have_no_roles() -> None:
    found = graph()
    found.operators = (replace(found.operators[0], kind="TANH"),)
    assert roles(found, 0) == ()

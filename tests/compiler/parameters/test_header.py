"""What stands in front of the weights, and in which generation."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.compiler.parameters import header
from edgetpu_build.compiler.parameters.generation import GENERATIONS
from tests.compiler.parameters.made import Made

SCALES = st.floats(2.0**-20, 2.0**4, width=32)


@given(SCALES, st.lists(SCALES, min_size=2, max_size=40), SCALES)
def test_multipliers_are_those_of_32_bit_arithmetic(source, scales, result) -> None:
    made = Made()
    x, y = made.tensor(1, scale=[source]), made.tensor(1, scale=[result])
    found = header.multipliers(made.tensors[x], scales, made.tensors[y])
    f32 = np.float32
    expected = (f32(source) * np.array(scales, f32)) * (f32(1) / f32(result))
    if found is None:
        assert (expected == expected[0]).all()
    else:
        assert found().tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("bias", "folding", "depthwise"),
    [
        ([5, -7, 5, 5], (), ()),
        ([5, 5, 5, 5], ("15.0", "16.0"), ("16.0",)),
        ([0, 0, 0, 0], ("15.0", "16.0"), ("16.0",)),
        ([5, 5, 5], (), ()),
        ([0, 0, 0], ("15.0", "16.0"), ("16.0",)),
        ([0], ("14.1", "15.0", "16.0"), ("14.1", "15.0", "16.0")),
        ([3], (), ()),
    ],
)
def test_which_generations_leave_a_bias_out(
    bias: list[int], folding: tuple[str, ...], depthwise: tuple[str, ...]
) -> None:
    values, known = array("i", bias), GENERATIONS.items()
    assert tuple(name for name, each in known if header.folded(values, each)) == folding
    assert tuple(name for name, each in known if header.folded(values, each, depthwise=True)) == depthwise


def test_a_bias_of_the_wrong_size_is_none() -> None:
    made = Made()
    assert header.biases(made.tensors[made.integers(1, 2, 3)], 4) is None

"""Work from a model's operators."""

from __future__ import annotations

from edgetpu_build.latency import work
from edgetpu_build.tflite.model import Operator, Subgraph, Tensor


def graph(*shapes: tuple[int, ...]) -> tuple[Tensor, ...]:
    return tuple(Tensor(name=str(i), shape=shape, type="INT8") for i, shape in enumerate(shapes))


def of(operator: Operator, tensors: tuple[Tensor, ...]) -> work.Work:
    return work.of(Subgraph(name="", tensors=tensors, inputs=(), outputs=(), operators=(operator,)), operator)


def test_a_convolution_counts_steps_of_the_fullest_tile() -> None:
    weights = Tensor(name="w", shape=(65, 3, 3, 5), type="INT8", data=memoryview(b""))
    found = of(Operator(kind="CONV_2D", inputs=(0, 2), outputs=(1,)), (*graph((1, 9, 9, 5), (1, 9, 9, 65)), weights))
    assert found.array == 3 * 3 * 2 * 9 * 2  # 3 x 3 positions, 2 chunks of 64, 9 taps, 2 groups of 4 inputs
    assert found.activations == 9 * 9 * 70
    assert not found.narrow


def test_a_sum_reads_two_maps_and_a_constant_none() -> None:
    tensors = graph((1, 8, 8, 4), (1, 8, 8, 4), (1, 8, 8, 4))
    both = of(Operator(kind="ADD", inputs=(0, 1), outputs=(2,)), tensors)
    constant = Tensor(name="c", shape=(4,), type="INT8", data=memoryview(b"1234"))
    one = of(Operator(kind="ADD", inputs=(0, 3), outputs=(2,)), (*tensors, constant))
    assert both.activations - one.activations == 8 * 8 * 4


def test_a_dense_layer_over_a_map_is_a_convolution() -> None:
    weights = Tensor(name="w", shape=(10, 16), type="INT8", data=memoryview(b""))
    dense = Operator(kind="FULLY_CONNECTED", inputs=(0, 2, -1), outputs=(1,))
    vector = of(dense, (*graph((1, 16), (1, 10)), weights))
    many = of(dense, (*graph((1, 7, 7, 16), (1, 7, 7, 10)), weights))
    assert (vector.kind, vector.array) == ("FULLY_CONNECTED", 0)
    assert vector.dense
    assert many.array == 2 * 2 * 4


def test_a_batch_multiplies_the_rows_and_missing_dimensions_are_one() -> None:
    assert work.shape(Tensor(name="", shape=(2, 3, 4, 5))) == (6, 4, 5)
    assert work.shape(Tensor(name="", shape=(7,))) == (1, 1, 7)
    assert work.shape(Tensor(name="", shape=())) == (1, 1, 1)

"""Graphs that no reader should let through: no layout may raise, and its blob still has the size that it says."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from edgetpu_build.compiler import parameters
from edgetpu_build.tflite.model import Subgraph, Tensor
from tests.compiler.parameters.made import Made

UNTRIED = {"BATCH_MATMUL", "L2_NORMALIZATION", "MAXIMUM", "MINIMUM", "RSQRT", "SPACE_TO_DEPTH", "SQUARED_DIFFERENCE"}
SIZES = [0, 1, 2, 3, 4, 5, 1000, 1 << 20]


def every_kind() -> Subgraph:
    """A graph in which every kind of operator stands once, or nearly."""
    made = Made()
    x = made.conv(made.tensor(1, 8, 8, 6), 10, 3)
    weights = made.constant(1, 3, 3, 10, scale=[0.1 + k / 99 for k in range(10)])
    x = made.op("DEPTHWISE_CONV_2D", x, weights, made.integers(*range(10)), shape=(1, 8, 8, 10))
    y = made.op("TRANSPOSE", x, made.integers(0, 3, 1, 2), shape=(1, 10, 8, 8))
    made.op("RESHAPE", y, made.integers(1, 10, 64), shape=(1, 10, 64))
    left, right = made.tensor(1, 8, 8, 3), made.tensor(1, 8, 8, 7)
    made.op("SPLIT", made.integers(3), x, shape=(1, 8, 8, 5))
    made.op("CONCATENATION", left, right, shape=(1, 8, 8, 10))
    for kind in ("ADD", "SUB", "MUL", "PRELU"):
        x = made.op(kind, x, made.constant(1, 1, 10), shape=(1, 8, 8, 10))
    x = made.op("AVERAGE_POOL_2D", x, shape=(1, 8, 8, 10), padding="SAME", filter_height=3, filter_width=3)
    numbers = [made.integers(0, 0, 0, 2), made.integers(1, 8, 8, 10), made.integers(1, 1, 1, 1)]
    x = made.op("STRIDED_SLICE", x, *numbers, shape=(1, 8, 8, 8))
    made.op("SLICE", x, made.integers(0, 0, 0, 2), made.integers(1, 8, 8, 3), shape=(1, 8, 8, 3))
    x = made.op("PAD", x, made.integers(0, 0, 0, 0, 0, 0, 0, 5), shape=(1, 8, 8, 13))
    made.op(
        "TRANSPOSE_CONV", made.integers(1, 16, 16, 4), made.constant(4, 3, 3, 13), x, shape=(1, 16, 16, 4), stride_h=2
    )
    x = made.op("RESHAPE", x, made.integers(1, 832), shape=(1, 832))
    x = made.op("FULLY_CONNECTED", x, made.constant(7, 832), made.integers(*range(7)), shape=(1, 7))
    made.op("SOFTMAX", x, shape=(1, 7))
    w = made.op("RESHAPE", x, made.integers(1, 7), shape=(1, 7))
    made.op("FULLY_CONNECTED", made.constant(5, 7), w, -1, shape=(5, 1))
    made.op("PACK", x, made.constant(1, 7), shape=(2, 1, 7))
    gates = [made.constant(6, 9) for _ in range(4)] + [made.constant(6, 6) for _ in range(4)]
    biases = [made.integers(*range(6)) for _ in range(4)]
    made.op("UNIDIRECTIONAL_SEQUENCE_LSTM", made.tensor(1, 4, 9), *gates, -1, -1, -1, *biases, shape=(1, 4, 6))
    return made.subgraph()


def mutated(tensor: Tensor, dice: random.Random) -> Tensor:
    quantization = tensor.quantization
    match dice.randrange(7):
        case 0:
            return replace(tensor, shape=tuple(dice.choice(SIZES) for _ in tensor.shape))
        case 1:
            return replace(tensor, shape=tensor.shape[: dice.randrange(5)])
        case 2:
            return replace(tensor, shape=(*tensor.shape, dice.choice(SIZES)))
        case 3:
            return replace(tensor, quantization=None)
        case 4:
            return replace(tensor, data=None)
        case 5:
            return replace(tensor, type=dice.choice(["INT8", "UINT8", "INT32", "FLOAT32", "INT64"]))
    if quantization is None:
        return tensor
    scale = dice.choice([(), (0.0,), (1e38, 1e-38), quantization.scale[:1]])
    zero = dice.choice([(), (0,), (300,), quantization.zero_point])
    return replace(tensor, quantization=replace(quantization, scale=scale, zero_point=zero))


@pytest.mark.parametrize("seed", range(4))
def test_no_layout_raises(seed: int) -> None:
    dice, subgraph = random.Random(seed), every_kind()
    mapped = frozenset(range(len(subgraph.operators)))
    for _ in range(120):
        tensors = list(subgraph.tensors)
        for number in dice.choices(range(len(tensors)), k=3):
            tensors[number] = mutated(tensors[number], dice)
        number = dice.choice([-1, 0, 1, 7, 1 << 30])
        names = ("stride_h", "stride_w", "dilation_h_factor", "dilation_w_factor", "filter_height", "begin_mask")
        operators = [replace(o, options={**o.options, dice.choice(names): number}) for o in subgraph.operators]
        broken = replace(subgraph, tensors=tuple(tensors), operators=tuple(operators))
        for layer in parameters.layers(broken, generation=dice.choice(sorted(parameters.GENERATIONS)), mapped=mapped):
            if layer.size < 1 << 20:
                blob = layer.blob()
                assert len(blob) == layer.size
                layer.unpack(blob)


def test_every_kind_that_has_a_rule_is_tried() -> None:
    assert {operator.kind for operator in every_kind().operators} >= set(parameters.RULES) - UNTRIED

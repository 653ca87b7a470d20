"""Scales that TensorFlow Lite refuses, on both sides of each bound."""

from __future__ import annotations

import math

import pytest

from edgetpu_build.compiler.scales import unusable
from edgetpu_build.errors import Diagnostic
from edgetpu_build.tflite.model import Quantization
from tests.support.graphs import Graph


def of(*scales: float) -> Quantization:
    return Quantization(scale=scales, zero_point=(0,) * len(scales))


def layer(
    kind: str = "FULLY_CONNECTED",
    *,
    dtype: str = "INT8",
    bias: float = 0.01,
    weights: tuple[float, ...] = (0.1,),
    output: float = 0.05,
    activation: str = "NONE",
) -> list[Diagnostic]:
    """One layer whose input has the scale 0.1."""
    graph = Graph(dtype)
    inputs = [
        graph.tensor((1, 4), quantization=of(0.1), name="x"),
        graph.tensor((4, 4), quantization=of(*weights), data=memoryview(bytes(16)), name="w"),
        graph.tensor((4,), "INT32", quantization=of(bias), data=memoryview(bytes(16)), name="b"),
    ]
    made = graph.op(kind, *inputs, fused_activation_function=activation)
    graph.tensors[made] = graph.tensors[0].__class__(name="y", shape=(1, 4), type=dtype, quantization=of(output))
    return list(unusable(graph.subgraph(made)))


def test_what_converters_write() -> None:
    assert layer() == []
    assert layer("CONV_2D", dtype="UINT8", activation="RELU6") == []


@pytest.mark.parametrize("scale", [0.0, -1.0, math.inf, math.nan])
def test_no_scale_at_all(scale: float) -> None:
    (found,) = layer(output=scale, bias=0.01)
    assert (found.code, found.severity) == ("ETB319", "warning")
    assert "`y`" in found.message


@pytest.mark.parametrize(("bias", "count"), [(0.01, 0), (0.0109, 0), (0.0111, 1), (0.1, 1)])
def test_bias_apart_from_its_layer(bias: float, count: int) -> None:
    found = layer(bias=bias)
    assert len(found) == count
    for told in found:
        assert (told.code, told.severity) == ("ETB319", "error")
        assert "`b`" in told.message
        assert "0.01" in told.message


def test_only_kernels_that_compare_are_asked() -> None:
    assert layer("CONV_2D", bias=1.0) == []
    assert len(layer("CONV_2D", bias=1.0, dtype="UINT8")) == 1
    assert layer(bias=1.0, weights=(0.1, 0.2, 0.3, 0.4)) == []
    assert layer("ADD", bias=1.0) == []


@pytest.mark.parametrize(("activation", "scale", "count"), [("RELU6", 2e-9, 1), ("RELU6", 3e-9, 0), ("RELU", 1e-30, 0)])
def test_bound_out_of_reach(activation: str, scale: float, count: int) -> None:
    found = layer("CONV_2D", output=scale, activation=activation)
    assert len(found) == count
    assert all("RELU6 does not fit 32 bits" in told.message for told in found)

"""Models that a file can hold but no compiler can mean."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from edgetpu_build.compiler.builtin import Builtin
from edgetpu_build.compiler.interface import Options, Request, Source
from edgetpu_build.compiler.wellformed import check
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.tflite.model import Operator, Subgraph
from edgetpu_build.tflite.reader import read
from tests.support.models import Net, branching_net, conv_net, mobilenet_like


def graph(data: bytes) -> Subgraph:
    return read(data).main


def refused(subgraph: Subgraph) -> str:
    with pytest.raises(EdgeTpuBuildError) as caught:
        check(subgraph, range(len(subgraph.operators)))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "ETB302"
    return diagnostic.message


def with_operator(subgraph: Subgraph, index: int, operator: Operator) -> Subgraph:
    operators = list(subgraph.operators)
    operators[index] = operator
    return replace(subgraph, operators=tuple(operators))


def with_shape(subgraph: Subgraph, tensor: int, *shape: int) -> Subgraph:
    tensors = list(subgraph.tensors)
    tensors[tensor] = replace(tensors[tensor], shape=shape)
    return replace(subgraph, tensors=tuple(tensors))


@pytest.mark.parametrize("data", [conv_net(), mobilenet_like(), branching_net(), conv_net(dtype="UINT8")])
def test_sound_models_pass(data: bytes) -> None:
    subgraph = graph(data)
    check(subgraph, range(len(subgraph.operators)))


def test_missing_inputs_and_outputs_are_named() -> None:
    subgraph = graph(conv_net())
    first = subgraph.operators[0]
    assert "operator 0 (CONV_2D) lacks inputs: it needs 2" in refused(
        with_operator(subgraph, 0, replace(first, inputs=first.inputs[:1]))
    )
    assert "lacks inputs" in refused(with_operator(subgraph, 0, replace(first, inputs=(-1, *first.inputs[1:]))))
    assert "lacks an output" in refused(with_operator(subgraph, 0, replace(first, outputs=())))


def test_shapes_that_do_not_belong_together_are_refused() -> None:
    subgraph = graph(conv_net())
    weights, out = subgraph.operators[0].inputs[1], subgraph.operators[0].outputs[0]
    assert "channels that do not fit" in refused(with_shape(subgraph, weights, 16, 3, 3, 5))
    assert "four dimensions" in refused(with_shape(subgraph, weights, 16, 27))
    assert "window does not give" in refused(with_shape(subgraph, out, 1, 30, 32, 16))
    assert "empty tensor" in refused(with_shape(subgraph, out, 1, 0, 32, 16))


def test_a_stride_of_zero_is_refused() -> None:
    subgraph = graph(conv_net())
    first = subgraph.operators[0]
    assert "stride" in refused(with_operator(subgraph, 0, replace(first, options={**first.options, "stride_h": 0})))


def test_parts_that_do_not_add_up_are_refused() -> None:
    net = Net()
    x = net.input((1, 8, 8, 8))
    subgraph = graph(net.build([net.concat(net.split(x, 2))]))
    joined = subgraph.operators[1].outputs[0]
    assert "do not add up" in refused(with_shape(subgraph, joined, 1, 8, 8, 9))
    net = Net()
    flat = graph(net.build([net.reshape(net.input((1, 8, 8, 8)), (1, 512))]))
    assert "number of elements" in refused(with_shape(flat, flat.operators[0].outputs[0], 1, 511))


@pytest.mark.parametrize("seed", range(4))
def test_damaged_models_end_in_a_result_or_an_error_of_ours(seed: int) -> None:
    """Flipped bytes anywhere in a file, compiled in every way; the long run is the engine's."""
    rng = random.Random(seed)
    models = [conv_net(channels=4, size=8), branching_net(), mobilenet_like(0.1, 32)]
    ways = [Options(), Options(segments=2), Options(generation="1.0"), Options(delegate_step=3)]
    for _ in range(60):
        data = bytearray(rng.choice(models))
        for _ in range(rng.choice([1, 2, 8])):
            data[rng.randrange(len(data))] = rng.choice([0, 1, 127, 128, 255])
        assert exit_code(bytes(data), rng.choice(ways)) in {0, 2, 3}


def exit_code(data: bytes, options: Options) -> int:
    try:
        request = Request(sources=(Source(label="damaged", data=data),), options=options)
        Builtin().compile(request, timeout=10, progress=lambda _: None)
    except EdgeTpuBuildError as problem:
        return problem.exit_code
    return 0

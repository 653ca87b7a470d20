"""What a tile holds: the rules that public files of Google's compiler show, each on its own."""

from __future__ import annotations

import pytest

from edgetpu_build.compiler.activation import Activation, analyse
from edgetpu_build.compiler.footprint import Axis, fullest, joined, spans, tile_bytes
from edgetpu_build.tflite.model import Model, Operator, Subgraph, Tensor
from edgetpu_build.tflite.reader import read
from tests.fidelity import models
from tests.support.models import Net, mobilenet_like


def need(data: bytes, runtime: int = 14, compiler: str = "") -> Activation:
    subgraph = read(data).main
    return analyse(subgraph, range(len(subgraph.operators)), runtime, compiler)


def public(name: str) -> tuple[Model, tuple[int, ...], int]:
    """A public model by a part of its name, what of it is mapped, and what Google's file says that a tile needs."""
    graphs, rows = models.facts()
    row = next(row for row in rows if name in row["graph"] and row.get("executables"))
    needs = [narrow for kind, _, narrow, _ in row["executables"] if kind != "PARAMETER_CACHING"]
    return models.model(graphs[row["graph"]]), tuple(row["tpu_ops"]), needs[0]


def test_windows_that_reach_to_different_sides_are_stored_together() -> None:
    """A 3 x 3 with padding starts one row before, a 5 x 5 without ends three after: 12 rows, not 11."""
    same = spans(32, 32, Axis(3), same=True)
    valid = spans(32, 28, Axis(5), same=False)
    assert fullest(same) == 10
    assert fullest(valid) == 11
    assert fullest(tuple(map(joined, same, valid))) == 12


def test_a_product_of_two_maps_is_four_bytes_wide() -> None:
    def both(kind: str) -> int:
        net = Net()
        x = net.conv(net.input((1, 16, 16, 4)), 8, kernel=1)
        y = net.conv(net.input((1, 16, 16, 4)), 8, kernel=1)
        return need(net.build([net.like(kind, x, y)])).peak

    own = tile_bytes((1, 16, 16, 8))
    assert both("ADD") == 3 * own
    assert both("MUL") == 3 * own + 4 * own + 4


@pytest.mark.parametrize("name", ["8n_full_integer_quant_320", "conv_nin", "pong_10_quant8"])
def test_public_networks_to_the_byte(name: str) -> None:
    model, mapped, theirs = public(name)
    assert analyse(model.main, mapped, 14, "16.0").per_tile.value == theirs


def test_a_network_of_plain_convolutions_is_called_exact_from_compiler_2_on() -> None:
    data = mobilenet_like(1.0, 224, 1000)
    assert need(data, 12).per_tile.confidence == "exact"
    assert need(data, 10).per_tile.confidence == "estimated"


def test_what_no_rule_covers_is_an_estimate() -> None:
    net = Net()
    x = net.input((1, 64))
    assert need(net.build([net.dense(x, 64)])).per_tile.confidence == "estimated"


def test_products_are_known_from_one_figure_only_and_so_never_called_exact() -> None:
    net = Net()
    x = net.conv(net.input((1, 64, 64, 4)), 16, kernel=1)
    assert need(net.build([net.like("MUL", x, x)])).per_tile.confidence == "estimated"


def test_a_wide_input_from_the_host_is_an_estimate() -> None:
    net = Net()
    x = net.conv(net.input((1, 16, 16, 32)), 32)
    assert need(net.build([x])).per_tile.confidence == "estimated"


@pytest.mark.parametrize(("runtime", "compiler", "bytes_"), [(14, "16.0", 1780), (12, "15.0", 1796), (12, "2.1", 1812)])
def test_a_quantised_image_that_becomes_a_vector_is_packed_by_rows(runtime: int, compiler: str, bytes_: int) -> None:
    """Dense networks on 28 x 28 of three compilers, whatever their number of outputs."""
    tensors = tuple(
        Tensor(name=name, shape=shape, shape_signature=(), type="INT8", buffer=0, quantization=None, data=None)
        for name, shape in (("in", (1, 28, 28)), ("q", (1, 28, 28)), ("flat", (1, 784)))
    )
    operators = (
        Operator(kind="QUANTIZE", inputs=(0,), outputs=(1,)),
        Operator(kind="RESHAPE", inputs=(1,), outputs=(2,)),
    )
    subgraph = Subgraph(name="main", tensors=tensors, inputs=(0,), outputs=(2,), operators=operators)
    assert analyse(subgraph, (0, 1), runtime, compiler).peak == bytes_

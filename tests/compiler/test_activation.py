"""Activation memory of a tile: numbers that stand in files of Google's compiler, and what follows from the grid."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.chip.facts import TILE_ACTIVATION_BYTES
from edgetpu_build.compiler.activation import Activation, OperatorActivation, analyse, likelihood, warn
from edgetpu_build.compiler.footprint import Axis, extent, map_shape, tile_bytes
from edgetpu_build.figure import Figure
from edgetpu_build.tflite.model import Subgraph
from edgetpu_build.tflite.reader import read
from tests.support.models import Net, mobilenet_like


def whole(data: bytes, runtime: int = 14) -> tuple[Subgraph, Activation]:
    subgraph = read(data).main
    return subgraph, analyse(subgraph, range(len(subgraph.operators)), runtime)


def test_the_grid_deals_out_rows_and_columns_and_keeps_channels_whole() -> None:
    assert tile_bytes((1, 8, 8, 3)) == 2 * 2 * 4
    assert tile_bytes((1, 9, 8, 4)) == 3 * 2 * 4
    assert tile_bytes((1, 1000)) == 1000
    assert map_shape((2, 4, 5, 6)) == (8, 5, 6)
    assert map_shape(()) == (1, 1, 1)


@pytest.mark.parametrize(
    ("size", "out", "axis", "rows"),
    [
        (32, 32, Axis(1), 8),
        (32, 32, Axis(3), 10),
        (32, 16, Axis(3, 2), 9),
        (150, 75, Axis(3, 2), 40),
        (30, 15, Axis(2, 2), 9),
        (32, 32, Axis(3, 1, 2), 12),
    ],
)
def test_a_window_adds_its_halo(size: int, out: int, axis: Axis, rows: int) -> None:
    assert extent(size, out, axis, same=True) == rows


@pytest.mark.parametrize(("width", "runtime"), [(1.0, 14), (1.0, 12)])
def test_mobilenet_v2_needs_what_its_public_compiles_say(width: float, runtime: int) -> None:
    """99,552 bytes: the widest expansion of every public MobileNet v2 at 224 x 224, compilers 1.0 to 16.0."""
    _, activation = whole(mobilenet_like(width, 224, 1000), runtime)
    assert activation.peak == 99_552


def test_what_shares_a_buffer_costs_nothing() -> None:
    net = Net()
    x = net.conv(net.input((1, 16, 16, 4)), 8, kernel=1)
    plain = whole(net.build([x]))[1].peak
    net = Net()
    x = net.conv(net.input((1, 16, 16, 4)), 8, kernel=1)
    assert whole(net.build([net.reshape(x, (1, 256, 8))]))[1].peak == plain


def test_a_skip_connection_is_carried() -> None:
    net = Net()
    x = net.conv(net.input((1, 16, 16, 4)), 8, kernel=1)
    y = net.conv(net.conv(x, 8, kernel=1), 8, kernel=1)
    _, activation = whole(net.build([net.add(x, y)]))
    assert activation.carried == tile_bytes((1, 16, 16, 8))
    assert activation.carried_at == 2


def test_operators_above_a_tile_are_banded_with_their_neighbours() -> None:
    net = Net()
    x = net.conv(net.input((1, 256, 256, 4)), 4, kernel=1)
    x = net.conv(net.conv(x, 64, kernel=1), 4, kernel=1, stride=4)
    x = net.conv(net.conv(x, 4, kernel=1), 4, kernel=1)
    _, activation = whole(net.build([x]))
    assert activation.peak > TILE_ACTIVATION_BYTES
    assert [op.banded for op in activation.operators] == [True, True, True, True, False]
    assert activation.per_tile.high == TILE_ACTIVATION_BYTES
    assert (activation.per_tile.value or 0) <= TILE_ACTIVATION_BYTES


def test_only_carried_bytes_make_a_failure_likely() -> None:
    assert likelihood(Activation(peak=6 * TILE_ACTIVATION_BYTES, operators=(_over(),))) < 0.35
    assert likelihood(Activation(carried=TILE_ACTIVATION_BYTES + 1)) == 0.9
    assert likelihood(Activation()) == 0.02


def _over() -> OperatorActivation:
    return OperatorActivation(index=0, bytes=2 * TILE_ACTIVATION_BYTES)


def test_a_likely_failure_is_a_warning_that_names_operator_and_way_out() -> None:
    net = Net()
    subgraph = read(net.build([net.conv(net.input((1, 8, 8, 4)), 4)])).main
    told = warn(subgraph, Activation(carried=TILE_ACTIVATION_BYTES + 1, carried_at=0))
    assert told
    assert told.severity == "warning"
    assert "operator 0 (CONV_2D)" in told.message
    assert told.hint
    assert warn(subgraph, Activation()) is None


def test_instructions_are_always_an_estimate_with_a_range() -> None:
    _, activation = whole(mobilenet_like(0.25, 96))
    figure: Figure = activation.instructions
    assert figure.confidence == "estimated"
    assert (figure.low or 0) < (figure.value or 0) < (figure.high or 0)


@given(st.integers(1, 300), st.integers(1, 7), st.integers(1, 3))
def test_an_extent_is_at_least_the_own_part_and_at_most_all_with_padding(size: int, kernel: int, stride: int) -> None:
    out = -(-size // stride)
    rows = extent(size, out, Axis(kernel, stride), same=True)
    assert -(-size // 4) <= rows <= size + 2 * kernel + stride

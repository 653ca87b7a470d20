"""Room for parameters: against what Google's compiler printed."""

from __future__ import annotations

import pytest

from edgetpu_build.chip.facts import MIB
from edgetpu_build.compiler.activation import Activation, analyse
from edgetpu_build.compiler.capacity import POOL_BYTES, Member, room, segment_room
from edgetpu_build.figure import estimated, exact
from edgetpu_build.tflite.reader import read
from tests.support.models import Net, mobilenet_like


def member(data: bytes, runtime: int) -> Member:
    subgraph = read(data).main
    mapped = range(len(subgraph.operators))
    return subgraph, mapped, analyse(subgraph, mapped, runtime)


@pytest.mark.parametrize(
    ("generation", "runtime", "printed"), [("15.0", 12, 7.81), ("14.1", 12, 6.91), ("2.1", 12, 6.91), ("2.0", 12, 6.92)]
)
def test_mobilenet_v2_has_the_room_that_was_printed(generation: str, runtime: int, printed: float) -> None:
    """Within the stated range; the global pool takes 16 x 62,720 bytes before 15.0."""
    figure = room(generation, [member(mobilenet_like(1.0, 224, 1000), runtime)])
    assert figure.confidence == "estimated"
    assert (figure.low or 0) <= printed * MIB <= (figure.high or 0)


def test_several_models_of_sixteen_have_a_constant_room() -> None:
    small = member(mobilenet_like(0.25, 96), 14)
    assert room("16.0", [small, small], models=2).value == POOL_BYTES
    assert room("15.0", [small, small], models=2) == room("15.0", [small])


def test_the_largest_executable_counts_not_the_sum() -> None:
    small, large = member(mobilenet_like(0.25, 96), 12), member(mobilenet_like(1.0, 224), 12)
    assert room("15.0", [small, large], models=2) == room("15.0", [large])


def test_nothing_mapped_has_no_room() -> None:
    assert room("16.0", []) == exact(0)


def test_activations_above_a_tile_leave_a_wide_range() -> None:
    subgraph, mapped, _ = member(mobilenet_like(0.25, 96), 14)
    banded = Activation(peak=1 << 20, instructions=estimated(1000, 500, 2000))
    figure = room("16.0", [(subgraph, mapped, banded)])
    assert (figure.low, figure.high) == (6.3 * MIB, 7.75 * MIB)


def test_a_segment_pays_for_what_its_first_operator_needs_beyond_a_tile() -> None:
    net = Net()
    small = member(net.build([net.conv(net.input((1, 16, 16, 4)), 8)]), 14)
    assert segment_room("16.0", *small).value == POOL_BYTES
    net = Net()
    large = member(net.build([net.conv(net.input((1, 64, 64, 600)), 600)]), 14)
    needed = 2 * 16 * 16 * 600
    assert segment_room("16.0", *large).value == POOL_BYTES - 16 * (needed - (192 << 10))

"""Selection matrices do what they are for: multiplied with channels, they move them."""

from __future__ import annotations

import pytest

from edgetpu_build.compiler.parameters import selection
from edgetpu_build.compiler.parameters.selection import Selection


def apply(matrix: Selection, *cells: list[int]) -> list[int]:
    """The lanes that come out for these input cells."""
    values = [value for cell in cells for value in cell + [0] * (matrix.channels - len(cell))]
    row, data = len(values), matrix.matrix().data
    return [
        sum(w * v for w, v in zip(data[lane * row : (lane + 1) * row], values, strict=True))
        for lane in range(matrix.lanes)
    ]


def test_spread_collect_and_pack_turn_channels_into_rows() -> None:
    first, second = apply(selection.spread(3), [1, 2, 3]), apply(selection.spread(3), [4, 5, 6])
    assert first == [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]
    for channel, row in enumerate(([1, 4], [2, 5], [3, 6])):
        values = [[cell[4 * channel]] for cell in (first, second)]
        assert apply(selection.pack(2), apply(selection.collect(2), *values)) == row


def test_join_closes_gaps_and_shift_moves_to_the_start() -> None:
    assert apply(selection.join([2, 3], spatial=True), [1, 2, 0, 0, 3, 4, 5, 0]) == [1, 2, 3, 4, 5]
    assert apply(selection.shift(2, 3, spatial=True), [0, 0, 1, 2, 3, 0, 0, 0]) == [1, 2, 3]


def test_join_takes_the_parts_of_a_split_where_they_are() -> None:
    assert apply(selection.join([2, 2], spatial=False, offsets=[0, 2]), [1, 2, 0, 0, 0, 0, 3, 4]) == [1, 2, 3, 4]


def test_absurd_sizes_cost_nothing_until_bytes_are_asked_for() -> None:
    assert selection.flatten(1 << 20, 1 << 10).size > 1 << 60


def test_flatten_gather_and_widen() -> None:
    assert apply(selection.flatten(2, 3), [1, 2, 3, 0], [4, 5, 6, 0]) == [1, 2, 3, 4, 5, 6]
    assert apply(selection.gather(3), [1], [2], [3]) == [1, 2, 3]
    assert apply(selection.widen(2, 4), [1, 2]) == [1, 2, 0, 0]


@pytest.mark.parametrize(
    ("matrix", "size"),
    [
        # the head of a YOLOv8 at 10 x 10, a level at a time, as read from 19 public compiles
        (selection.spread_block(), 64),
        (selection.collect(10), 1920),
        (selection.pack(10), 640),
        (selection.flatten(10, 10), 15872),
        (selection.collect(20), 10240),
        (selection.pack(20), 2560),
        (selection.gather(16), 1088),
        (selection.gather(9), 640),
    ],
)
def test_sizes(matrix: Selection, size: int) -> None:
    assert matrix.size == len(matrix.blob()) == size


@pytest.mark.parametrize("matrix", [selection.spread(5), selection.join([2, 3], spatial=False), selection.gather(4)])
def test_a_header_holds_zeros_and_nothing_is_given_back(matrix: Selection) -> None:
    lanes = -(-matrix.lanes // 16) * 16
    assert matrix.blob()[: 4 * lanes] == bytes(4 * lanes)
    assert matrix.unpack(matrix.blob()) == {}

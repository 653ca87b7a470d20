"""How a tensor lies on the grid of 4 x 4 tiles, and what of it a window reads."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from edgetpu_build.chip.facts import CHANNEL_ALIGNMENT, TILE_ROWS
from edgetpu_build.tflite.model import Operator, Tensor

GRID = TILE_ROWS  # as many tiles along the columns
WINDOWS = {"CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "AVERAGE_POOL_2D"}
POOLS = {"AVERAGE_POOL_2D", "MEAN", "SUM"}


def up(value: int, step: int) -> int:
    """``value`` rounded up to a multiple of ``step``."""
    return -(-value // step) * step


def part(length: int) -> int:
    """Rows (or columns) of the largest of the four tiles along an axis."""
    return -(-length // GRID)


def map_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    """(rows, columns, channels): missing leading dimensions are 1, a batch multiplies the rows."""
    rows, columns, channels = (1, 1, 1, *shape)[-3:]
    return rows * prod(shape[:-3]), columns, channels


def tile_bytes(shape: Sequence[int]) -> int:
    """Bytes of an 8-bit tensor in the fullest tile, without halo."""
    rows, columns, channels = map_shape(shape)
    return part(rows) * part(columns) * up(channels, CHANNEL_ALIGNMENT)


class Axis(NamedTuple):
    """A window along rows or columns."""

    kernel: int
    stride: int = 1
    dilation: int = 1


class Window(NamedTuple):
    """What a convolution or pool reads for one output position. ``same``: padding is added so that strides divide."""

    rows: Axis
    columns: Axis
    same: bool

    @classmethod
    def of(cls, op: Operator, tensors: Sequence[Tensor]) -> Window | None:
        """The operator's window; None for operators without one."""
        if op.kind not in WINDOWS:
            return None
        get = op.options.get
        strides = get("stride_h", 1), get("stride_w", 1)
        if op.kind.endswith("POOL_2D"):
            rows = Axis(get("filter_height", 1), strides[0])
            columns = Axis(get("filter_width", 1), strides[1])
        else:
            kernel = tensors[op.inputs[1]].shape
            rows = Axis(kernel[1], strides[0], get("dilation_h_factor", 1))
            columns = Axis(kernel[2], strides[1], get("dilation_w_factor", 1))
        return cls(rows, columns, get("padding", "SAME") == "SAME")

    @property
    def area(self) -> int:
        return self.rows.kernel * self.columns.kernel


Span = tuple[int, int]  # first row and the one after the last; rows of padding have numbers outside the map


def spans(size: int, out: int, axis: Axis, *, same: bool, padded: int = 0) -> tuple[Span, ...]:
    """For each tile its rows of the input and those that its rows of the output read, padding included.

    ``padded``: rows that a PAD in front has added, which are not stored.
    """
    reach = (axis.kernel - 1) * axis.dilation + 1
    before = padded + (max((out - 1) * axis.stride + reach - size - padded, 0) // 2 if same else 0)
    found = []
    for tile in range(GRID):
        span = part(tile * size), part((tile + 1) * size)
        first, end = part(tile * out), part((tile + 1) * out)
        if end > first:
            start = first * axis.stride - before
            span = joined(span, (start, start + (end - 1 - first) * axis.stride + reach))
        found.append(span)
    return tuple(found)


def joined(first: Span, second: Span) -> Span:
    """What covers both; a span without rows counts for nothing."""
    if first[0] >= first[1]:
        return second
    return first if second[0] >= second[1] else (min(first[0], second[0]), max(first[1], second[1]))


def fullest(found: Sequence[Span]) -> int:
    """Rows of the tile that holds most."""
    return max(high - low for low, high in found)


def extent(size: int, out: int, axis: Axis, *, same: bool, padded: int = 0) -> int:
    """Rows of the input in the fullest tile when one window reads it."""
    return fullest(spans(size, out, axis, same=same, padded=padded))

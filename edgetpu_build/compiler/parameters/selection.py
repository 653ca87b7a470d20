"""Selection matrices: the chip has no other way to move channels than a convolution with weights 0 and 1.

Each helper is an ordinary segment (see ``matrix``) with weight zero point 0; where it has a header, that is a bias of
zeros.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

from edgetpu_build.compiler.parameters.header import Header
from edgetpu_build.compiler.parameters.layer import up
from edgetpu_build.compiler.parameters.matrix import Matrix

Pick = tuple[int, int, int]  # (lane, tap, channel): this lane takes that channel of that cell


def select(
    what: str, lanes: int, taps: int, channels: int, picks: Iterable[Pick], *, bias: bool, spatial: bool = False
) -> Matrix:
    """``lanes`` outputs, each the sum of what it picks among ``taps`` cells of ``channels`` channels."""
    row = taps * channels
    data = bytearray(lanes * row)
    for lane, tap, channel in picks:
        data[lane * row + tap * channels + channel] = 1
    return Matrix(
        what=what,
        data=bytes(data),
        outputs=lanes,
        runs=(channels,) * taps,
        header=Header(bias=array("i", bytes(4 * lanes)) if bias else None),
        zero_points=bytes(lanes),
        spatial=spatial,
    )


def spread_block() -> Matrix:
    """The 16 x 4 block that serves all groups of ``spread`` where these are whole."""
    return select("spread", 16, 1, 4, ((4 * j, 0, j) for j in range(4)), bias=False)


def spread(channels: int) -> Matrix:
    """Before a TRANSPOSE: one channel in every group of four lanes."""
    return select("spread", 4 * channels, 1, channels, ((4 * j, 0, j) for j in range(channels)), bias=True)


def collect(columns: int) -> Matrix:
    """In a TRANSPOSE: ``columns`` neighbouring cells become one, a value in every group of four lanes."""
    return select("collect", 4 * columns, columns, 1, ((4 * t, t, 0) for t in range(columns)), bias=False)


def pack(columns: int, *, spatial: bool = True) -> Matrix:
    """After it: every fourth lane becomes a channel."""
    picks = ((t, 0, 4 * t) for t in range(columns))
    return select("pack", columns, 1, 4 * columns, picks, bias=False, spatial=spatial)


def flatten(cells: int, channels: int) -> Matrix:
    """``cells`` cells of ``channels`` channels become one cell without gaps."""
    picks = ((cell * channels + c, cell, c) for cell in range(cells) for c in range(channels))
    return select("flatten", cells * channels, cells, up(channels, 4), picks, bias=True)


def gather(cells: int) -> Matrix:
    """Up to 16 single-channel cells at a time become the channels of one."""
    count = min(cells, 16)
    return select("gather", count, count, 1, ((t, t, 0) for t in range(count)), bias=True)


def join(parts: Sequence[int], *, spatial: bool) -> Matrix:
    """Parts of so many channels, each in whole groups of four, move together without gaps."""
    picks, lane, channel = [], 0, 0
    for part in parts:
        picks += [(lane + k, 0, channel + k) for k in range(part)]
        lane, channel = lane + part, channel + up(part, 4)
    return select("join", lane, 1, channel, picks, bias=True, spatial=spatial)


def shift(offset: int, count: int, *, spatial: bool) -> Matrix:
    """``count`` channels that begin ``offset`` into a group of four move to its start."""
    picks = ((k, 0, offset + k) for k in range(count))
    return select("shift", count, 1, up(offset + count, 4), picks, bias=True, spatial=spatial)


def widen(channels: int, count: int) -> Matrix:
    """PAD of channels: the first ``channels`` of ``count`` lanes are copies, the others zero."""
    return select("widen", count, 1, channels, ((k, 0, k) for k in range(channels)), bias=True)

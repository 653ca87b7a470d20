"""Selection matrices: the chip has no other way to move channels than a convolution with weights 0 and 1.

Each helper is an ordinary segment (see ``matrix``) with weight zero point 0; where it has a header, that is a bias of
zeros.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from edgetpu_build.compiler.parameters.header import Header
from edgetpu_build.compiler.parameters.layer import ALIGNMENT, up
from edgetpu_build.compiler.parameters.matrix import Matrix, width

Pick = tuple[int, int, int]  # (lane, tap, channel): this lane takes that channel of that cell
Picks = Callable[[], Iterable[Pick]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """``lanes`` outputs, each the sum of what it picks among ``taps`` cells of ``channels`` channels.

    Nothing but numbers until bytes are asked for: sizes of absurd shapes cost no memory.
    """

    what: str
    lanes: int
    taps: int
    channels: int
    picks: Picks = field(compare=False, repr=False)
    bias: bool
    spatial: bool = False
    exact: bool = True

    @property
    def size(self) -> int:
        wide = width(self.lanes, spatial=self.spatial)
        lane = 4 * self.bias + self.taps * up(self.channels, 4)
        return up(up(self.lanes, wide) * lane, ALIGNMENT)

    def matrix(self) -> Matrix:
        """The convolution that does it."""
        row = self.taps * self.channels
        data = bytearray(self.lanes * row)
        for lane, tap, channel in self.picks():
            data[lane * row + tap * self.channels + channel] = 1
        return Matrix(
            what=self.what,
            data=bytes(data),
            outputs=self.lanes,
            runs=(self.channels,) * self.taps,
            header=Header(bias=array("i", bytes(4 * self.lanes)) if self.bias else None),
            zero_points=bytes(self.lanes),
            spatial=self.spatial,
        )

    def blob(self) -> bytes:
        return self.matrix().blob()

    def unpack(self, blob: bytes | memoryview) -> dict[int, bytes]:
        return {}


def select(
    what: str, lanes: int, taps: int, channels: int, picks: Picks, *, bias: bool, spatial: bool = False
) -> Selection:
    return Selection(what=what, lanes=lanes, taps=taps, channels=channels, picks=picks, bias=bias, spatial=spatial)


def spread_block() -> Selection:
    """The 16 x 4 block that serves all groups of ``spread`` where these are whole."""
    return select("spread", 16, 1, 4, lambda: ((4 * j, 0, j) for j in range(4)), bias=False)


def spread(channels: int) -> Selection:
    """Before a TRANSPOSE: one channel in every group of four lanes."""
    return select("spread", 4 * channels, 1, channels, lambda: ((4 * j, 0, j) for j in range(channels)), bias=True)


def collect(columns: int) -> Selection:
    """In a TRANSPOSE: ``columns`` neighbouring cells become one, a value in every group of four lanes."""
    return select("collect", 4 * columns, columns, 1, lambda: ((4 * t, t, 0) for t in range(columns)), bias=False)


def pack(columns: int, *, spatial: bool = True) -> Selection:
    """After it: every fourth lane becomes a channel."""
    return select(
        "pack", columns, 1, 4 * columns, lambda: ((t, 0, 4 * t) for t in range(columns)), bias=False, spatial=spatial
    )


def flatten(cells: int, channels: int) -> Selection:
    """``cells`` cells of ``channels`` channels become one cell without gaps."""

    def picks() -> Iterable[Pick]:
        return ((cell * channels + c, cell, c) for cell in range(cells) for c in range(channels))

    return select("flatten", cells * channels, cells, up(channels, 4), picks, bias=True)


def gather(cells: int) -> Selection:
    """Up to 16 single-channel cells at a time become the channels of one."""
    count = min(cells, 16)
    return select("gather", count, count, 1, lambda: ((t, t, 0) for t in range(count)), bias=True)


def join(parts: Sequence[int], *, spatial: bool, offsets: Sequence[int] = ()) -> Selection:
    """Parts of so many channels, each in whole groups of four, move together without gaps. ``offsets``: where each
    begins inside its first group.
    """
    starts, lane, channel = [], 0, 0
    for part in parts:
        starts.append((lane, channel))
        lane, channel = lane + part, channel + up(part, 4)

    def picks() -> Iterable[Pick]:
        for part, (first, source), offset in zip(parts, starts, offsets or (0,) * len(parts), strict=True):
            for k in range(part):
                yield first + k, 0, min(source + offset + k, channel - 1)

    return select("join", lane, 1, channel, picks, bias=True, spatial=spatial)


def shift(offset: int, count: int, *, spatial: bool) -> Selection:
    """``count`` channels that begin ``offset`` into a group of four move to its start."""

    def picks() -> Iterable[Pick]:
        return ((k, 0, offset + k) for k in range(count))

    return select("shift", count, 1, up(offset + count, 4), picks, bias=True, spatial=spatial)


def widen(channels: int, count: int) -> Selection:
    """PAD of channels: the first ``channels`` of ``count`` lanes are copies, the others zero."""
    return select("widen", count, 1, channels, lambda: ((k, 0, k) for k in range(channels)), bias=True)

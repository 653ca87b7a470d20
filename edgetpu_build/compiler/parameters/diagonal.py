"""The segment of a depthwise convolution: channels by fours, each tap a 4 x 4 matrix with the weights on its
diagonal.

    segment = block..., zero bytes up to a multiple of 64
    block   = header array of 4 lanes..., then per tap 4 rows of 4 bytes: row j holds the weight of channel j
              at j, its zero point elsewhere

So each weight takes four bytes. 2,399 of 2,429 segments of public artifacts were regenerated bit for bit; for the
rest the model at hand is not the one that was compiled.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from edgetpu_build.compiler.parameters.header import NO_HEADER, Header
from edgetpu_build.compiler.parameters.layer import ALIGNMENT, up
from edgetpu_build.compiler.parameters.matrix import FLIP


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagonal:
    """``data``: the TFLite bytes, ``taps`` rows of ``channels``. ``zero_points``: of the stored bytes."""

    what: str
    tensor: int
    data: bytes | memoryview = field(repr=False)
    channels: int
    taps: int
    kept: tuple[int, ...] | None = None
    header: Header = NO_HEADER
    zero_points: Sequence[int] = field(repr=False)
    flip: bool = False
    exact: bool = True

    @property
    def stored_taps(self) -> Sequence[int]:
        return range(self.taps) if self.kept is None else self.kept

    @property
    def lane_size(self) -> int:
        return self.header.bytes_per_lane + 4 * len(self.stored_taps)

    @property
    def size(self) -> int:
        return up(up(self.channels, 4) * self.lane_size, ALIGNMENT)

    def blob(self) -> bytes:
        target = bytearray(self.size)
        data = bytes(self.data).translate(FLIP) if self.flip else bytes(self.data)
        self._fill(target)
        for there, here in self._places():
            target[there] = data[here]
        self._write_headers(memoryview(target).cast("I"))
        return bytes(target)

    def unpack(self, blob: bytes | memoryview) -> dict[int, bytes]:
        view = memoryview(blob).cast("B")
        data = bytearray(bytes(self.zero_points) * self.taps)
        for there, here in self._places():
            data[here] = view[there]
        found = {self.tensor: bytes(data).translate(FLIP) if self.flip else bytes(data)}
        if self.header.bias_tensor >= 0:
            words, bias = view.cast("I"), array("I", bytes(4 * self.channels))
            for lane in range(4):
                start = lane if self.header.multipliers is None else 4 + lane
                bias[lane::4] = array("I", words[start : self._words : self.lane_size][: len(bias[lane::4])])
            found[self.header.bias_tensor] = bias.tobytes()
        return found

    @property
    def _words(self) -> int:
        """Words that are in use: what follows only aligns."""
        return up(self.channels, 4) * self.lane_size // 4

    def _places(self) -> Iterator[tuple[slice, slice]]:
        """Slices of the blob and of the model's bytes that hold the same weights."""
        block, head = 4 * self.lane_size, 4 * self.header.bytes_per_lane
        for number, tap in enumerate(self.stored_taps):
            for lane in range(min(4, self.channels)):
                first = head + 16 * number + 5 * lane
                here = slice(tap * self.channels + lane, (tap + 1) * self.channels, 4)
                count = len(range(here.start, here.stop, 4))
                yield slice(first, first + block * (count - 1) + 1, block), here

    def _fill(self, target: bytearray) -> None:
        """Each row of each tap's matrix with its channel's zero point; rows without a channel stay 0."""
        if self.channels % 4 == 0 and len(set(self.zero_points)) == 1:
            used = 4 * self._words
            target[:used] = bytes(self.zero_points[:1]) * used
            return
        head, block = 4 * self.header.bytes_per_lane, 4 * self.lane_size
        for channel in range(self.channels):
            start = channel // 4 * block + head + 4 * (channel % 4)
            row = bytes([self.zero_points[channel]]) * 4
            for number in range(len(self.stored_taps)):
                target[start + 16 * number : start + 16 * number + 4] = row

    def _write_headers(self, words: memoryview) -> None:
        for number, (values, repeated) in enumerate(self.header.arrays()):
            first = values[0] if repeated else 0
            filler = array(values.typecode, [first] * (-len(values) % 4))
            stored = memoryview(values.tobytes() + filler.tobytes()).cast("I")
            for lane in range(4):
                words[4 * number + lane : self._words : self.lane_size] = stored[lane::4]

"""The segment of a convolution: weights for chunks of up to 64 output channels ("lanes"), each behind its header
arrays.

    segment = chunk..., zero bytes up to a multiple of 64
    chunk   = header array..., weights
    weights = for each block of input channels, for each kernel tap, for each four input channels: 4 bytes a lane

Input channels are filled up to four with the weights' zero point. Lanes are filled up to four with copies of "no
weight" (zero point, multiplier of channel 0, bias 0), then to the chunk's width with zeros. Dense layers are
convolutions with one tap; selection matrices (see ``selection``) are convolutions of ones and zeros. All sizes follow
from this layout, which was found by regenerating more than 8,000 segments of public artifacts bit for bit.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from edgetpu_build.compiler.parameters import rows
from edgetpu_build.compiler.parameters.header import NO_HEADER, SIGN, Header
from edgetpu_build.compiler.parameters.layer import ALIGNMENT, LANES, up

REPEATED, DEAD = -1, -2  # lanes without an output channel
FLIP = bytes(value ^ SIGN for value in range(256))


def width(outputs: int, *, spatial: bool) -> int:
    """Lanes of a chunk. ``spatial``: a convolution over more than one position, which can do with four lanes."""
    if outputs >= LANES:
        return LANES
    return 4 if spatial and outputs <= 4 else max(16, up(outputs, 16))


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """``outputs`` rows of weights, in the order and layout of the model, as one segment.

    ``tensor``: index of the weights, -1 if they were made up. ``data``: their TFLite bytes, a row an output channel,
    cut into ``runs`` (the input channels of one tap each). ``kept``: the taps that are stored, None for all.
    ``order``: the output channel of each lane, -1 for a lane that only fills up. ``block``: groups of four input
    channels in an input block, 0 for all. ``flip``: the bytes are INT8. ``zero_points``: of the stored bytes, one a
    row.
    """

    what: str
    tensor: int = -1
    data: bytes | memoryview = field(repr=False)
    outputs: int
    runs: rows.Runs
    kept: tuple[int, ...] | None = None
    order: Sequence[int] | None = field(default=None, repr=False)
    header: Header = NO_HEADER
    zero_points: Sequence[int] = field(repr=False)
    flip: bool = False
    spatial: bool = False
    block: int = 0
    exact: bool = True

    @property
    def lane_count(self) -> int:
        return self.outputs if self.order is None else len(self.order)

    @property
    def stored_runs(self) -> rows.Runs:
        return self.runs if self.kept is None else tuple(self.runs[tap] for tap in self.kept)

    @property
    def lane_size(self) -> int:
        return self.header.bytes_per_lane + rows.padded_length(self.stored_runs)

    @property
    def chunks(self) -> int:
        return -(-self.lane_count // LANES)

    @property
    def chunk_size(self) -> int:
        """Room in a tile: there, a chunk always has 64 lanes."""
        return LANES * self.lane_size

    @property
    def used(self) -> int:
        """Bytes without the alignment."""
        return self.chunks * width(self.lane_count, spatial=self.spatial) * self.lane_size

    @property
    def size(self) -> int:
        return up(self.used, ALIGNMENT)

    def blob(self) -> bytes:
        target = array("I", bytes(self.size))
        self._write_headers(target)
        data: bytes | bytearray | memoryview = self.data
        if self.kept is not None:
            data = rows.keep(data, self.runs, self.kept, self.outputs)
        if self.flip:
            data = bytes(data).translate(FLIP)
        source = array("I", bytes(rows.pad(data, self.stored_runs, self.zero_points)))
        source = self._by_blocks(source)
        filler, length, wide = self._filler(), self._row_length, self._width
        reach = wide * (length - 1) + 1
        for start, channel in self._lanes():
            if channel == REPEATED:
                target[start : start + reach : wide] = filler
            elif channel >= 0:
                target[start : start + reach : wide] = source[channel * length : (channel + 1) * length]
        return target.tobytes()

    def unpack(self, blob: bytes | memoryview) -> dict[int, bytes]:
        words = array("I", bytes(blob))
        found = {} if self.tensor < 0 else {self.tensor: self._weights(words)}
        if self.header.bias_tensor >= 0:
            found[self.header.bias_tensor] = self._bias(words)
        return found

    def _weights(self, words: array[int]) -> bytes:
        length, wide = self._row_length, self._width
        reach = wide * (length - 1) + 1
        stored = array("I", bytes(4 * length * self.outputs))
        for start, channel in self._lanes():
            if channel >= 0:
                stored[channel * length : (channel + 1) * length] = words[start : start + reach : wide]
        padded = self._by_blocks(stored, back=True)
        data: bytes | bytearray = rows.strip(padded.tobytes(), self.stored_runs, self.outputs)
        if self.kept is not None:
            data = rows.restore(data, self.runs, self.kept, self.zero_points)
        return bytes(data).translate(FLIP) if self.flip else bytes(data)

    def _bias(self, words: array[int]) -> bytes:
        bias = array("I", bytes(4 * self.outputs))
        offset = 0 if self.header.multipliers is None else self._width
        for number, lanes in enumerate(self._chunk_lanes()):
            start = number * self._width * self.lane_size // 4 + offset
            for lane, channel in enumerate(lanes):
                if channel >= 0:
                    bias[channel] = words[start + lane]
        return bias.tobytes()

    @property
    def _row_length(self) -> int:
        """Words of weights that a lane has."""
        return (self.lane_size - self.header.bytes_per_lane) // 4

    @property
    def _width(self) -> int:
        return width(self.lane_count, spatial=self.spatial)

    def _chunk_lanes(self) -> Iterator[list[int]]:
        """For each chunk: the output channel of every lane, or REPEATED, or DEAD."""
        order = range(self.outputs) if self.order is None else self.order
        for first in range(0, len(order), LANES):
            lanes = [REPEATED if channel < 0 else channel for channel in order[first : first + LANES]]
            lanes += [REPEATED] * (min(self._width, up(len(lanes), 4)) - len(lanes))
            yield lanes + [DEAD] * (self._width - len(lanes))

    def _lanes(self) -> Iterator[tuple[int, int]]:
        """(index of the lane's first word of weights in the blob, output channel) of every lane."""
        wide, head = self._width, self.header.bytes_per_lane // 4
        for number, lanes in enumerate(self._chunk_lanes()):
            start = wide * (number * (self.lane_size // 4) + head)
            for lane, channel in enumerate(lanes):
                yield start + lane, channel

    def _by_blocks(self, words: array[int], *, back: bool = False) -> array[int]:
        """Rows of weights with their words ordered by input block, then tap, then group; ``back``: by tap again."""
        length, taps = self._row_length, len(self.stored_runs)
        groups = length // max(1, taps)
        if not self.block or self.block >= groups:
            return words
        blocks = (range(first, min(first + self.block, groups)) for first in range(0, groups, self.block))
        order = (tap * groups + group for block in blocks for tap in range(taps) for group in block)
        moved = array("I", bytes(4 * len(words)))
        for stored, plain in enumerate(order):
            here, there = (plain, stored) if back else (stored, plain)
            moved[here::length] = words[there::length]
        return moved

    def _filler(self) -> array[int]:
        """The row of a lane that only fills up."""
        return array("I", bytes([self.zero_points[0] if self.zero_points else 0]) * (4 * self._row_length))

    def _write_headers(self, target: array[int]) -> None:
        arrays = self.header.arrays()
        neutral = 1.0 if self.lane_count > LANES else 0.0
        for number, lanes in enumerate(self._chunk_lanes()):
            start = number * self._width * self.lane_size // 4
            for values, repeated in arrays:
                first, dead = (values[0] if repeated else 0), (neutral if values.typecode == "f" else 0)
                row = [values[lane] if lane >= 0 else first if lane == REPEATED else dead for lane in lanes]
                target[start : start + len(row)] = array("I", array(values.typecode, row).tobytes())
                start += len(row)

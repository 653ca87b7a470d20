"""What one tile holds while an executable runs: which tensors share a buffer, how large it is, from when to when.

Two steps for each operator: in the first its inputs are gathered if it needs them whole, in the second it runs. A
tensor that windows read is stored with what all of them reach (``footprint``). Each rule says in how many public
compiles it was seen; ``activation`` makes figures of the sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import prod

from edgetpu_build.chip.facts import TILE_ACTIVATION_BYTES, TILES
from edgetpu_build.compiler.footprint import (
    GRID,
    POOLS,
    WINDOWS,
    Span,
    Window,
    extent,
    fullest,
    joined,
    map_shape,
    part,
    spans,
    tile_bytes,
    up,
)
from edgetpu_build.compiler.packing import Buffer, alive, packed
from edgetpu_build.tflite.model import Operator, Subgraph, Tensor

VIEWS = {"RESHAPE", "SQUEEZE", "EXPAND_DIMS"}
SPREAD = 768  # bytes a tile needs besides source and result when a map is dealt out anew
PLANE = 48  # the same where a map of one channel becomes a vector
WELL_KNOWN = {"CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "PAD"}
UNKNOWN_FACTOR = 4  # the most that an operator of another kind was found to need of what is known of it
WIDE = 4  # bytes of one product of two maps before it is scaled back to 8 bits


class _Live:
    """One stretch of tile memory: held from the first to the last of the mapped operators (by place)."""

    __slots__ = ("first", "last", "size")

    def __init__(self, size: int, first: int, last: int) -> None:
        self.size, self.first, self.last = size, first, last


class TileMemory:
    """The tensors of one executable: who shares a buffer, how large it is, from when to when it lives."""

    def __init__(self, subgraph: Subgraph, mapped: Sequence[int], runtime: int, compiler: str = "") -> None:
        self._tensors = subgraph.tensors
        self._operators = [subgraph.operators[position] for position in mapped]
        self._maker = {index: op for op in self._operators for index in op.outputs}
        self._inputs = set(subgraph.inputs)
        self._runtime = runtime
        self._row_bytes = 32 if runtime >= 13 else 48 if compiler == "15.0" else 64
        self._same: dict[int, int] = {}
        self._padding: dict[int, tuple[int, int]] = {}
        self._live: dict[int, _Live] = {}
        self._copies: list[Buffer] = []
        self._reach: dict[tuple[int, tuple[int, int]], tuple[tuple[Span, ...], tuple[Span, ...]]] = {}
        self._scratch = [0] * len(mapped)
        self._wide = [0] * len(mapped)
        self._share()
        for place, op in enumerate(self._operators):
            self._visit(place, op)
        for place, op in enumerate(self._operators):
            self._wide[place] = self._product(op)
            self._scratch[place] += self._first_copy(place, op) + self._spread(op)
            self._flatten(place, op)

    def sums(self) -> list[int]:
        """Live bytes while each operator runs or gathers what it reads."""
        steps = alive(self._buffers(), 2 * len(self._operators))
        return [max(pair) for pair in zip(steps[::2], steps[1::2], strict=True)]

    def narrow_sums(self) -> list[int]:
        """The same without products that are wider than 8 bits, which the fit of instructions does not know."""
        return [size - wide for size, wide in zip(self.sums(), self._wide, strict=True)]

    def packed(self) -> int | None:
        """Bytes that all buffers take in a tile, with the gaps between them; None where that is not worked out."""
        return packed(self._buffers(), 2 * len(self._operators))

    def sure(self, sums: Sequence[int]) -> bool:
        """Whether the rules have no known exception here, given that packing leaves no gaps.

        The most is needed by convolutions or additions of maps, all else stays far below even if it needs four times
        what is known of it, the input has at most 4 channels, and the compiler is at least 2.0 (some builds of 1.0
        did not minimise). That holds in 79 of 79 public compiles, and in 684 of 684 one-layer compiles that no rule
        was found on.
        """
        if self._runtime < 12 or any(self._shape(index)[2] > 4 for index in self._inputs):
            return False
        known = map(self._well_known, self._operators)
        others = max((size for size, sure in zip(sums, known, strict=True) if not sure), default=0)
        return UNKNOWN_FACTOR * others + SPREAD <= max(sums)

    def _well_known(self, op: Operator) -> bool:
        rows, columns, _ = self._shape(op.outputs[0])
        if op.outputs[0] in self._same:
            return op.kind != "RESHAPE" or self._shape(op.inputs[0])[:2] == (1, 1)
        if op.kind in POOLS:
            return rows == columns == 1 and self._runtime == 12
        return op.kind in WELL_KNOWN and min(rows, columns) >= GRID  # smaller maps were not tested

    def _buffers(self) -> list[Buffer]:
        held = [
            Buffer(live.size, 2 * live.first + 1 if live.first or root in self._maker else 0, self._last_step(root))
            for root, live in self._live.items()
        ]
        extra = [
            Buffer(size + wide, 2 * place + 1, 2 * place + 1)
            for place, (size, wide) in enumerate(zip(self._scratch, self._wide, strict=True))
        ]
        return [buffer for buffer in (*held, *self._copies, *extra) if buffer.size]

    def _last_step(self, root: int) -> int:
        """A map whose last reader has gathered it is gone when that one runs."""
        live = self._live[root]
        op = self._operators[live.last]
        gathered = root in self._maker and self._gathers_map(op) and self._root(op.inputs[0]) == root
        return 2 * live.last if gathered and live.first < live.last else 2 * live.last + 1

    def carried(self) -> list[int]:
        """Of these, the bytes that the operator neither reads nor writes, graph inputs left out."""
        steps = [0] * (len(self._operators) + 1)
        for root, live in self._live.items():
            if root not in self._inputs and live.last - live.first > 1:
                steps[live.first + 1] += self._plain(root)
                steps[live.last] -= self._plain(root)
        sums = list(accumulate(steps[:-1]))
        for place, op in enumerate(self._operators):
            for root in {*op.inputs, *op.outputs} - self._inputs:
                passing = self._live.get(root)
                if passing is not None and passing.first < place < passing.last:
                    sums[place] -= self._plain(root)
        return sums

    def banded(self, sums: Sequence[int]) -> set[int]:
        """Places that are run in bands: operators above the tile's memory, their producers and their readers."""
        over = [place for place, size in enumerate(sums) if size > TILE_ACTIVATION_BYTES]
        read = {index for place in over for index in self._operators[place].inputs}
        made = {index for place in over for index in self._operators[place].outputs}
        banded = set(over)
        for place, op in enumerate(self._operators if over else ()):
            if not made.isdisjoint(op.inputs):
                banded.add(place)
                if op.kind in ("PAD", "RESHAPE", "QUANTIZE"):  # views pass the mark on to their own readers
                    made.update(op.outputs)
            if not read.isdisjoint(op.outputs):
                banded.add(place)
        return banded

    def largest(self, count: int = 5) -> tuple[tuple[int, int], ...]:
        """(tensor, bytes a tile) of the largest results."""
        sizes = [(index, tile_bytes(self._tensors[index].shape)) for index in self._maker]
        return tuple(sorted(sizes, key=lambda pair: (-pair[1], pair[0]))[:count])

    def _plain(self, root: int) -> int:
        return min(self._live[root].size, tile_bytes(self._tensors[root].shape))

    def _root(self, index: int) -> int:
        while index in self._same:
            index = self._same[index]
        return index

    def _share(self) -> None:
        """RESHAPE, QUANTIZE of equal scale and PAD in front of a window cost nothing: same buffer."""
        windowed = {index for op in self._operators if op.kind in WINDOWS for index in op.inputs}
        for op in self._operators:
            source, out = op.inputs[0], op.outputs[0]
            if op.kind in VIEWS or (op.kind == "QUANTIZE" and self._equal_scale(source, out)):
                self._same[out] = source
            elif op.kind == "PAD" and out in windowed:
                self._same[out] = source
                self._padding[out] = _pad_before(self._tensors[op.inputs[1]])

    def _equal_scale(self, source: int, out: int) -> bool:
        first, second = self._tensors[source].quantization, self._tensors[out].quantization
        if not first or not second or not first.scale or not second.scale:
            return True
        return abs(first.scale[0] - second.scale[0]) <= 1e-6 * abs(second.scale[0])

    def _visit(self, place: int, op: Operator) -> None:
        window = Window.of(op, self._tensors)
        self._scratch[place] = self._extra(op, window) + (self._host_rows(op, window) if window else 0)
        is_view = op.outputs[0] in self._same
        for index in op.inputs:
            if index >= 0 and self._tensors[index].data is None:
                root = self._root(index)
                if self._gather(place, op, index, root):
                    continue
                size = self._base(root) if is_view else self._region(op, index, window)
                self._hold(root, size, place if root in self._maker else 0, place)
        for index in op.outputs:
            root = self._root(index)
            self._hold(root, self._base(root) if root == index else 0, place, place)

    def _gather(self, place: int, op: Operator, index: int, root: int) -> bool:
        """Whether the operator reads a copy of a map that an operator left dealt out; the copy is then noted.

        A dense layer's copy is there when it runs (lane_nav: 15,360), a convolution's when it gathers (pong: 4,896).
        From 16.0 on a dense layer writes its outputs where the next one reads them.
        """
        made = root in self._maker and not (self._runtime >= 13 and self._dense(self._maker[root]))
        if not made or not (self._dense(op) or self._gathers_map(op)):
            return False
        early = self._gathers_map(op)
        self._copies.append(Buffer(self._region(op, index, None), 2 * place + (not early), 2 * place + 1))
        self._hold(root, self._base(root), place - (not early), place - (not early))
        return True

    def _gathers_map(self, op: Operator) -> bool:
        """A convolution to a single position; until 15.0 its producer writes where it reads."""
        rows, columns, _ = self._shape(op.inputs[0])
        single = op.kind == "CONV_2D" and self._shape(op.outputs[0])[:2] == (1, 1)
        return single and rows * columns > 1 and self._runtime >= 13

    def _product(self, op: Operator) -> int:
        """Two maps are multiplied into 4 bytes a value: SiLU networks of 320 x 320 (185,684 in 8 compiles)."""
        maps = [index for index in op.inputs if index >= 0 and self._tensors[index].data is None]
        if op.kind != "MUL" or len(maps) < 2:
            return 0
        return WIDE * self._live[self._root(op.outputs[0])].size + 4

    def _first_copy(self, place: int, op: Operator) -> int:
        """A quantised input that several operators read is kept apart from how it came (14.1: 34,372, 16,272)."""
        source, out = op.inputs[0], op.outputs[0]
        if op.kind != "QUANTIZE" or source not in self._inputs or self._same.get(out) != source:
            return 0
        readers = sum(out in other.inputs for other in self._operators[place + 1 :])
        return tile_bytes(self._tensors[source].shape) if readers > 1 else 0

    def _flatten(self, place: int, op: Operator) -> None:
        """A map becomes a vector: padded to 4 channels where it is not, packed, and its own part; while it is gathered.

        Without it 57 public compiles come out wrong. Maps whose channels divide by 4 and that an operator made cost
        nothing.
        """
        source = op.inputs[0]
        shape, root = self._tensors[source].shape, self._root(source)
        size, vector = prod(shape), self._tensors[op.outputs[0]].shape
        flat = op.kind == "RESHAPE" and vector[-1:] == (size,)
        given = root in self._inputs and self._tensors[root].shape[-1:] == (size,)
        if given and self._dense(op) and self._runtime == 12:
            self._copies.append(Buffer(size + 512, 2 * place, 2 * place))  # the host's vector and its copy (7 compiles)
        if not (flat or self._dense(op)) or size == shape[-1] or root not in self._live:
            return
        padded = size // shape[-1] * up(shape[-1], 4) if shape[-1] % 4 else 0
        own, held = tile_bytes(shape), self._live[root].size
        if root in self._maker:
            need = padded + size + own + PLANE if padded and self._runtime >= 13 else 0
        elif self._runtime >= 13 and (source in self._inputs or not flat):
            need = 0  # the host's bytes come in as a vector
        elif self._runtime >= 13 and padded:
            need = padded + own + up(-(-size // TILES), 256) + 4
        else:
            need = padded + size + own + SPREAD + self._row_bytes
        if need > held:
            self._copies.append(Buffer(need - held, 2 * place, 2 * place))

    def _spread(self, op: Operator) -> int:
        """PAD of a map smaller than the grid deals it out anew over as few tiles (15 compiles), RESHAPE alone too."""
        source, out = op.inputs[0], op.outputs[0]
        rows, columns, _ = self._shape(source)
        if op.kind == "RESHAPE" and len(self._operators) == 1:
            return SPREAD + up(prod(self._tensors[source].shape), 16)
        if op.kind != "PAD" or max(rows, columns) >= GRID:
            return 0
        need = SPREAD + up(prod(self._tensors[source].shape), 16)
        if out in self._same:
            return need
        out_rows, out_columns, channels = self._shape(out)
        over_few = -(-out_rows // rows) * -(-out_columns // columns) * up(channels, 4)
        return need + over_few - tile_bytes(self._tensors[out].shape) - tile_bytes(self._tensors[source].shape)

    def _hold(self, root: int, size: int, first: int, last: int) -> None:
        live = self._live.get(root)
        if live is None:
            self._live[root] = _Live(size, first, last)
        else:
            live.size, live.last = max(live.size, size), max(live.last, last)

    def _shape(self, index: int) -> tuple[int, int, int]:
        return map_shape(self._tensors[index].shape)

    def _dense(self, op: Operator) -> bool:
        """A dense layer over a whole vector; over a map it works like a 1x1 convolution."""
        shape = self._tensors[op.outputs[0]].shape
        return op.kind == "FULLY_CONNECTED" and not (len(shape) == 4 and shape[1] * shape[2] > 1)

    def _base(self, index: int) -> int:
        """Bytes of the buffer as its producer leaves it: 64 outputs of a dense layer lie in one tile."""
        maker = self._maker.get(index)
        if maker is not None and self._runtime >= 12 and self._dense(maker):
            chunks = -(-self._tensors[index].shape[-1] // 64)
            return 64 * -(-chunks // 16)
        return tile_bytes(self._tensors[index].shape)

    def _region(self, op: Operator, index: int, window: Window | None) -> int:
        """Bytes of the buffer as ``op`` needs it: whole for dense layers and global pools, with halo for windows."""
        source = self._same[index] if index in self._padding else index
        rows, columns, channels = self._shape(source)
        channels = up(channels, 4)
        if self._dense(op):
            return up(rows * columns * channels, 256 if self._runtime >= 12 else 4)
        if self._shape(op.outputs[0])[:2] == (1, 1) and rows * columns > 1:
            if op.kind in POOLS:
                return rows * (part(columns) if self._runtime >= 14 else columns) * channels
            if op.kind == "CONV_2D" and self._runtime >= 12:
                both = rows > 1 and columns > 1
                return (16 * part(rows) * part(columns) if both else rows * columns) * channels
        if window is None:
            made_here = source in self._maker and source == self._root(index)
            return self._base(source) if made_here else part(rows) * part(columns) * channels
        return self._halo(op, source, window, (rows, columns), self._padding.get(index, (0, 0))) * channels

    def _halo(self, op: Operator, source: int, window: Window, size: tuple[int, int], padded: tuple[int, int]) -> int:
        """Positions of the input that the fullest tile holds: what this and earlier windows reach, if padded alike."""
        out_rows, out_columns, _ = self._shape(op.outputs[0])
        rows = spans(size[0], out_rows, window.rows, same=window.same, padded=padded[0])
        columns = spans(size[1], out_columns, window.columns, same=window.same, padded=padded[1])
        key = self._root(source), size
        before = self._reach.get(key, (rows, columns))
        rows = tuple(map(joined, before[0], rows))
        columns = tuple(map(joined, before[1], columns))
        self._reach[key] = rows, columns
        return fullest(rows) * fullest(columns)

    def _extra(self, op: Operator, window: Window | None) -> int:
        """Bytes that an operator needs besides its tensors."""
        shape = self._tensors[op.outputs[0]].shape
        rows, columns, channels = map_shape(shape)
        channels = up(channels, 4)
        if op.kind == "PRELU":
            return tile_bytes(shape) + 64
        if op.kind == "TRANSPOSE":
            return max(0, 2 * prod(shape) - 2 * tile_bytes(shape))
        if op.kind in POOLS and rows == columns == 1:
            return 804 - channels if self._runtime >= 14 else channels + 4
        if op.kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
            own = tile_bytes(shape) if op.kind == "AVERAGE_POOL_2D" else 0
            return own + (self._row_excess(op, window, channels) if window and rows > 1 else 0)
        if op.kind in ("MAXIMUM", "MINIMUM"):
            return 64 if channels >= 16 else 0
        if op.kind == "DEPTHWISE_CONV_2D":
            return 16 if window and channels < 16 and window.rows.stride > 1 and rows > 1 else 0
        return 512 if self._runtime >= 12 and self._dense(op) else 0

    def _row_excess(self, op: Operator, window: Window, channels: int) -> int:
        """Pools of few channels fill a row of the input up to 16 bytes."""
        if channels >= 16:
            return 64
        row = channels * self._columns(op, window)
        return up(row, 16) - row + (16 if window.rows.stride > 1 else 0)

    def _columns(self, op: Operator, window: Window) -> int:
        size, out = self._shape(self._root(op.inputs[0]))[1], self._shape(op.outputs[0])[1]
        return extent(size, out, window.columns, same=window.same)

    def _host_rows(self, op: Operator, window: Window) -> int:
        """A window over a host input of more than four channels keeps one more copy of its rows."""
        source = self._root(op.inputs[0])
        if window.area == 1 or source not in self._inputs or self._shape(op.outputs[0])[0] == 1:
            return 0
        _, columns, channels = self._shape(source)
        if channels <= 4:
            return 0
        return self._region(op, op.inputs[0], window) // max(1, self._columns(op, window)) * part(columns) + 16


def _pad_before(paddings: Tensor) -> tuple[int, int]:
    """Rows and columns that a PAD of a four-dimensional map puts in front."""
    if paddings.data is None or len(paddings.data) != 32:
        return 0, 0
    values = memoryview(bytes(paddings.data)).cast("i")
    return values[2], values[4]

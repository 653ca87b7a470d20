"""Activation memory: what one of the 16 tiles needs for the tensors that are alive while an operator runs.

The tiles stand as 4 x 4 over rows and columns, channels whole. A tensor that a window reads is stored with its halo.
The sum of the live tensors is what Google's files say in 732 of 732 one-layer compiles that stay below a tile's 192
KiB, and in about half of the whole networks: hence always an estimate. Above 192 KiB the compiler works in
horizontal bands, and only a bracket is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod

from edgetpu_build.chip.facts import TILE_ACTIVATION_BYTES
from edgetpu_build.compiler.footprint import POOLS, WINDOWS, Window, extent, map_shape, part, tile_bytes, up
from edgetpu_build.compiler.instructions import instruction_bytes
from edgetpu_build.errors import Diagnostic, warning
from edgetpu_build.figure import UNKNOWN, Figure, estimated
from edgetpu_build.tflite.model import Operator, Subgraph, Tensor
from edgetpu_build.units import format_size

VIEWS = {"RESHAPE", "SQUEEZE", "EXPAND_DIMS"}
WORTH_A_WARNING = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorActivation:
    """Bytes a tile needs while operator ``index`` runs. ``banded``: it is above 192 KiB, or next to one that is."""

    index: int
    bytes: int
    banded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """``per_tile``: what the executable asks of a tile. ``peak``: the largest operator, as if there were no bands.

    ``carried``: bytes a tile keeps across operator ``carried_at`` for later ones (skip connections): bands cannot
    shrink them. ``largest``: (tensor, bytes a tile), the five largest. ``instructions``: bytes of both executables.
    """

    operators: tuple[OperatorActivation, ...] = ()
    per_tile: Figure = UNKNOWN
    peak: int = 0
    carried: int = 0
    carried_at: int = -1
    largest: tuple[tuple[int, int], ...] = ()
    instructions: Figure = UNKNOWN


def analyse(subgraph: Subgraph, mapped: Sequence[int], runtime: int = 14) -> Activation:
    """Activation memory of one Edge TPU operator: ``mapped`` are its operators, in file order, at least one.

    ``runtime``: the runtime number in the file, which tells the compiler's generation (10, 12, 14).
    """
    memory = _Memory(subgraph, mapped, runtime)
    sums, carried = memory.sums(), memory.carried()
    banded = memory.banded(sums)
    peak = max(sums)
    below = max((size for place, size in enumerate(sums) if place not in banded), default=0)
    bracket = (below, TILE_ACTIVATION_BYTES) if banded else (peak, min(2 * peak, TILE_ACTIVATION_BYTES))
    at = max(range(len(carried)), key=carried.__getitem__)
    return Activation(
        operators=tuple(
            OperatorActivation(index=position, bytes=sums[place], banded=place in banded)
            for place, position in enumerate(mapped)
        ),
        per_tile=estimated(bracket[0], *bracket),
        peak=peak,
        carried=carried[at],
        carried_at=mapped[at] if carried[at] else -1,
        largest=memory.largest(),
        instructions=instruction_bytes(subgraph, mapped, sums, new=runtime >= 13),
    )


class _Live:
    """One stretch of tile memory: held from the first to the last of the mapped operators (by place)."""

    __slots__ = ("first", "last", "size")

    def __init__(self, size: int, first: int, last: int) -> None:
        self.size, self.first, self.last = size, first, last


class _Memory:
    """The tensors of one executable: who shares a buffer, how large it is, from when to when it lives."""

    def __init__(self, subgraph: Subgraph, mapped: Sequence[int], runtime: int) -> None:
        self._tensors = subgraph.tensors
        self._operators = [subgraph.operators[position] for position in mapped]
        self._maker = {index: op for op in self._operators for index in op.outputs}
        self._inputs = set(subgraph.inputs)
        self._runtime = runtime
        self._same: dict[int, int] = {}
        self._padding: dict[int, tuple[int, int]] = {}
        self._live: dict[int, _Live] = {}
        self._scratch = [0] * len(mapped)
        self._share()
        for place, op in enumerate(self._operators):
            self._visit(place, op)

    def sums(self) -> list[int]:
        """Live bytes while each operator runs."""
        steps = [0] * (len(self._operators) + 1)
        for live in self._live.values():
            steps[live.first] += live.size
            steps[live.last + 1] -= live.size
        return [held + extra for held, extra in zip(accumulate(steps), self._scratch, strict=False)]

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
                size = self._base(root) if is_view else self._region(op, index, window)
                self._hold(root, size, place if root in self._maker else 0, place)
        for index in op.outputs:
            root = self._root(index)
            self._hold(root, self._base(root) if root == index else 0, place, place)

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
        return self._halo(op, window, (rows, columns), self._padding.get(index, (0, 0))) * channels

    def _halo(self, op: Operator, window: Window, size: tuple[int, int], padded: tuple[int, int]) -> int:
        """Positions of the input that the fullest tile holds."""
        out_rows, out_columns, _ = self._shape(op.outputs[0])
        high = extent(size[0], out_rows, window.rows, same=window.same, padded=padded[0])
        wide = extent(size[1], out_columns, window.columns, same=window.same, padded=padded[1])
        return high * wide

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
        row = channels * self._wide(op, window)
        return up(row, 16) - row + (16 if window.rows.stride > 1 else 0)

    def _wide(self, op: Operator, window: Window) -> int:
        wide, out = self._shape(self._root(op.inputs[0]))[1], self._shape(op.outputs[0])[1]
        return extent(wide, out, window.columns, same=window.same)

    def _host_rows(self, op: Operator, window: Window) -> int:
        """A window over a host input of more than four channels keeps one more copy of its rows."""
        source = self._root(op.inputs[0])
        if window.area == 1 or source not in self._inputs or self._shape(op.outputs[0])[0] == 1:
            return 0
        _, columns, channels = self._shape(source)
        if channels <= 4:
            return 0
        return self._region(op, op.inputs[0], window) // max(1, self._wide(op, window)) * part(columns) + 16


def _pad_before(paddings: Tensor) -> tuple[int, int]:
    """Rows and columns that a PAD of a four-dimensional map puts in front."""
    if paddings.data is None or len(paddings.data) != 32:
        return 0, 0
    values = memoryview(bytes(paddings.data)).cast("i")
    return values[2], values[4]


def likelihood(activation: Activation) -> float:
    """How likely Google's compiler fails with "large activation tensors": a score set by hand from three failures.

    What decides in the data is what is carried across operators (bands cannot shrink it), not the peak.
    """
    carried, peak = activation.carried / TILE_ACTIVATION_BYTES, activation.peak / TILE_ACTIVATION_BYTES
    if carried > 1:
        return 0.9
    if carried > 0.75:
        return 0.6
    over = sum(op.bytes > TILE_ACTIVATION_BYTES for op in activation.operators)
    if not over:
        return 0.02
    return 0.35 if carried > 0.5 else min(0.05 + 0.03 * peak + 0.003 * over, 0.3)


def warn(subgraph: Subgraph, activation: Activation) -> Diagnostic | None:
    """A warning where the compiler is likely to refuse the model for its activations; never a verdict."""
    score = likelihood(activation)
    if score < WORTH_A_WARNING:
        return None
    op = subgraph.operators[activation.carried_at]
    carried, tile = format_size(activation.carried), format_size(TILE_ACTIVATION_BYTES)
    return warning(
        "ETB312",
        f"Google's compiler may fail with large activation tensors (likelihood {score:.0%}, a guess): {carried} of a "
        f"tile's {tile} are carried across operator {activation.carried_at} ({op.kind}) for later ones",
        hint="halve the input's side (it divides every tensor by 4), or shorten the skip connections",
    )

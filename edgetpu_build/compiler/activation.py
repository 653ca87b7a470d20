"""Activation memory: what one of the 16 tiles needs for the tensors that are alive while an operator runs.

The tiles stand as 4 x 4 over rows and columns, channels whole. A tensor that a window reads is stored with its halo. The sum
of live tensors is exact where nothing exceeds a tile's 192 KiB (752 of 752 one-layer compiles that stay below; real
networks: see docs); above it the compiler works in horizontal bands, and only a bracket is known. The size of the
instructions is a linear fit and always an estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod

from edgetpu_build.errors import Diagnostic, warning
from edgetpu_build.figure import Figure, estimated, exact
from edgetpu_build.tflite.model import Operator, Subgraph
from edgetpu_build.units import format_size

TILE_ACTIVATIONS = 192 << 10
GRID = 4
WINDOWS = {"CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "AVERAGE_POOL_2D"}
POOLS = {"AVERAGE_POOL_2D", "MEAN", "SUM"}
VIEWS = {"RESHAPE", "SQUEEZE", "EXPAND_DIMS"}


def _up(value: int, step: int) -> int:
    return -(-value // step) * step


def _part(length: int) -> int:
    """Rows (or columns) of the largest of the four tiles along an axis."""
    return -(-length // GRID)


def map_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    """(rows, columns, channels): missing leading dimensions are 1, a batch multiplies the rows."""
    if len(shape) < 3:
        return (1, *([1] * (2 - len(shape))), *shape)  # type: ignore[return-value]
    return prod(shape[:-2]), shape[-2], shape[-1]


def tile_bytes(shape: Sequence[int]) -> int:
    """Bytes of a tensor in the fullest tile, without halo."""
    rows, columns, channels = map_shape(shape)
    return _part(rows) * _part(columns) * _up(channels, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorActivation:
    """Bytes a tile needs while operator ``index`` runs. ``banded``: it is above 192 KiB, or next to one that is."""

    index: int
    bytes: int
    banded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """``per_tile``: what the executable asks of a tile. ``peak``: the largest operator, as if there were no bands.

    ``carried``: bytes a tile keeps across operator ``carried_at`` for later ones (skip connections): bands cannot shrink
    them. ``largest``: (tensor, bytes a tile), the five largest. ``instructions``: bytes of both executables.
    """

    operators: tuple[OperatorActivation, ...] = ()
    per_tile: Figure = exact(0)
    peak: int = 0
    carried: int = 0
    carried_at: int = -1
    largest: tuple[tuple[int, int], ...] = ()
    instructions: Figure = exact(0)


@dataclass(slots=True)
class _Live:
    """One stretch of tile memory: taken from the first to the last of the mapped operators (by position)."""

    size: int
    first: int
    last: int


def _window(op: Operator, subgraph: Subgraph) -> tuple[int, int, int, int, int, int] | None:
    """(kernel rows, columns, stride rows, columns, dilation rows, columns)."""
    get = op.options.get
    if op.kind not in WINDOWS:
        return None
    if op.kind.endswith("POOL_2D"):
        rows, columns, dilation = get("filter_height", 1), get("filter_width", 1), (1, 1)
    else:
        _, rows, columns, _ = subgraph.tensors[op.inputs[1]].shape
        dilation = (get("dilation_h_factor", 1), get("dilation_w_factor", 1))
    return (rows, columns, get("stride_h", 1), get("stride_w", 1), *dilation)


def extent(size: int, out: int, kernel: int, stride: int, dilation: int, same: bool, padded: int = 0) -> int:
    """Rows of the input in the fullest tile: its own, and those that its rows of the output read, padding included."""
    reach = (kernel - 1) * dilation + 1
    before = padded + (max((out - 1) * stride + reach - size - padded, 0) // 2 if same else 0)
    most = 0
    for tile in range(GRID):
        low, high = _part(tile * size), _part((tile + 1) * size)
        first, end = _part(tile * out), _part((tile + 1) * out)
        if end > first:
            start, stop = first * stride - before, (end - 1) * stride - before + reach
            low, high = (min(low, start), max(high, stop)) if high > low else (start, stop)
        most = max(most, high - low)
    return most


class _Memory:
    """The tensors of one executable: who shares a buffer, how large it is, from when to when it lives."""

    def __init__(self, subgraph: Subgraph, mapped: Sequence[int], runtime: int) -> None:
        self.subgraph, self.mapped, self.runtime = subgraph, mapped, runtime
        self.tensors = subgraph.tensors
        self.maker = {index: position for position in mapped for index in subgraph.operators[position].outputs}
        self.inputs = set(subgraph.inputs)
        self.same: dict[int, int] = {}
        self.padding: dict[int, tuple[int, int]] = {}
        self.live: dict[int, _Live] = {}
        self.scratch = [0] * len(mapped)
        self._share()
        for place, position in enumerate(mapped):
            self._visit(place, subgraph.operators[position])

    def root(self, index: int) -> int:
        while index in self.same:
            index = self.same[index]
        return index

    def _share(self) -> None:
        """RESHAPE, QUANTIZE of equal scale and PAD in front of a window cost nothing: same buffer."""
        windowed = {i for p in self.mapped for i in self.subgraph.operators[p].inputs if self.subgraph.operators[p].kind in WINDOWS}
        for position in self.mapped:
            op = self.subgraph.operators[position]
            source, out = op.inputs[0], op.outputs[0]
            if op.kind in VIEWS or (op.kind == "QUANTIZE" and self._equal_scale(source, out)):
                self.same[out] = source
            elif op.kind == "PAD" and out in windowed:
                self.same[out] = source
                self.padding[out] = self._pad_before(op.inputs[1])

    def _equal_scale(self, source: int, out: int) -> bool:
        first, second = self.tensors[source].quantization, self.tensors[out].quantization
        return not first or not second or abs(first.scale[0] / second.scale[0] - 1) < 1e-6

    def _pad_before(self, index: int) -> tuple[int, int]:
        data = self.tensors[index].data
        values = data.cast("B").cast("i") if data is not None and len(data) == 32 else (0,) * 8
        return values[2], values[4]

    def dense(self, op: Operator) -> bool:
        shape = self.tensors[op.outputs[0]].shape
        return op.kind == "FULLY_CONNECTED" and not (len(shape) == 4 and shape[1] * shape[2] > 1)

    def base(self, index: int) -> int:
        """Bytes of the buffer as its producer leaves it."""
        made = self.maker.get(index)
        if made is not None and self.runtime >= 12 and self.dense(self.subgraph.operators[made]):
            return 64 * -(-(-(-self.tensors[index].shape[-1] // 64)) // 16)
        return tile_bytes(self.tensors[index].shape)

    def region(self, op: Operator, index: int) -> int:
        """Bytes of the buffer as ``op`` needs it: whole for dense layers and global pools, with halo for windows."""
        source = self.same[index] if index in self.padding else index
        rows, columns, channels = map_shape(self.tensors[source].shape)
        channels = _up(channels, 4)
        out_rows, out_columns, _ = map_shape(self.tensors[op.outputs[0]].shape)
        if self.dense(op):
            size = rows * columns * channels
            return _up(size, 256) if self.runtime >= 12 else size
        if out_rows == out_columns == 1 and rows * columns > 1:
            if op.kind in POOLS:
                return rows * (_part(columns) if self.runtime >= 14 else columns) * channels
            if op.kind == "CONV_2D" and self.runtime >= 12:
                both = rows > 1 and columns > 1
                return (16 * _part(rows) * _part(columns) if both else rows * columns) * channels
        window = _window(op, self.subgraph)
        if window is None:
            own = source in self.maker and source == self.root(index)
            return self.base(source) if own else _part(rows) * _part(columns) * channels
        top, left = self.padding.get(index, (0, 0))
        same = op.options.get("padding", "SAME") == "SAME"
        return (
            extent(rows, out_rows, window[0], window[2], window[4], same, top)
            * extent(columns, out_columns, window[1], window[3], window[5], same, left)
            * channels
        )

    def _scratch(self, op: Operator) -> int:
        """Bytes that an operator needs besides its tensors."""
        shape = self.tensors[op.outputs[0]].shape
        rows, columns, channels = map_shape(shape)
        padded = _up(channels, 4)
        window = _window(op, self.subgraph)
        if op.kind == "PRELU":
            return tile_bytes(shape) + 64
        if op.kind == "TRANSPOSE":
            return max(0, 2 * prod(shape) - 2 * tile_bytes(shape))
        if op.kind in POOLS and rows == columns == 1:
            return 804 - padded if self.runtime >= 14 else padded + 4
        if op.kind == "AVERAGE_POOL_2D":
            return tile_bytes(shape) + self._row_over(op, window, padded)
        if op.kind == "MAX_POOL_2D" and rows > 1:
            return self._row_over(op, window, padded)
        if op.kind in ("MAXIMUM", "MINIMUM"):
            return 64 if padded >= 16 else 0
        if op.kind == "DEPTHWISE_CONV_2D":
            return 16 if padded < 16 and window and window[2] > 1 and rows > 1 else 0
        return 512 if self.runtime >= 12 and self.dense(op) else 0

    def _row_over(self, op: Operator, window: tuple[int, ...] | None, channels: int) -> int:
        rows, columns, _ = map_shape(self.tensors[op.outputs[0]].shape)
        if not window or rows <= 1:
            return 0
        if channels >= 16:
            return 64
        wide = map_shape(self.tensors[self.root(op.inputs[0])].shape)[1]
        same = op.options.get("padding", "SAME") == "SAME"
        row = extent(wide, columns, window[1], window[3], window[5], same) * channels
        return _up(row, 16) - row + (16 if window[2] > 1 else 0)

    def _host_rows(self, op: Operator) -> int:
        """A window over a host input of more than four channels keeps one more copy of its rows."""
        window, source = _window(op, self.subgraph), self.root(op.inputs[0])
        rows, columns, channels = map_shape(self.tensors[source].shape)
        out_rows, out_columns, _ = map_shape(self.tensors[op.outputs[0]].shape)
        if not window or window[0] * window[1] == 1 or out_rows == 1 or source not in self.inputs or channels <= 4:
            return 0
        same = op.options.get("padding", "SAME") == "SAME"
        wide = max(1, extent(columns, out_columns, window[1], window[3], window[5], same))
        return self.region(op, op.inputs[0]) // wide * _part(columns) + 16

    def _visit(self, place: int, op: Operator) -> None:
        self.scratch[place] = self._scratch(op) + self._host_rows(op)
        view = op.outputs[0] in self.same
        for index in op.inputs:
            if index < 0 or self.tensors[index].data is not None:
                continue
            root = self.root(index)
            self._hold(root, self.base(root) if view else self.region(op, index), place if root in self.maker else 0, place)
        for index in op.outputs:
            root = self.root(index)
            self._hold(root, self.base(root) if root == index else 0, place, place)

    def _hold(self, root: int, size: int, first: int, last: int) -> None:
        live = self.live.get(root)
        if live is None:
            self.live[root] = _Live(size, first, last)
        else:
            live.size, live.last = max(live.size, size), max(live.last, last)

    def sums(self) -> list[int]:
        """Live bytes while each mapped operator runs."""
        steps = [0] * (len(self.mapped) + 1)
        for live in self.live.values():
            steps[live.first] += live.size
            steps[live.last + 1] -= live.size
        return [held + extra for held, extra in zip(accumulate(steps), self.scratch)]

    def carried(self) -> list[int]:
        """Of these, the bytes that the operator neither reads nor writes, graph inputs left out."""
        steps = [0] * (len(self.mapped) + 1)
        for root, live in self.live.items():
            if root not in self.inputs and live.last - live.first > 1:
                size = min(live.size, tile_bytes(self.tensors[root].shape))
                steps[live.first + 1] += size
                steps[live.last] -= size
        sums = list(accumulate(steps[:-1]))
        for place, position in enumerate(self.mapped):
            op = self.subgraph.operators[position]
            for root in {*op.inputs, *op.outputs}:
                passing = self.live.get(root)
                if passing and root not in self.inputs and passing.first < place < passing.last:
                    sums[place] -= min(passing.size, tile_bytes(self.tensors[root].shape))
        return sums


def _bands(memory: _Memory, sums: Sequence[int]) -> set[int]:
    """Positions that are run in bands: operators above the tile's memory, their producers and their readers."""
    over = [place for place, size in enumerate(sums) if size > TILE_ACTIVATIONS]
    if not over:
        return set()
    operators = [memory.subgraph.operators[position] for position in memory.mapped]
    read = {index for place in over for index in operators[place].inputs}
    made = {index for place in over for index in operators[place].outputs}
    banded = set(over)
    for place, op in enumerate(operators):  # in order, so views pass the mark on to their own readers
        if not made.isdisjoint(op.inputs):
            banded.add(place)
            if op.kind in ("PAD", "RESHAPE", "QUANTIZE"):
                made.update(op.outputs)
        if not read.isdisjoint(op.outputs):
            banded.add(place)
    return banded


def analyse(subgraph: Subgraph, mapped: Sequence[int], runtime: int = 14) -> Activation:
    """Activation memory of one Edge TPU operator: ``mapped`` are its operators, in file order."""
    if not mapped:
        return Activation()
    memory = _Memory(subgraph, mapped, runtime)
    sums, carried = memory.sums(), memory.carried()
    banded = _bands(memory, sums)
    peak = max(sums)
    below = max((size for place, size in enumerate(sums) if place not in banded), default=0)
    per_tile = estimated(below, below, TILE_ACTIVATIONS) if banded else estimated(peak, peak, min(2 * peak, TILE_ACTIVATIONS))
    at = max(range(len(carried)), key=carried.__getitem__)
    outputs = {index for position in mapped for index in subgraph.operators[position].outputs}
    largest = sorted(((index, tile_bytes(subgraph.tensors[index].shape)) for index in outputs), key=lambda x: (-x[1], x[0]))
    return Activation(
        operators=tuple(
            OperatorActivation(index=position, bytes=sums[place], banded=place in banded)
            for place, position in enumerate(mapped)
        ),
        per_tile=per_tile,
        peak=peak,
        carried=carried[at],
        carried_at=mapped[at] if carried[at] else -1,
        largest=tuple(largest[:5]),
        instructions=_instructions(memory, sums, runtime),
    )


# Least squares over 168 public executables, non-negative. Bytes per operator of a kind; the rest as named.
_KIND_BYTES: dict[bool, dict[str, float]] = {
    False: {
        "CONV_2D": 1118, "DEPTHWISE_CONV_2D": 1463, "FULLY_CONNECTED": 1676, "GLOBAL_POOL": 3903, "SOFTMAX": 5531,
        "CONCATENATION": 14726, "MUL": 2346, "OTHER": 7925,
    },
    True: {
        "CONV_2D": 1060, "DEPTHWISE_CONV_2D": 1039, "FULLY_CONNECTED": 1430, "POOL": 1212, "GLOBAL_POOL": 17225,
        "SOFTMAX": 9260, "CONCATENATION": 7861, "MUL": 617,
    },
}  # fmt: skip
_START = {False: 4149, True: 5947}
_MISALIGNED_WINDOW = {False: 3522, True: 1508}
_MISALIGNED_MAP = {False: 0, True: 729}
_EXTRA_CHUNK = {False: 8, True: 83}
_OVER_OPERATOR = {False: 6246, True: 0}
_OVER_RATIO = {False: 7439, True: 21731}
_SPREAD = {False: (1.675, 0.527), True: (1.574, 0.513)}  # 10th and 90th percentile of predicted / true, families held out
_LIKE_MUL = {"LOGISTIC", "TANH", "RELU", "SUB", "MAXIMUM", "MINIMUM", "PRELU", "MUL"}
_FREE = {"RESHAPE": 0.3, "EXPAND_DIMS": 0.3, "SQUEEZE": 0.3, "QUANTIZE": 0.3, "PAD": 0.1}


def _kind(op: Operator, cells: int) -> str:
    if op.kind in _LIKE_MUL:
        return "MUL"
    if op.kind == "MAX_POOL_2D" or op.kind in POOLS:
        return "GLOBAL_POOL" if op.kind in POOLS and cells == 1 else "POOL"
    known = op.kind in ("ADD", "STRIDED_SLICE", "TRANSPOSE") or op.kind.startswith("RESIZE")
    return op.kind if known or op.kind in _KIND_BYTES[True] else "OTHER"


def _instructions(memory: _Memory, sums: Sequence[int], runtime: int) -> Figure:
    new = runtime >= 13
    kinds = _KIND_BYTES[new]
    size = float(_START[new])
    for position in memory.mapped:
        op = memory.subgraph.operators[position]
        if op.kind in _FREE:
            size += _FREE[op.kind] * kinds.get("OTHER", 0)
            continue
        rows, columns, channels = map_shape(memory.tensors[op.outputs[0]].shape)
        size += kinds.get(_kind(op, rows * columns), 0) + _EXTRA_CHUNK[new] * ((max(channels, 1) - 1) // 64)
        if rows * columns > 1:
            size += _misaligned(memory, op, rows, columns, new)
    over = [held / TILE_ACTIVATIONS for held in sums if held > TILE_ACTIVATIONS]
    size += len(over) * _OVER_OPERATOR[new] + sum(over) * _OVER_RATIO[new]
    most, least = _SPREAD[new]
    return estimated(int(size), int(size / most), int(size / least))


def _misaligned(memory: _Memory, op: Operator, rows: int, columns: int, new: bool) -> int:
    size = _MISALIGNED_MAP[new] if rows % GRID or columns % GRID else 0
    window = _window(op, memory.subgraph)
    if window and window[0] * window[1] > 1:
        in_rows, in_columns, _ = map_shape(memory.tensors[op.inputs[0]].shape)
        if rows % GRID or columns % GRID or in_rows % GRID or in_columns % GRID:
            size += _MISALIGNED_WINDOW[new]
    return size


def likelihood(activation: Activation) -> float:
    """How likely Google's compiler fails with "large activation tensors": a score set by hand from three failures.

    What decides in the data is what is carried across operators (bands cannot shrink it), not the peak.
    """
    carried, peak = activation.carried / TILE_ACTIVATIONS, activation.peak / TILE_ACTIVATIONS
    if carried > 1:
        return 0.9
    if carried > 0.75:
        return 0.6
    over = sum(op.bytes > TILE_ACTIVATIONS for op in activation.operators)
    if not over:
        return 0.02
    return 0.35 if carried > 0.5 else min(0.05 + 0.03 * peak + 0.003 * over, 0.3)


def warn(subgraph: Subgraph, activation: Activation) -> Diagnostic | None:
    """A warning where the compiler is likely to refuse the model for its activations, with the place; never a verdict."""
    score = likelihood(activation)
    if score < 0.35:
        return None
    op = subgraph.operators[activation.carried_at]
    return warning(
        "ETB312",
        f"Google's compiler may fail with large activation tensors (likelihood {score:.0%}, a guess): "
        f"{format_size(activation.carried)} of a tile's {format_size(TILE_ACTIVATIONS)} are carried across operator "
        f"{activation.carried_at} ({op.kind}) for later ones",
        hint="halve the input's side (it divides every tensor by 4), or shorten the skip connections",
    )

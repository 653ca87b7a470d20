"""What one operator asks of the chip, from its shapes alone.

The 16 tiles share rows and columns of a map as 4 x 4; a tile works on 64 output channels and 4 input channels at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgetpu_build.chip.facts import CHANNEL_ALIGNMENT, LANES, TILE_ACTIVATION_BYTES, TILE_COLUMNS, TILE_ROWS, TILES
from edgetpu_build.tflite.model import Operator, Subgraph, Tensor

Map = tuple[int, int, int]
"""Rows, columns, channels."""

HALF_LANES = 32
_HEADER = 8  # bytes of bias and scale an output channel
_ELEMENTWISE = ("ADD", "MUL", "SUB", "MAXIMUM", "MINIMUM")
_CONVOLUTIONS = ("CONV_2D", "TRANSPOSE_CONV")
_POOLS = ("MAX_POOL_2D", "AVERAGE_POOL_2D")
_RESENT = ((1.0, 1), (5 / 3, 4), (11 / 6, 6), (float("inf"), 8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """``array``, ``depthwise`` and ``pool``: steps of the fullest tile. ``narrow``: 32 output channels or fewer.

    ``weights``: bytes that go to every tile, ``dense``: bytes that are dealt out over the tiles. ``activations``: bytes
    read and written. ``parameters``: bytes in the artifact.
    """

    kind: str
    array: int = 0
    narrow: bool = False
    depthwise: int = 0
    pool: int = 0
    weights: int = 0
    dense: int = 0
    activations: int = 0
    parameters: int = 0

    @property
    def sends(self) -> int:
        """How often streamed weights go over the link: once, unless the activations exceed the tiles' memory."""
        over = self.activations / (TILES * TILE_ACTIVATION_BYTES)
        return next(times for bound, times in _RESENT if over <= bound)


def work(kind: str, source: Map, result: Map, kernel: tuple[int, int] = (1, 1), *, reads: int = 1) -> Work:
    """``source`` and ``result``: the maps read and written; ``reads``: how many maps of the source's size it reads."""
    read, written = source[0] * source[1] * source[2], result[0] * result[1] * result[2]
    taps, groups = kernel[0] * kernel[1], _part(source[2], CHANNEL_ALIGNMENT)
    chunks, positions = _part(result[2], LANES), _positions(result)
    padded = chunks * LANES
    array = depthwise = pool = weights = dense = 0
    if kind in _CONVOLUTIONS:
        array = _positions(source if kind == "TRANSPOSE_CONV" else result) * chunks * taps * groups
        weights = padded * (taps * groups * CHANNEL_ALIGNMENT + _HEADER)
    elif kind == "FULLY_CONNECTED":
        dense = padded * (groups * CHANNEL_ALIGNMENT + _HEADER)
    elif kind == "DEPTHWISE_CONV_2D":
        depthwise = positions * chunks * taps
        weights = (taps + 2) * 4 * result[2] + _HEADER * result[2]
    elif kind in _POOLS:
        pool = positions * chunks * taps
    elif kind == "MEAN":
        pool = _positions(source) * _part(source[2], LANES)
    return Work(
        kind=kind,
        array=array,
        narrow=result[2] <= HALF_LANES,
        depthwise=depthwise,
        pool=pool,
        weights=weights,
        dense=dense,
        activations=read * reads + written,
        parameters=_stored(kind, weights or dense, padded, result),
    )


def of(subgraph: Subgraph, operator: Operator) -> Work:
    """The work of an operator of a model."""
    tensors = subgraph.tensors
    maps = [tensors[index] for index in operator.inputs if index >= 0 and tensors[index].data is None]
    out = tensors[operator.outputs[0]]
    source, result = shape(maps[0] if maps else out), shape(out)
    if operator.kind == "FULLY_CONNECTED":
        return _fully_connected(source, result)
    reads = len(maps) if operator.kind in _ELEMENTWISE else 1
    return work(operator.kind, source, result, _kernel(operator, tensors), reads=max(1, reads))


def shape(tensor: Tensor) -> Map:
    """Rows, columns and channels; a batch multiplies the rows, dimensions that are not there are 1."""
    *outer, rows, columns, channels = (1, 1, 1, *tensor.shape)
    for size in outer:
        rows *= max(1, size)
    return rows, columns, channels


def _fully_connected(source: Map, result: Map) -> Work:
    """Over a single vector a dense layer, over many a convolution with one tap."""
    positions = result[0] * result[1]
    depth = source[0] * source[1] * source[2] // max(1, positions)
    if positions == 1:
        return work("FULLY_CONNECTED", (1, 1, depth), result)
    return work("CONV_2D", (result[0], result[1], depth), result)


def _kernel(operator: Operator, tensors: tuple[Tensor, ...]) -> tuple[int, int]:
    if operator.kind in _POOLS:
        return operator.options.get("filter_height", 1), operator.options.get("filter_width", 1)
    if operator.kind in (*_CONVOLUTIONS, "DEPTHWISE_CONV_2D"):
        _, rows, columns, _ = (*tensors[operator.inputs[1]].shape, 1, 1, 1, 1)[:4]
        return rows, columns
    return 1, 1


def _stored(kind: str, size: int, padded: int, result: Map) -> int:
    """Bytes in the artifact: a single narrow chunk is stored with 16 lanes or a multiple, 4 at most positions."""
    if kind == "DEPTHWISE_CONV_2D" or result[2] >= LANES or not size:
        return size
    few = result[2] <= CHANNEL_ALIGNMENT and result[0] * result[1] > 1
    lanes = CHANNEL_ALIGNMENT if few else _part(result[2], 16) * 16
    return size // padded * lanes


def _positions(size: Map) -> int:
    return _part(size[0], TILE_ROWS) * _part(size[1], TILE_COLUMNS)


def _part(length: int, parts: int) -> int:
    return -(-length // parts)

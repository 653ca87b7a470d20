"""Bytes of instructions: a linear fit over 168 public executables, always an estimate.

Least squares, no coefficient below 0, one fit for compilers up to 15.0 and one for 16.0. With whole model families
held out the median error is 16 % and 33 %; the range spans the 10th to the 90th percentile of predicted / true.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from edgetpu_build.chip.facts import LANES, TILE_ACTIVATION_BYTES
from edgetpu_build.compiler.footprint import GRID, POOLS, Window, map_shape
from edgetpu_build.figure import Figure, estimated
from edgetpu_build.tflite.model import Operator, Subgraph

_LIKE_MUL = {"LOGISTIC", "TANH", "RELU", "SUB", "MAXIMUM", "MINIMUM", "PRELU", "MUL"}
_SHARES = {"RESHAPE": 0.3, "EXPAND_DIMS": 0.3, "SQUEEZE": 0.3, "QUANTIZE": 0.3, "PAD": 0.1}  # of an "OTHER"


class _Fit(NamedTuple):
    """Bytes: ``kinds`` per operator of a kind, ``chunk`` per 64 output channels after the first, ``window`` and ``map``
    per operator whose rows or columns do not divide by 4, ``over`` per operator above a tile's memory and ``ratio`` per
    time that it fills it. ``spread``: predicted / true at the 90th and 10th percentile.
    """

    start: int
    kinds: Mapping[str, int]
    chunk: int
    window: int
    map: int
    over: int
    ratio: int
    spread: tuple[float, float]


_OLD = _Fit(
    start=4149,
    kinds={
        "CONV_2D": 1118,
        "DEPTHWISE_CONV_2D": 1463,
        "FULLY_CONNECTED": 1676,
        "GLOBAL_POOL": 3903,
        "SOFTMAX": 5531,
        "CONCATENATION": 14726,
        "MUL": 2346,
        "OTHER": 7925,
    },
    chunk=8,
    window=3522,
    map=0,
    over=6246,
    ratio=7439,
    spread=(1.675, 0.527),
)
_NEW = _Fit(
    start=5947,
    kinds={
        "CONV_2D": 1060,
        "DEPTHWISE_CONV_2D": 1039,
        "FULLY_CONNECTED": 1430,
        "POOL": 1212,
        "GLOBAL_POOL": 17225,
        "SOFTMAX": 9260,
        "CONCATENATION": 7861,
        "MUL": 617,
    },
    chunk=83,
    window=1508,
    map=729,
    over=0,
    ratio=21731,
    spread=(1.574, 0.513),
)


def instruction_bytes(subgraph: Subgraph, mapped: Sequence[int], live: Sequence[int], *, new: bool) -> Figure:
    """Bytes of both executables. ``live``: bytes that each mapped operator needs of a tile; ``new``: from 16.0 on."""
    fit = _NEW if new else _OLD
    size = fit.start + sum(_operator(fit, subgraph, subgraph.operators[position]) for position in mapped)
    over = [held / TILE_ACTIVATION_BYTES for held in live if held > TILE_ACTIVATION_BYTES]
    size += len(over) * fit.over + sum(over) * fit.ratio
    most, least = fit.spread
    return estimated(int(size), int(size / most), int(size / least))


def _operator(fit: _Fit, subgraph: Subgraph, op: Operator) -> float:
    if op.kind in _SHARES:
        return _SHARES[op.kind] * fit.kinds.get("OTHER", 0)
    rows, columns, channels = map_shape(subgraph.tensors[op.outputs[0]].shape)
    size = fit.kinds.get(_kind(op, rows * columns), 0) + fit.chunk * ((max(channels, 1) - 1) // LANES)
    if rows * columns == 1:
        return size
    aligned = rows % GRID == columns % GRID == 0
    size += 0 if aligned else fit.map
    window = Window.of(op, subgraph.tensors)
    if window and window.area > 1:
        in_rows, in_columns, _ = map_shape(subgraph.tensors[op.inputs[0]].shape)
        size += 0 if aligned and in_rows % GRID == in_columns % GRID == 0 else fit.window
    return size


def _kind(op: Operator, positions: int) -> str:
    if op.kind in _LIKE_MUL:
        return "MUL"
    if op.kind in POOLS and positions == 1:
        return "GLOBAL_POOL"
    if op.kind in POOLS or op.kind == "MAX_POOL_2D":
        return "POOL"
    free = op.kind in ("ADD", "STRIDED_SLICE", "TRANSPOSE") or op.kind.startswith("RESIZE")
    return op.kind if free or op.kind in _NEW.kinds else "OTHER"

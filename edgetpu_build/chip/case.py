"""What a rule looks at: one operator with its tensors, and how those are measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgetpu_build.chip.facts import INNER_DIMENSIONS, TILE_COLUMNS, TILE_ROWS
from edgetpu_build.chip.generations import Generation
from edgetpu_build.tflite.model import Operator, Subgraph, Tensor

EIGHT_BIT = ("INT8", "UINT8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One operator with its tensors, and for whom it is compiled. ``data``: the inputs that are not constants."""

    operator: Operator
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    data: tuple[Tensor, ...]
    slots: tuple[Tensor | None, ...]
    generation: Generation
    runtime: int

    @property
    def kind(self) -> str:
        return self.operator.kind

    def slot(self, number: int) -> Tensor | None:
        """The input at a position of the operator's signature, None if left out."""
        return self.slots[number] if number < len(self.slots) else None


def case(subgraph: Subgraph, index: int, generation: Generation, runtime: int) -> Case:
    """What the rules need of operator ``index``, to be mapped for ``runtime``."""
    operator = subgraph.operators[index]
    slots = tuple(subgraph.tensors[t] if t >= 0 else None for t in operator.inputs)
    inputs = tuple(tensor for tensor in slots if tensor is not None)
    return Case(
        operator=operator,
        inputs=inputs,
        outputs=tuple(subgraph.tensors[t] for t in operator.outputs if t >= 0),
        data=tuple(tensor for tensor in inputs if tensor.data is None),
        slots=slots,
        generation=generation,
        runtime=runtime,
    )


def elements(tensor: Tensor) -> int:
    """How many elements, which are bytes where the type has 8 bits."""
    return math.prod(tensor.shape)


def inner(tensor: Tensor) -> tuple[int, int, int]:
    """Rows, columns and channels; dimensions that are not there are 1."""
    rows, columns, channels = (1, 1, 1, *tensor.shape)[-INNER_DIMENSIONS:]
    return rows, columns, channels


def fullest_tile(tensor: Tensor) -> int:
    """Bytes of an 8-bit tensor in the tile that holds most of it; with a single row every tile holds all."""
    rows, columns, channels = inner(tensor)
    if rows == 1:
        return columns * channels
    return -(-rows // TILE_ROWS) * -(-columns // TILE_COLUMNS) * channels


def integers(tensor: Tensor | None) -> tuple[int, ...]:
    """The values of a constant INT32 or INT64 tensor, () for anything else."""
    size = {"INT32": 4, "INT64": 8}.get(tensor.type) if tensor is not None else None
    if tensor is None or tensor.data is None or size is None:
        return ()
    data = tensor.data
    return tuple(
        int.from_bytes(data[i : i + size], "little", signed=True) for i in range(0, len(data) - size + 1, size)
    )


def shape_text(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


def reduced(case: Case) -> tuple[int, ...]:
    """The dimensions that a reduction takes away, counted from the front; none if its axes are computed."""
    if not case.data:
        return ()
    rank = len(case.data[0].shape)
    axes = (axis + rank if axis < 0 else axis for axis in integers(case.slot(1)))
    return tuple(sorted({axis for axis in axes if 0 <= axis < rank}))

"""Constants that stand in for those which lie in a blob, so that an artifact's own graph has a layout again.

What a layout depends on besides shapes and scales is whether a bias or an operand was worth storing: those that were
are exactly the constants in the blob. Stand-ins are bytes that would be stored: never zero, never all equal.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from edgetpu_build.tflite.model import Subgraph, Tensor

WIDTHS = {"INT8": 1, "UINT8": 1, "INT16": 2, "INT32": 4, "INT64": 8}
PERIOD = 251  # prime, so that no two neighbouring values of any width are equal


def stand_in(subgraph: Subgraph, held: frozenset[int]) -> Subgraph:
    """The same subgraph, with made-up data for the tensors ``held`` in blobs.

    ``layout`` of the result has the sizes and the ``unpack`` of the layout that wrote the blobs, if every other
    constant is there.
    """
    tensors = [
        replace(tensor, data=_pattern(tensor)) if number in held else tensor
        for number, tensor in enumerate(subgraph.tensors)
    ]
    return replace(subgraph, tensors=tuple(tensors))


def _pattern(tensor: Tensor) -> memoryview:
    size = prod(tensor.shape) * WIDTHS.get(tensor.type, 1)
    whole = bytes(range(1, PERIOD + 1))
    return memoryview((whole * (size // PERIOD + 1))[:size])

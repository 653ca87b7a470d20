"""Parameter data of the Edge TPU: what every operator's constants become in an artifact, to the byte.

The one source for sizes (which layers fit on the chip) and for bytes (what an artifact holds). ``layout`` describes
one operator, ``layers`` all that have parameters; ``stand_in`` gives a graph whose constants lie in blobs its layout
back. A new kind of operator is one function from a ``Site`` to a
``Draft`` and one line in ``RULES``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from edgetpu_build.compiler.parameters import (
    convolution,
    dense,
    elementwise,
    movement,
    recurrent,
    softmax,
    transposed,
    unknown,
)
from edgetpu_build.compiler.parameters.generation import GENERATIONS
from edgetpu_build.compiler.parameters.layer import Draft, Layer, Piece
from edgetpu_build.compiler.parameters.site import Site, wiring_of
from edgetpu_build.compiler.parameters.standin import stand_in
from edgetpu_build.tflite.model import Subgraph

__all__ = ["GENERATIONS", "RULES", "Layer", "Piece", "layers", "layout", "stand_in"]

RULES: dict[str, Callable[[Site], Draft | None]] = {
    "ADD": elementwise.elementwise,
    "AVERAGE_POOL_2D": unknown.average_pool,
    "BATCH_MATMUL": unknown.unknown,
    "CONCATENATION": movement.concatenation,
    "CONV_2D": convolution.convolution,
    "DEPTHWISE_CONV_2D": convolution.depthwise,
    "FULLY_CONNECTED": dense.dense,
    "L2_NORMALIZATION": unknown.unknown,
    "MAXIMUM": elementwise.elementwise,
    "MINIMUM": elementwise.elementwise,
    "MUL": elementwise.elementwise,
    "PACK": movement.stack,
    "PAD": movement.pad,
    "PRELU": elementwise.elementwise,
    "RESHAPE": movement.reshape,
    "RSQRT": unknown.unknown,
    "SLICE": movement.cut,
    "SOFTMAX": softmax.softmax,
    "SPACE_TO_DEPTH": unknown.unknown,
    "SPLIT": movement.split,
    "SQUARED_DIFFERENCE": elementwise.elementwise,
    "STRIDED_SLICE": movement.strided_slice,
    "SUB": elementwise.elementwise,
    "TRANSPOSE": movement.transpose,
    "TRANSPOSE_CONV": transposed.transposed,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": recurrent.lstm,
}


def layout(subgraph: Subgraph, index: int, *, generation: str, mapped: frozenset[int]) -> Layer | None:
    """The parameters of operator ``index``, or None where it has none.

    ``generation``: a key of ``GENERATIONS``. ``mapped``: indices of the operators on the Edge TPU, since neighbours
    on the CPU ask for no layout.
    """
    site = Site(
        subgraph=subgraph, wiring=_wiring(subgraph), index=index, generation=GENERATIONS[generation], mapped=mapped
    )
    draft = _draft(site)
    return None if draft is None else _complete(subgraph, index, draft)


def layers(subgraph: Subgraph, *, generation: str, mapped: frozenset[int]) -> tuple[Layer, ...]:
    """Every mapped operator that has parameters, in the order of the file.

    An operator stands here twice if part of its data is streamed even where the rest is cached.
    """
    found: list[Layer] = []
    first = Site(
        subgraph=subgraph, wiring=wiring_of(subgraph), index=0, generation=GENERATIONS[generation], mapped=mapped
    )
    for index in sorted(mapped):
        draft = _draft(first.at(index))
        if draft is None:
            continue
        found.append(_complete(subgraph, index, draft))
        if draft.streamed:
            found.append(_complete(subgraph, index, replace(draft, pieces=draft.streamed, always_streamed=True)))
    return tuple(found)


_wiring = lru_cache(maxsize=1)(wiring_of)  # whoever asks for one layout soon asks for its neighbour's


def _draft(site: Site) -> Draft | None:
    rule = RULES.get(site.kind)
    return rule(site) if rule else None


def _complete(subgraph: Subgraph, index: int, draft: Draft) -> Layer:
    operator = subgraph.operators[index]
    size = sum(piece.size for piece in draft.pieces)
    held = {tensor for piece in draft.pieces for tensor in _held(piece)}
    constants = (t for t in dict.fromkeys(operator.inputs) if t >= 0 and subgraph.tensors[t].data is not None)
    return Layer(
        index=index,
        kind=operator.kind,
        size=size,
        tile_size=draft.chunks * draft.chunk_size or size,
        chunks=draft.chunks,
        chunk_size=draft.chunk_size,
        always_streamed=draft.always_streamed,
        confidence=draft.confidence,
        reason=draft.reason,
        pieces=draft.pieces,
        absent=tuple(tensor for tensor in constants if tensor not in held),
    )


def _held(piece: Piece) -> tuple[int, ...]:
    """The constant tensors in a piece."""
    header = getattr(piece, "header", None)
    return (getattr(piece, "tensor", -1), header.bias_tensor if header else -1)

"""UNIDIRECTIONAL_SEQUENCE_LSTM: four gates, and the selection matrices that unroll the sequence.

The layout of the one public compile whose model is known (28 steps of 28 inputs, 20 units): byte for byte, but which of
the two 28 is which is a guess from the symmetry of the way in and the way out.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from edgetpu_build.compiler.parameters import header, selection
from edgetpu_build.compiler.parameters.convolution import constant, data_of
from edgetpu_build.compiler.parameters.header import SIGN
from edgetpu_build.compiler.parameters.layer import ALIGNMENT, Draft, Piece, up
from edgetpu_build.compiler.parameters.matrix import Matrix
from edgetpu_build.compiler.parameters.site import Site
from edgetpu_build.tflite.model import Tensor

INPUT_WEIGHTS, RECURRENT_WEIGHTS, BIASES = 1, 5, 12  # the first of four inputs each: input, forget, cell, output gate


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The zeros that a sequence starts from: a byte for every step and unit."""

    what: str
    count: int
    exact: bool = True

    @property
    def size(self) -> int:
        return up(self.count, ALIGNMENT)

    def blob(self) -> bytes:
        return (bytes([SIGN]) * self.count).ljust(self.size, b"\0")

    def unpack(self, blob: bytes | memoryview) -> dict[int, bytes]:
        return {}


def lstm(site: Site) -> Draft | None:
    """Inputs are taken apart, every gate has weights (with bias) and recurrent weights, results are put together."""
    source, weights = site.input(0), site.input(INPUT_WEIGHTS + 1)
    if source is None or weights is None or len(source.shape) != 3 or len(weights.shape) != 2:
        return None
    if min(*source.shape, *weights.shape) < 1:
        return None
    (units, depth), steps = weights.shape, source.shape[1]
    pieces: list[Piece] = [selection.spread(depth), selection.collect(1), selection.pack(depth, spatial=False)]
    for gate in range(4):
        pieces += _gate(site, gate)
    pieces += [selection.spread(units), selection.collect(steps), selection.pack(units, spatial=False)]
    return Draft(
        pieces=tuple(pieces),
        streamed=(State(what="state", count=steps * units),),
        confidence="estimated",
        reason=f"four gates of {units} units, and selection matrices that unroll {steps} steps",
    )


def _gate(site: Site, gate: int) -> list[Piece]:
    weights, recurrent = site.input(INPUT_WEIGHTS + gate), site.input(RECURRENT_WEIGHTS + gate)
    bias = header.biases(site.input(BIASES + gate), weights.shape[0]) if weights and weights.shape else None
    pieces: list[Piece] = []
    for tensor, number, values in (
        (weights, site.number(INPUT_WEIGHTS + gate), bias),
        (recurrent, site.number(RECURRENT_WEIGHTS + gate), None),
    ):
        if tensor is not None and constant(tensor) and len(tensor.shape) == 2:
            pieces.append(_matrix(tensor, number, values, site.number(BIASES + gate)))
    return pieces


def _matrix(weights: Tensor, number: int, bias: array[int] | None, bias_number: int) -> Matrix:
    return Matrix(
        what="weights",
        tensor=number,
        data=data_of(weights),
        outputs=weights.shape[0],
        runs=(weights.shape[1],),
        header=header.Header(bias=bias, bias_tensor=-1 if bias is None else bias_number),
        zero_points=header.stored_zero_points(weights, weights.shape[0]),
        flip=weights.type == "INT8",
    )

"""FULLY_CONNECTED: a convolution with one tap over everything that comes in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod

from edgetpu_build.compiler.parameters import header, joint, selection
from edgetpu_build.compiler.parameters.convolution import constant, data_of, of_matrix
from edgetpu_build.compiler.parameters.elementwise import Map
from edgetpu_build.compiler.parameters.layer import ALIGNMENT, Draft, Piece, up
from edgetpu_build.compiler.parameters.matrix import FLIP, Matrix
from edgetpu_build.compiler.parameters.site import Site, channels, elements, positions
from edgetpu_build.compiler.parameters.unknown import unknown
from edgetpu_build.tflite.model import Tensor

SEEN_CELLS = 4  # the largest flattened map of several channels off the grid whose layout is seen


def dense(site: Site) -> Draft | None:
    """Constant weights, or a constant input whose weights are computed.

    The input keeps the gaps of what made it: the cells of a flattened map, or the parts of a CONCATENATION, each
    filled up to four channels. That is seen for maps of up to four cells, or of one channel. A map of 6 x 6 x 114 was
    packed first, by 2.1 MB of helpers that are not understood: larger maps off the grid are estimated.
    """
    source, weights = site.input(0), site.input(1)
    if source is None or weights is None or len(weights.shape) != 2:
        return None
    if weights.data is None:
        return _computed_weights(site, source) if constant(source) else unknown(site)
    if not constant(weights):
        return None
    outputs, depth = weights.shape
    piece = Matrix(
        what="weights",
        tensor=site.number(1),
        data=data_of(weights),
        outputs=outputs,
        runs=_runs(site, depth),
        header=header.of(site, source, weights, 2, outputs),
        zero_points=header.stored_zero_points(weights, outputs),
        flip=weights.type == "INT8",
    )
    packed = len(piece.runs) > SEEN_CELLS and piece.runs[0] > 1
    draft = of_matrix(piece)
    return replace(draft, confidence="estimated") if packed else draft


def _computed_weights(site: Site, source: Tensor) -> Draft:
    """A constant input against computed weights (decision forests are written like this).

    Where the weights come straight from outside, the constant is streamed as it is. Where an operator makes them,
    each row takes 16 bytes for every four channels, rows are filled up to a multiple of four for each 16 or part of
    them, and a RESHAPE costs a selection matrix. Found from the sizes of 120 single layers, the filling from one
    file.
    """
    count, depth = elements(source) // channels(source), channels(source)
    flip, maker = source.type == "INT8", site.before(site.number(1))
    tensor = site.number(0)
    if maker is None or maker.kind == "QUANTIZE":
        whole = Map(
            what="input", tensor=tensor, data=data_of(source), shape=source.shape, result=source.shape, flip=flip
        )
        return Draft(
            pieces=(whole,),
            always_streamed=True,
            confidence="estimated",
            reason=f"constant input of {count} x {depth} against computed weights: always streamed",
        )
    pieces: list[Piece] = [
        Rows(
            what="input",
            tensor=tensor,
            data=data_of(source),
            count=count,
            depth=depth,
            filler=header.stored_zero_points(source, 1)[0],
            flip=flip,
        )
    ]
    if maker.kind == "RESHAPE":
        pieces.append(selection.collect(1))
    return Draft(
        pieces=tuple(pieces),
        confidence="estimated",
        reason=f"constant input of {count} x {depth} against computed weights, 16 bytes for every four channels",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """``count`` rows of ``depth`` bytes, each filled up with ``filler`` to 16 bytes for every four channels."""

    what: str
    tensor: int
    data: bytes | memoryview = field(repr=False)
    count: int
    depth: int
    filler: int
    flip: bool
    exact: bool = True

    @property
    def pitch(self) -> int:
        return 4 * up(self.depth, 4)

    @property
    def size(self) -> int:
        return up(up(self.count, 4 * -(-self.count // 16)) * self.pitch, ALIGNMENT)

    def blob(self) -> bytes:
        data = bytes(self.data).translate(FLIP) if self.flip else bytes(self.data)
        fill, depth = bytes([self.filler]), self.depth
        rows = (data[row * depth : (row + 1) * depth].ljust(self.pitch, fill) for row in range(self.count))
        return b"".join(rows).ljust(self.size, b"\0")

    def unpack(self, blob: bytes | memoryview) -> dict[int, bytes]:
        pitch, view = self.pitch, bytes(blob)
        data = b"".join(view[row * pitch : row * pitch + self.depth] for row in range(self.count))
        return {self.tensor: data.translate(FLIP) if self.flip else data}


def feeds_weights(site: Site) -> bool:
    """Whether a mapped dense layer takes its weights from this operator's result."""
    result = site.operator.outputs[0]
    return any(reader.kind == "FULLY_CONNECTED" and reader.number(1) == result for reader in site.behind(result))


def _runs(site: Site, depth: int) -> tuple[int, ...]:
    parts = joint.parts_behind(site, site.number(0))
    if parts and sum(parts) == depth:
        return parts
    shape = _map(site, site.number(0))
    if shape and prod(shape) == depth and shape[1] % 4:
        return (shape[1],) * shape[0]
    return (depth,)


def _map(site: Site, tensor: int) -> tuple[int, int] | None:
    """(cells, channels) of the map that was flattened into ``tensor``; None if it is none."""
    found = site.subgraph.tensors[tensor]
    while not (len(found.shape) == 4 and positions(found) > 1):
        maker = site.before(tensor)
        if maker is None or maker.kind != "RESHAPE":
            return None
        tensor = maker.number(0)
        found = site.subgraph.tensors[tensor]
    return positions(found), found.shape[3]

"""CONV_2D and DEPTHWISE_CONV_2D: the operator's own weights, and what its neighbours make of its channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from edgetpu_build.compiler.parameters import header
from edgetpu_build.compiler.parameters.diagonal import Diagonal
from edgetpu_build.compiler.parameters.layer import LANES, Draft, up
from edgetpu_build.compiler.parameters.matrix import Matrix
from edgetpu_build.compiler.parameters.site import Site, channels, positions, scale_of
from edgetpu_build.tflite.model import Operator, Tensor

TILE_GRID = 4  # the chip's 16 tiles share rows and columns of a result


def convolution(site: Site) -> Draft | None:
    """CONV_2D with constant weights; the bytes follow from ``matrix``.

    Lanes are spread where a mapped RESHAPE or TRANSPOSE behind it splits the channels off the grid of four.
    """
    source, weights = site.input(0), site.input(1)
    if source is None or weights is None or not maps(source, weights, site.output):
        return None
    outputs, height, width, depth = weights.shape
    taps = used_taps(site.operator, (height, width), source, site.output)
    block, sure = input_block(site.output, len(taps or range(height * width)), depth)
    piece = Matrix(
        what="weights",
        tensor=site.number(1),
        data=data_of(weights),
        outputs=outputs,
        runs=(depth,) * (height * width),
        kept=taps,
        order=spread_lanes(outputs, split(site, site.operator.outputs[0], outputs)),
        header=header.of(site, source, weights, 2, outputs),
        zero_points=header.stored_zero_points(weights, outputs),
        flip=weights.type == "INT8",
        spatial=positions(source) > 1,
        block=block,
        exact=sure,
    )
    draft = of_matrix(piece)
    return draft if depth == channels(source) else replace(draft, confidence="estimated")  # groups: in no known compile


def input_block(result: Tensor, taps: int, depth: int) -> tuple[int, bool]:
    """How many groups of four input channels stand together before the next tap begins (0: all), and whether that is
    sure.

    A fit to 44 layers of public compiles, which only orders bytes and changes no size: all channels together where a
    tile computes many positions for each group (25 and more are seen so, 12 and fewer are not); else the smallest
    block that makes 8 taps or more, and four groups where there is but one position.
    """
    groups = -(-depth // 4)
    if taps == 1 or groups == 1:
        return 0, True
    if positions(result) == 1:
        return next((size for size in (4, 2, 1) if groups % size == 0), 0), False
    rows, columns = (-(-size // TILE_GRID) for size in result.shape[1:3])
    per_group = rows * columns / groups
    if per_group >= 16:
        return 0, per_group >= 25
    smallest = next((size for size in range(1, groups) if groups % size == 0 and size * taps >= 8), 0)
    return smallest, per_group <= 12.5


def of_matrix(piece: Matrix) -> Draft:
    """The draft of an operator whose only parameters are one matrix."""
    taps = len(piece.stored_runs)
    lanes = f"{piece.lane_count} output channels"
    if piece.lane_count != piece.outputs:
        lanes = f"{piece.outputs} output channels spread over {piece.lane_count} lanes"
    return Draft(
        pieces=(piece,),
        chunks=piece.chunks,
        chunk_size=piece.chunk_size,
        confidence="exact" if piece.header.sure else "estimated",
        reason=f"{lanes} x {taps} taps of {piece.runs[0]} channels, {piece.lane_size} bytes a lane",
    )


def depthwise(site: Site) -> Draft | None:
    """DEPTHWISE_CONV_2D: each weight takes four bytes (see ``diagonal``); with one input channel it is a convolution.

    Several channels with a multiplier, or taps that only meet padding, are in no known compile: estimated.
    """
    source, weights = site.input(0), site.input(1)
    if source is None or weights is None or not maps(source, weights, site.output):
        return None
    _, height, width, count = weights.shape
    taps = height * width
    head = header.of(site, source, weights, 2, count)
    points, flip = header.stored_zero_points(weights, count), weights.type == "INT8"
    if channels(source) == 1 < count:
        whole = Transposed(
            what="weights",
            tensor=site.number(1),
            data=data_of(weights),
            outputs=count,
            runs=(1,) * taps,
            header=head,
            zero_points=points,
            flip=flip,
            spatial=True,
        )
        return of_matrix(whole)
    sure = channels(source) == count and used_taps(site.operator, (height, width), source, site.output) is None
    piece = Diagonal(
        what="weights",
        tensor=site.number(1),
        data=data_of(weights),
        channels=count,
        taps=taps,
        header=head,
        zero_points=points,
        flip=flip,
        exact=sure,
    )
    return Draft(
        pieces=(piece,),
        confidence="exact" if sure else "estimated",
        reason=f"{count} channels x {taps} taps, 4 bytes a weight, {piece.lane_size} a channel",
    )


class Transposed(Matrix):
    """A matrix whose model keeps the output channels innermost: the weights of a depthwise convolution of one
    channel.
    """

    __slots__ = ()

    def blob(self) -> bytes:
        data, count = bytes(self.data), self.outputs
        return Matrix.blob(replace(self, data=b"".join(data[row::count] for row in range(count))))

    def unpack(self, blob: bytes | memoryview) -> dict[int, bytes]:
        found = Matrix.unpack(self, blob)
        data, taps = found[self.tensor], len(self.runs)
        found[self.tensor] = b"".join(data[tap::taps] for tap in range(taps))
        return found


def constant(weights: Tensor) -> bool:
    """Whether the four-dimensional (or for dense layers two-dimensional) weights are quantised and in the file."""
    return weights.data is not None and scale_of(weights) > 0 and 0 < len(weights.data) == prod(weights.shape)


def maps(source: Tensor, weights: Tensor, result: Tensor) -> bool:
    """Whether these are maps and constant weights, of four dimensions each."""
    return constant(weights) and all(len(t.shape) == 4 and min(t.shape) > 0 for t in (source, weights, result))


def data_of(tensor: Tensor) -> memoryview:
    """The bytes of a constant."""
    if tensor.data is None:
        raise ValueError(f"{tensor.name} is no constant")
    return tensor.data


def used_taps(operator: Operator, kernel: tuple[int, int], source: Tensor, result: Tensor) -> tuple[int, ...] | None:
    """The taps that meet a real input value for at least one output: others are dropped. None: all do."""
    options, same = operator.options, operator.options.get("padding", "SAME") == "SAME"
    rows, columns = (
        used(
            size=kernel[axis],
            stride=max(1, options.get(f"stride_{letter}", 1)),
            dilation=options.get(f"dilation_{letter}_factor", 1),
            inputs=source.shape[1 + axis],
            outputs=result.shape[1 + axis],
            same=same,
        )
        for axis, letter in enumerate("hw")
    )
    if len(rows) * len(columns) in (0, kernel[0] * kernel[1]):
        return None
    return tuple(row * kernel[1] + column for row in rows for column in columns)


def used(*, size: int, stride: int, dilation: int, inputs: int, outputs: int, same: bool) -> Sequence[int]:
    """The taps of one kernel axis that meet an input for some output position. Output o reads o * stride - pad + t *
    dilation.
    """
    reach = (size - 1) * dilation + 1
    pad = max(0, (outputs - 1) * stride + reach - inputs) // 2 if same else 0
    return [tap for tap in range(size) if _meets(tap * dilation - pad, stride, inputs, outputs)]


def _meets(offset: int, stride: int, inputs: int, outputs: int) -> bool:
    """Whether offset + o * stride lies in [0, inputs) for an o in [0, outputs)."""
    first = max(0, -(offset // stride))
    return first < outputs and offset + first * stride < inputs


def spread_lanes(outputs: int, group: int) -> list[int] | None:
    """The output channel of each lane where channels come in groups of ``group``, each filled up to four; None: as
    they are.
    """
    if not group:
        return None
    whole = up(group, 4)
    lanes = [-1] * (outputs // group * whole)
    for channel in range(outputs):
        lanes[channel // group * whole + channel % group] = channel
    return lanes


def split(site: Site, tensor: int, count: int) -> int:
    """Size of the groups into which mapped operators behind ``tensor`` cut its ``count`` channels; 0: none off the
    grid.

    A convolution of more than 64 channels in front of a TRANSPOSE keeps its lanes: the TRANSPOSE spreads them itself.
    """
    direct = any(_moves_channels(reader, count) for reader in site.behind(tensor))
    if count > LANES and direct:
        return 0
    return _reshaped(site, tensor, count) or _single(site, tensor, count)


def _moves_channels(reader: Site, count: int) -> bool:
    return reader.kind == "TRANSPOSE" and channels(reader.output) != count


def _reshaped(site: Site, tensor: int, count: int) -> int:
    """Groups made by a RESHAPE (its last or last but one dimension, or both) or by a TRANSPOSE (single channels)."""
    for reader in site.behind(tensor):
        if reader.kind == "RESHAPE":
            shape = (1, 1, *reader.output.shape)
            for size in (shape[-1], shape[-2], shape[-1] * shape[-2]):
                if 1 < size < count and count % size == 0 and size % 4:
                    return size
        elif _moves_channels(reader, count):
            return 1
        elif reader.kind in ("QUANTIZE", "LOGISTIC", "TRANSPOSE"):
            found = _reshaped(reader, reader.operator.outputs[0], count)
            if found:
                return found
    return 0


def _single(site: Site, tensor: int, count: int) -> int:
    """1 where a RESHAPE to a last dimension of 1 takes every channel for itself."""
    for reader in site.behind(tensor):
        shape = reader.output.shape
        if reader.kind == "RESHAPE" and count > 1 and len(shape) > 2 and shape[-1] == 1:
            return 1
        if reader.kind in ("QUANTIZE", "LOGISTIC"):
            found = _single(reader, reader.operator.outputs[0], count)
            if found:
                return found
    return 0

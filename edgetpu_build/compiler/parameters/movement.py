"""Operators that only move channels, and the selection matrices that this takes.

Nothing is stored while channels stay on the grid of four, or while the operator behind reads them where they are: a
convolution, a dense layer or a CONCATENATION selects with its own weights.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from itertools import accumulate
from typing import Literal

from edgetpu_build.compiler.parameters import dense, joint, selection
from edgetpu_build.compiler.parameters.elementwise import Map
from edgetpu_build.compiler.parameters.layer import LANES, Draft, Piece
from edgetpu_build.compiler.parameters.site import Site, channels, elements, integers, positions
from edgetpu_build.compiler.parameters.unknown import turned
from edgetpu_build.tflite.model import Tensor

SELECTING = frozenset({"CONV_2D", "FULLY_CONNECTED", "CONCATENATION"})
GAPS_TOLERATED = SELECTING | {"ADD", "SPLIT"}


def transpose(site: Site) -> Draft | None:
    """[1, H, W, C] to [1, C, H, W]: channels spread to groups of four, columns collected, packed, and flattened where
    needed.
    """
    source = site.input(0)
    if source is None or len(source.shape) != 4 or source.shape[0] != 1 or integers(site.input(1)) != (0, 3, 1, 2):
        return turned(site)
    _, height, width, depth = source.shape
    maker = site.before(site.number(0))
    pieces: list[Piece] = []
    if not (maker and maker.kind == "CONV_2D" and depth <= LANES):
        pieces.append(selection.spread(depth) if depth % 4 else selection.spread_block())
    pieces += [selection.collect(width), selection.pack(width)]
    cells = _joined_cells(site, height, width, depth)
    if cells and width % 4:
        pieces.append(selection.flatten(cells, width))
    return _draft(pieces, f"channels to the front: {depth} channels, rows of {width}")


def _joined_cells(site: Site, height: int, width: int, depth: int) -> int:
    """How many rows a RESHAPE behind the TRANSPOSE joins: those of a channel, or all."""
    joined = 0
    for reader in site.behind(site.operator.outputs[0]):
        if reader.kind == "RESHAPE":
            length = channels(reader.output)
            joined = (
                height if length == height * width else depth * height if length == depth * height * width else joined
            )
    return joined


def reshape(site: Site) -> Draft | None:
    """Cells of one channel become the channels of one cell, up to 16 at a time; or the other way round for a dense
    layer whose weights are computed.

    Maps of several rows and columns are seen in 16 compiles, other shapes only in decision forests: estimated.
    """
    source, maker = site.input(0), site.before(site.number(0))
    if source is None or maker is None or maker.kind == "QUANTIZE" or elements(source) < 2:
        return None
    count = elements(source)
    if channels(source) == 1 and channels(site.output) == count:
        seen = len(source.shape) == 4 and min(source.shape[1:3]) > 1 and len(site.output.shape) == 2
        confidence: Literal["exact", "estimated"] = "exact" if seen else "estimated"
        return _draft([selection.gather(count)], f"{count} cells of one channel become a vector", confidence)
    if channels(source) == count and channels(site.output) == 1 and dense.feeds_weights(site):
        return _draft([selection.spread_block()], f"{count} channels become cells", "estimated")
    return None


def stack(site: Site) -> Draft | None:
    """PACK with a constant among its inputs: that constant, always streamed."""
    pieces: list[Piece] = []
    for tensor in dict.fromkeys(site.operator.inputs):
        value = site.subgraph.tensors[tensor]
        if value.data is not None and len(value.data) == elements(value):
            flip = value.type == "INT8"
            pieces.append(
                Map(what="operand", tensor=tensor, data=value.data, shape=value.shape, result=value.shape, flip=flip)
            )
    if not pieces:
        return None
    return Draft(pieces=tuple(pieces), always_streamed=True, confidence="estimated", reason="constant input of PACK")


def concatenation(site: Site) -> Draft | None:
    """Channels off the grid of four, from the first part that breaks it to the last that is out of step."""
    readers = list(site.behind(site.operator.outputs[0]))
    if readers and all(reader.kind in GAPS_TOLERATED for reader in readers):
        return None
    parts = list(zip(joint.parts_of(site), _offsets(site), strict=False))
    while parts and parts[0][0] % 4 == 0:
        parts.pop(0)
    while parts and parts[-1][0] % 4 == 0 and sum(part for part, _ in parts[:-1]) % 4 == 0:
        parts.pop()
    if len(parts) < 2:
        return None
    counts, offsets = [part for part, _ in parts], [offset for _, offset in parts]
    piece = selection.join(counts, offsets=offsets, spatial=_spatial(site.output))
    return _draft([piece], f"channels {counts} join off the grid of four")


def _offsets(site: Site) -> list[int]:
    """Where each part begins inside a group of four: a SPLIT in front leaves its parts where they are."""
    begins: dict[int, int] = {}
    for tensor in site.operator.inputs:
        maker = site.before(tensor)
        if tensor not in begins and maker is not None and maker.kind == "SPLIT":
            begins.update(zip(maker.operator.outputs, _begins(maker), strict=True))
    return [begins.get(tensor, 0) % 4 for tensor in site.operator.inputs]


def strided_slice(site: Site) -> Draft | None:
    """Channels that begin inside a group of four."""
    source, begin = site.input(0), integers(site.input(1))
    if (
        source is None
        or not begin
        or len(begin) != len(source.shape)
        or _selected_behind(site, site.operator.outputs[0])
    ):
        return None
    last = len(begin) - 1
    first = 0 if site.operator.options.get("begin_mask", 0) >> last & 1 else begin[-1]
    first += channels(source) if first < 0 else 0
    spatial = len(source.shape) > 2 and _cells(source) > 1
    return _shifts(site, [(first, channels(site.output), spatial)])


def cut(site: Site) -> Draft | None:
    """SLICE of channels that begins inside a group of four: as STRIDED_SLICE, of which alone there are compiles."""
    source, begin = site.input(0), integers(site.input(1))
    if (
        source is None
        or not begin
        or len(begin) != len(source.shape)
        or _selected_behind(site, site.operator.outputs[0])
    ):
        return None
    spatial = len(source.shape) > 2 and _cells(source) > 1
    draft = _shifts(site, [(begin[-1], channels(site.output), spatial)])
    return replace(draft, confidence="estimated") if draft else None


def split(site: Site) -> Draft | None:
    """Every part that begins inside a group of four."""
    source, tensors = site.input(1), site.subgraph.tensors
    if source is None or sum(channels(tensors[t]) for t in site.operator.outputs) != channels(source):
        return None
    spatial = _cells(source) > 1
    return _shifts(
        site,
        [
            (begin, channels(tensors[tensor]), spatial)
            for begin, tensor in zip(_begins(site), site.operator.outputs, strict=True)
            if not _selected_behind(site, tensor)
        ],
    )


def _begins(site: Site) -> list[int]:
    """First channel of each part of a SPLIT. Behind a CONCATENATION it counts inside that one's parts: these are
    read.
    """
    maker, starts = site.before(site.number(1)), [0]
    if maker is not None and maker.kind == "CONCATENATION":
        starts = [0, *accumulate(joint.parts_of(maker)[:-1])]
    first, begins = 0, []
    for tensor in site.operator.outputs:
        begins.append(first - starts[bisect_right(starts, first) - 1])
        first += channels(site.subgraph.tensors[tensor])
    return begins


def _shifts(site: Site, shifts: list[tuple[int, int, bool]]) -> Draft | None:
    pieces: list[Piece] = [
        selection.shift(first % 4, count, spatial=spatial) for first, count, spatial in shifts if first % 4
    ]
    return _draft(pieces, "channels that begin inside a group of four move to its start")


def pad(site: Site) -> Draft | None:
    """Padding of channels; padding in space takes none."""
    source = site.input(0)
    if source is None or not 0 < channels(source) < channels(site.output):
        return None
    before, after = channels(source), channels(site.output)
    return _draft([selection.widen(before, after)], f"{before} channels become {after}")


def _draft(pieces: list[Piece], reason: str, confidence: Literal["exact", "estimated"] = "exact") -> Draft | None:
    if not pieces:
        return None
    return Draft(pieces=tuple(pieces), reason=f"selection matrices: {reason}", confidence=confidence)


def _selected_behind(site: Site, tensor: int) -> bool:
    readers = list(site.behind(tensor))
    return bool(readers) and all(reader.kind in SELECTING for reader in readers)


def _cells(tensor: Tensor) -> int:
    return positions(tensor) * tensor.shape[0] if tensor.shape else 1


def _spatial(tensor: Tensor) -> bool:
    return len(tensor.shape) == 4 and positions(tensor) > 1

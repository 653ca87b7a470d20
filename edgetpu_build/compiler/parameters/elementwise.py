"""Constant operands of ADD, MUL, SUB and the slopes of PRELU: always streamed, however much room there is.

A single value is folded into the instructions. One value per channel: 16 bytes a channel, channels rounded up to four.
Anything else is broadcast to the result's shape, one byte an element.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from math import isfinite, prod

from edgetpu_build.compiler.parameters import joint
from edgetpu_build.compiler.parameters.header import reciprocal
from edgetpu_build.compiler.parameters.layer import ALIGNMENT, Draft, Piece, up
from edgetpu_build.compiler.parameters.matrix import FLIP
from edgetpu_build.compiler.parameters.rows import pad, strip
from edgetpu_build.compiler.parameters.site import Site, channels, elements, scale_of
from edgetpu_build.tflite.model import Tensor

LARGEST = (1 << 31) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PerChannel:
    """A row of 64 bytes for every four channels, of which the first 16 are used: four floats or four integers.

    ``multipliers``: f32(f32(s_x * f32(value)) * f32(1 / s_y)), for MUL and PRELU (41 of 43 constants bit for bit).
    ``offsets``: the value in steps of the input's scale, rounded, for ADD and SUB (8 of 8 for ADD). The original
    cannot be found again from these, so ``tensor`` is -1 then. ``parts``: channels that stand together without gaps.
    """

    what: str
    tensor: int
    multipliers: array[float] | None = field(default=None, repr=False)
    offsets: array[int] | None = field(default=None, repr=False)
    parts: tuple[int, ...]
    step: float = 0.0
    zero_point: int = 0
    exact: bool = True

    @property
    def size(self) -> int:
        return 16 * sum(up(part, 4) for part in self.parts)

    def blob(self) -> bytes:
        values = self.offsets if self.multipliers is None else self.multipliers
        data = pad(values.tobytes() if values else b"", tuple(4 * part for part in self.parts), b"\0", multiple=16)
        return bytes(pad(data, (16,), bytes(len(data) // 16), multiple=64))

    def unpack(self, blob: bytes | memoryview) -> dict[int, bytes]:
        if self.multipliers is None or self.tensor < 0:
            return {}
        rows = self.size // 64
        data = strip(strip(blob, (16,), rows, multiple=64), tuple(4 * part for part in self.parts), 1, multiple=16)
        values = (round(value / self.step) + self.zero_point for value in array("f", bytes(data)))
        return {self.tensor: bytes(value & 0xFF for value in values)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """A byte for each element of the result: the stored constant broadcast to it."""

    what: str
    tensor: int
    data: bytes | memoryview = field(repr=False)
    shape: tuple[int, ...]
    result: tuple[int, ...]
    flip: bool
    exact: bool = True

    @property
    def size(self) -> int:
        return up(prod(self.result), ALIGNMENT)

    def blob(self) -> bytes:
        data = broadcast(bytes(self.data), self.shape, self.result)
        return (data.translate(FLIP) if self.flip else data).ljust(self.size, b"\0")

    def unpack(self, blob: bytes | memoryview) -> dict[int, bytes]:
        data = narrow(bytes(blob[: prod(self.result)]), self.shape, self.result)
        return {self.tensor: data.translate(FLIP) if self.flip else data}


def broadcast(data: bytes, shape: tuple[int, ...], result: tuple[int, ...]) -> bytes:
    """Elements of one byte, repeated along every dimension where ``shape`` is 1 and ``result`` is not."""
    shape, block = (1,) * (len(result) - len(shape)) + shape, 1
    for had, wanted in zip(reversed(shape), reversed(result), strict=True):
        if had != wanted:
            data = b"".join(data[start : start + block] * wanted for start in range(0, len(data), block))
        block *= wanted
    return data


def narrow(data: bytes, shape: tuple[int, ...], result: tuple[int, ...]) -> bytes:
    """The inverse of ``broadcast``."""
    shape, block = (1,) * (len(result) - len(shape)) + shape, prod(result)
    for had, wanted in zip(shape, result, strict=True):
        inner = block // wanted
        if had != wanted:
            data = b"".join(data[start : start + inner] for start in range(0, len(data), block))
        block = inner
    return data


def elementwise(site: Site) -> Draft | None:
    """Every constant operand of the operator."""
    pieces = tuple(piece for position in range(len(site.operator.inputs)) for piece in _operand(site, position))
    if not pieces:
        return None
    known = site.kind in ("ADD", "MUL", "PRELU", "SUB")
    turned = site.kind == "SUB" and site.input(0) is not None and _lone(site.input(0), site.output)
    return Draft(
        pieces=pieces,
        always_streamed=not turned,
        confidence="estimated" if turned or not known else "exact",
        reason=f"constant operand of {site.kind}, {sum(piece.size for piece in pieces)} bytes",
    )


def _operand(site: Site, position: int) -> tuple[Piece, ...]:
    tensor = site.input(position)
    if tensor is None or tensor.data is None or elements(tensor) == 0 or len(tensor.data) != elements(tensor):
        return ()
    result, count, number = site.output, elements(tensor), site.number(position)
    if _folded(site, tensor):
        return ()
    if count == channels(tensor):
        piece = _per_channel(site, position, tensor)
        return () if piece is None else (piece,)
    shape = result.shape if channels(tensor) > 1 else (*result.shape[:-1], 1)
    if not _broadcasts(tensor.shape, shape):
        return ()
    flip = tensor.type == "INT8"
    return (Map(what="operand", tensor=number, data=tensor.data, shape=tensor.shape, result=shape, flip=flip),)


def _per_channel(site: Site, position: int, tensor: Tensor) -> PerChannel | None:
    """One value per channel; None for offsets that are all 0: they are left out."""
    parts = _parts(site, position) or (elements(tensor),)
    others = [t for t in site.operator.inputs if t >= 0 and t != site.number(position)]
    scale, result = scale_of(tensor), scale_of(site.output)
    source = scale_of(site.subgraph.tensors[others[0]]) if others else scale
    zero_point = tensor.quantization.zero_point[0] if tensor.quantization and tensor.quantization.zero_point else 0
    values = [value - zero_point for value in _signed(tensor)]
    if site.kind in ("ADD", "SUB"):
        sign = -1 if site.kind == "SUB" and position == 1 else 1
        offsets = array("i", [sign * _steps(value * scale, source) for value in values])
        if len(offsets) > 1 and not any(offsets) and site.kind == "ADD":
            return None
        return PerChannel(what="operand", tensor=-1, offsets=offsets, parts=parts, exact=site.kind == "ADD")
    inverse = reciprocal(result)
    real = array("f", [value * scale for value in values])
    scaled = array("f", [source * value for value in real])
    multipliers = array("f", [value * inverse for value in scaled])
    step = source * scale * inverse
    found_again = step > 0 and all(isfinite(value) for value in (step, *multipliers))
    number = site.number(position) if found_again else -1
    maker = site.before(site.number(1 - position))
    return PerChannel(
        what="operand",
        tensor=number,
        multipliers=multipliers,
        parts=parts,
        step=step,
        zero_point=zero_point,
        exact=maker is None
        or maker.kind != "SUB",  # SUB and MUL of constants in a row share rows, which is not done here
    )


def _steps(value: float, scale: float) -> int:
    """``value`` in steps of ``scale``, as far as 32 bits go."""
    return round(max(-LARGEST, min(LARGEST, value / scale))) if scale else 0


def _signed(tensor: Tensor) -> memoryview:
    return memoryview(bytes(tensor.data or b"")).cast("b" if tensor.type == "INT8" else "B")


def _parts(site: Site, position: int) -> tuple[int, ...]:
    """The constant follows the gaps of a CONCATENATION on the operator's other side."""
    for other in site.operator.inputs[:position] + site.operator.inputs[position + 1 :]:
        return joint.parts_behind(site, other)
    return ()


def _broadcasts(shape: tuple[int, ...], result: tuple[int, ...]) -> bool:
    inner = result[len(result) - len(shape) :]
    return len(shape) <= len(result) and all(had in (1, wanted) for had, wanted in zip(shape, inner, strict=True))


def _lone(tensor: Tensor | None, result: Tensor) -> bool:
    """A single value (not of rank 0) against a result of one channel: it counts as one value per channel."""
    return tensor is not None and len(tensor.shape) > 0 and elements(tensor) == 1 == channels(result)


def _folded(site: Site, tensor: Tensor) -> bool:
    """Whether the operand needs no parameter bytes: its effect stands in the instructions."""
    result = site.output
    if elements(tensor) == 1:
        return not (site.kind in ("ADD", "SUB") and _lone(tensor, result))
    return len(tensor.shape) == 2 and len(result.shape) == 4 and len(set(bytes(tensor.data or b""))) == 1

"""Constant operands of ADD, MUL, SUB and the slopes of PRELU: always streamed, however much room there is.

A single value is folded into the instructions. One value per channel: 16 bytes a channel, channels rounded up to four.
Anything else is broadcast to the result's shape, one byte an element.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from edgetpu_build.compiler.parameters import joint
from edgetpu_build.compiler.parameters.layer import ALIGNMENT, Draft, Piece, up
from edgetpu_build.compiler.parameters.matrix import FLIP
from edgetpu_build.compiler.parameters.site import Site, channels, elements
from edgetpu_build.tflite.model import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class PerChannel:
    """16 bytes for every channel: our own filling, the compiler's is not known. A byte a channel, then zeros."""

    what: str
    tensor: int
    data: bytes | memoryview = field(repr=False)
    size: int
    exact: bool = False
    streams: bool = False

    def blob(self) -> bytes:
        return bytes(self.data).ljust(self.size, b"\0")

    def unpack(self, blob: bytes | memoryview) -> dict[int, bytes]:
        return {self.tensor: bytes(blob[: len(self.data)])}


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
    streams: bool = False

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
    turned = site.kind == "SUB" and site.input(0) is not None and _lone(site.input(0), site.output)
    return Draft(
        pieces=pieces,
        always_streamed=not turned,
        confidence="estimated" if turned else "exact",
        reason=f"constant operand of {site.kind}, {sum(piece.size for piece in pieces)} bytes: always streamed",
    )


def _operand(site: Site, position: int) -> tuple[Piece, ...]:
    tensor = site.input(position)
    if tensor is None or tensor.data is None or elements(tensor) == 0 or len(tensor.data) != elements(tensor):
        return ()
    result, count = site.output, elements(tensor)
    if _folded(site, tensor):
        return ()
    number = site.number(position)
    if count == channels(tensor):
        size = 16 * sum(up(part, 4) for part in _parts(site, position) or (count,))
        return (PerChannel(what="operand", tensor=number, data=tensor.data, size=size),)
    shape = result.shape if channels(tensor) > 1 else (*result.shape[:-1], 1)
    flip = tensor.type == "INT8"
    return (Map(what="operand", tensor=number, data=tensor.data, shape=tensor.shape, result=shape, flip=flip),)


def _lone(tensor: Tensor | None, result: Tensor) -> bool:
    """A single value (not of rank 0) against a result of one channel: it counts as one value per channel."""
    return tensor is not None and len(tensor.shape) > 0 and elements(tensor) == 1 == channels(result)


def _parts(site: Site, position: int) -> tuple[int, ...]:
    """The constant follows the gaps of a CONCATENATION on the operator's other side."""
    for other in site.operator.inputs[:position] + site.operator.inputs[position + 1 :]:
        return joint.parts_behind(site, other)
    return ()


def _folded(site: Site, tensor: Tensor) -> bool:
    """Whether the operand needs no parameter bytes: its effect stands in the instructions."""
    count, result = elements(tensor), site.output
    if site.kind == "ADD" and count > 1 and count == channels(tensor) and _vanishes(tensor, result):
        return True
    if count == 1:
        return not (site.kind in ("ADD", "SUB") and _lone(tensor, result))
    return len(tensor.shape) == 2 and len(result.shape) == 4 and len(set(bytes(tensor.data or b""))) == 1


def _vanishes(tensor: Tensor, result: Tensor) -> bool:
    """Whether every value rounds to 0 in the result's scale."""
    if tensor.quantization is None or result.quantization is None or tensor.data is None:
        return False
    ratio = tensor.quantization.scale[0] / result.quantization.scale[0]
    values = memoryview(bytes(tensor.data)).cast("b" if tensor.type == "INT8" else "B")
    return not any(round((value - tensor.quantization.zero_point[0]) * ratio) for value in set(values))

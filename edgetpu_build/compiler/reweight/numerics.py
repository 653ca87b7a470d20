"""What else in a compiled file depends on a model's numbers: scales and zero points of the chip's inputs and outputs
and of the tensors in the file, and constants of operators that stay on the CPU.

Everything is compared with the old model before it is replaced.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgetpu_build.compiler.reweight import container
from edgetpu_build.compiler.reweight.blobs import refused
from edgetpu_build.compiler.reweight.constants import bits, point
from edgetpu_build.tflite.model import Model, Tensor


@dataclass(frozen=True, slots=True)
class Pair:
    """A tensor with the old numbers and with the new."""

    old: Tensor
    new: Tensor


def replace_all(
    view: memoryview, compiled: Model, programs: Sequence[container.Program], pairs: Mapping[str, Pair]
) -> None:
    """Writes the new numbers into ``view``, the bytes of ``compiled``. ``pairs``: by the names in the compiled file."""
    for program in programs:
        for name, numerics in program.numerics():
            pair = pairs.get(name)
            if pair is None:
                raise refused(f"`{name}` of the artifact is no tensor of the old model")
            _scalar(numerics, "zero_point", (point(pair.old), point(pair.new)), name)
            _scalar(numerics, "dequantization_factor", (_scale(pair.old), _scale(pair.new)), name)
    constants = container.buffers(view)
    for table, tensor in zip(container.tensors(view), compiled.main.tensors, strict=True):
        if tensor.name in pairs:
            _tensor(table, tensor, pairs[tensor.name], constants[tensor.buffer])


def _scale(tensor: Tensor) -> int:
    return bits(tensor.quantization.scale[0]) if tensor.quantization else 0


def _scalar(table: container.Table, field: str, values: tuple[int, int], tensor: str) -> None:
    """A field of 32 bits, which is left out where it is 0."""
    before, after = values
    place, word = table.place(field), field.replace("_", " ")
    found = struct.unpack_from("<I", table.data, place)[0] if place else 0
    if found != before:
        raise refused(f"`{tensor}` has another {word} in the artifact than in the old model")
    if place:
        struct.pack_into("<I", table.data, place, after)
    elif after:
        raise refused(f"`{tensor}`: the artifact has no room for its {word}")


def _tensor(table: container.Table, tensor: Tensor, pair: Pair, constant: memoryview) -> None:
    quantization, old, new = table.table("quantization"), pair.old.quantization, pair.new.quantization
    if quantization is not None and old and new:
        _vector(quantization.vector("scale", 4), "f", old.scale, new.scale, tensor.name)
        _vector(quantization.vector("zero_point", 8), "q", old.zero_point, new.zero_point, tensor.name)
    before, after = pair.old.data, pair.new.data
    if tensor.data is not None and before is not None and after is not None and before != after:
        if constant != before:
            raise refused(f"`{tensor.name}` is another constant in the artifact than in the old model")
        constant[:] = after


def _vector(place: memoryview | None, code: str, before: Sequence[float], after: Sequence[float], name: str) -> None:
    if place is None:
        if any(after) and after != before:
            raise refused(f"the artifact has no room for the quantisation of `{name}`")
        return
    count = len(place) // struct.calcsize(code)
    if count != len(after) or bytes(place) != struct.pack(f"<{count}{code}", *before):
        raise refused(f"`{name}` is quantised in another way in the artifact than in the old model")
    place[:] = struct.pack(f"<{count}{code}", *after)

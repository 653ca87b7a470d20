"""Constants of a program, back from parameter memory: the only place that they can come from.

The artifact's relocations say where in the cached and streamed blobs each lies, and its layout how the bytes are
arranged there (see ``compiler.parameters``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

from edgetpu_build.compiler import parameters
from edgetpu_build.compiler.artifact import Program, Relocation
from edgetpu_build.runtime.refusal import refuse
from edgetpu_build.tflite.model import Subgraph, Tensor
from edgetpu_build.tflite.schema import ELEMENT_BITS

Blobs = Mapping[str, bytes | bytearray | memoryview]


def constants(program: Program, blobs: Blobs) -> dict[int, bytes | memoryview]:
    """Tensor of the program -> the bytes of its constant, as they stand in ``blobs`` ("cached" and "streamed").

    RuntimeError where the artifact places a constant outside of its blob or names a layout that does not hold it.
    """
    tensors = program.model.main.tensors
    subgraph = parameters.stand_in(program.model.main, frozenset(r.tensor for r in program.relocations))
    found: dict[int, bytes | memoryview] = {}
    for place, unpacked in _unpacked(program, subgraph, blobs):
        data = unpacked.get(place.tensor)
        if data is None or len(data) != size_of(tensors[place.tensor]):
            raise _damaged(f"layout `{place.layout}` does not hold tensor {place.tensor}")
        found[place.tensor] = data
    return found


def size_of(tensor: Tensor) -> int:
    """Bytes of a tensor's elements; RuntimeError for a type that has no fixed size."""
    if tensor.type not in ELEMENT_BITS:
        raise _damaged(f"tensor `{tensor.name}` has the type {tensor.type}")
    return (prod(tensor.shape) * ELEMENT_BITS[tensor.type] + 7) // 8


def _unpacked(
    program: Program, subgraph: Subgraph, blobs: Blobs
) -> Iterator[tuple[Relocation, Mapping[int, bytes | memoryview]]]:
    """Every relocation with the constants that lie at its place; each place is unpacked once."""
    mapped = frozenset(range(len(subgraph.operators)))
    known: dict[tuple[str, int, int, str], Mapping[int, bytes | memoryview]] = {}
    for place in program.relocations:
        key = (place.blob, place.offset, place.size, place.layout)
        if key not in known:
            blob = memoryview(blobs[place.blob])[place.offset : place.offset + place.size]
            if len(blob) != place.size:
                raise _damaged(f"bytes {place.offset} to {place.offset + place.size} lie outside of the parameters")
            known[key] = _unpack(subgraph, mapped, place, blob)
        yield place, known[key]


def _unpack(
    subgraph: Subgraph, mapped: frozenset[int], place: Relocation, blob: memoryview
) -> Mapping[int, bytes | memoryview]:
    if not place.layout:
        return {place.tensor: blob}
    generation, _, number = place.layout.partition(":")
    index = int(number) if number.isascii() and number.isdigit() else -1
    if generation not in parameters.GENERATIONS or index not in mapped:
        raise _damaged(f"layout `{place.layout}` is not known")
    layer = parameters.layout(subgraph, index, generation=generation, mapped=mapped)
    if layer is None or layer.size != len(blob):
        raise _damaged(f"operator {index} does not take {len(blob)} bytes")
    return layer.unpack(blob)


def _damaged(why: str) -> Exception:
    return refuse(f"the artifact's program is damaged: {why}", "compile the model again", code="ETB302")

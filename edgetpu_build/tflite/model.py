"""A TensorFlow Lite model as values. Indices are positions in the subgraph's lists, as in the schema.

Names are the schema's: operator kinds ("CONV_2D"), tensor types ("INT8"), option fields and their enum values
(``padding="SAME"``, ``fused_activation_function="RELU6"``) are the schema's own words. Constants are views into the
model's bytes: nothing is copied until something is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quantization:
    """Affine: real = scale * (stored - zero_point); one scale, or one per index of dimension ``axis``."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tensor:
    """``data`` is the constant's bytes (little endian), None where the tensor is computed or fed."""

    name: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...] = ()
    type: str = "FLOAT32"
    buffer: int = 0
    quantization: Quantization | None = None
    is_variable: bool = False
    data: memoryview | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operator:
    """``inputs`` may hold -1 (optional input left out). Custom ones are of ``kind`` "CUSTOM" with a ``custom_code``."""

    kind: str
    version: int = 1
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    custom_code: str = ""
    custom_options: memoryview | None = None
    intermediates: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subgraph:
    name: str
    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signature:
    """A SignatureDef: its key, its subgraph, and (name, tensor) pairs."""

    key: str
    subgraph: int
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """``raw`` is the whole file; ``flatbuffer_size`` is where appended bytes (a zip of labels, say) begin.

    ``tree`` is everything that the file holds, also what the values do not (see ``flatbuffer``): surgery works on it.
    ``unknown`` names fields in the file that the schema does not know, so that surgery can refuse to lose them.
    """

    version: int
    description: str
    subgraphs: tuple[Subgraph, ...]
    metadata: tuple[tuple[str, int], ...]
    signatures: tuple[Signature, ...]
    raw: memoryview
    flatbuffer_size: int
    tree: Mapping[str, Any] = field(default_factory=dict, repr=False)
    unknown: tuple[str, ...] = ()

    @property
    def main(self) -> Subgraph:
        """The first subgraph: the only one that the Edge TPU toolchain looks at."""
        return self.subgraphs[0]

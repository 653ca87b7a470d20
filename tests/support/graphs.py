"""Graphs as values, in a few lines, for tests of what looks at graphs and never at bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from edgetpu_build.tflite.model import Model, Operator, Quantization, Subgraph, Tensor

_CODES = {"INT32": "i", "INT64": "q", "INT8": "b", "UINT8": "B", "FLOAT32": "f"}


class Graph:
    """Tensors and operators are added one by one; every method gives the index of the tensor it made."""

    def __init__(self, dtype: str = "INT8") -> None:
        self.dtype = dtype
        self.tensors: list[Tensor] = []
        self.operators: list[Operator] = []
        self.inputs: list[int] = []

    def tensor(self, shape: tuple[int, ...], dtype: str | None = None, **more: Any) -> int:
        more.setdefault("name", f"t{len(self.tensors)}")
        self.tensors.append(Tensor(shape=shape, type=dtype or self.dtype, **more))
        return len(self.tensors) - 1

    def input(self, *shape: int, dtype: str | None = None, **more: Any) -> int:
        self.inputs.append(self.tensor(shape, dtype, **more))
        return self.inputs[-1]

    def constant(self, values: Sequence[float], dtype: str = "INT32", shape: tuple[int, ...] | None = None) -> int:
        data = struct.pack(f"<{len(values)}{_CODES[dtype]}", *values)
        zero = Quantization(scale=(1.0,), zero_point=(0,))
        return self.tensor(shape or (len(values),), dtype, data=memoryview(data), quantization=zero)

    def op(
        self,
        kind: str,
        *inputs: int,
        shape: tuple[int, ...] | None = None,
        dtype: str | None = None,
        version: int = 1,
        custom: str = "",
        **options: Any,
    ) -> int:
        """An operator with one output, shaped as its first input unless ``shape`` says otherwise."""
        made = self.tensor(self.tensors[inputs[0]].shape if shape is None else shape, dtype)
        self.operators.append(
            Operator(kind=kind, version=version, inputs=inputs, outputs=(made,), options=options, custom_code=custom)
        )
        return made

    def conv(self, x: int, channels: int = 8, kernel: tuple[int, int] = (1, 1), **options: Any) -> int:
        *outer, depth = self.tensors[x].shape
        shape = (channels, *kernel, depth)
        weights = self.constant([1] * (channels * kernel[0] * kernel[1] * depth), "INT8", shape)
        return self.op("CONV_2D", x, weights, shape=(*outer, channels), **options)

    def subgraph(self, *outputs: int) -> Subgraph:
        return Subgraph(
            name="main",
            tensors=tuple(self.tensors),
            inputs=tuple(self.inputs),
            outputs=outputs,
            operators=tuple(self.operators),
        )

    def model(self, *outputs: int) -> Model:
        return model(self.subgraph(*outputs))


def model(*subgraphs: Subgraph) -> Model:
    """A model that was never a file."""
    return Model(
        version=3,
        description="",
        subgraphs=subgraphs,
        metadata=(),
        signatures=(),
        raw=memoryview(b""),
        flatbuffer_size=0,
    )

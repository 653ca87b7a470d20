"""Subgraphs for these tests: every tensor quantised, every constant of bytes that a seed decides."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from edgetpu_build.tflite.model import Operator, Quantization, Subgraph, Tensor


class Made:
    """Tensors and operators are added one by one; each method gives a tensor's index."""

    def __init__(self, seed: int = 0) -> None:
        self.random = random.Random(seed)
        self.tensors: list[Tensor] = []
        self.operators: list[Operator] = []

    def tensor(
        self, *shape: int, dtype: str = "INT8", scale: Sequence[float] = (0.5,), zero: int = 0, **more: Any
    ) -> int:
        quantization = Quantization(scale=tuple(scale), zero_point=(zero,) * len(scale))
        name = f"t{len(self.tensors)}"
        self.tensors.append(Tensor(name=name, shape=shape, type=dtype, quantization=quantization, **more))
        return len(self.tensors) - 1

    def constant(self, *shape: int, data: bytes | None = None, **more: Any) -> int:
        count = 1
        for size in shape:
            count *= size
        return self.tensor(*shape, data=memoryview(data or self.random.randbytes(count)), **more)

    def integers(self, *values: int) -> int:
        data = b"".join(value.to_bytes(4, "little", signed=True) for value in values)
        return self.tensor(len(values), dtype="INT32", data=memoryview(data))

    def op(self, kind: str, *inputs: int, shape: Sequence[int], **options: Any) -> int:
        """An operator with one result of that shape."""
        made = self.tensor(*shape)
        self.operators.append(Operator(kind=kind, inputs=inputs, outputs=(made,), options=options))
        return made

    def conv(self, x: int, outputs: int, kernel: int = 1, bias: Sequence[int] | None = (), **more: Any) -> int:
        """SAME, stride 1. ``bias``: None for none, () for values of the seed."""
        shape = self.tensors[x].shape
        weights = self.constant(outputs, kernel, kernel, shape[-1], **more)
        inputs = [x, weights]
        if bias is not None:
            inputs.append(self.integers(*(bias or [self.random.randrange(1, 999) for _ in range(outputs)])))
        return self.op("CONV_2D", *inputs, shape=(*shape[:-1], outputs), padding="SAME", stride_h=1, stride_w=1)

    def subgraph(self) -> Subgraph:
        return Subgraph(
            name="main", tensors=tuple(self.tensors), inputs=(), outputs=(), operators=tuple(self.operators)
        )

    def layout(self, index: int = 0, generation: str = "16.0", mapped: Sequence[int] | None = None) -> Any:
        """What the package says of one operator, with all of them mapped unless said otherwise."""
        from edgetpu_build.compiler import parameters

        chosen = frozenset(range(len(self.operators)) if mapped is None else mapped)
        return parameters.layout(self.subgraph(), index, generation=generation, mapped=chosen)

    def check(self, layer: Any) -> bytes:
        """The blob, once its size is right and it gives back every constant that it holds."""
        blob = layer.blob()
        assert len(blob) == layer.size == sum(piece.size for piece in layer.pieces)
        assert layer.size % 64 == 0
        assert layer.tile_size >= layer.size or not layer.chunks
        found = layer.unpack(blob)
        for tensor, data in found.items():
            assert data == bytes(self.tensors[tensor].data), f"tensor {tensor}"  # type: ignore[arg-type]
        constants = {t for t in self.operators[layer.index].inputs if t >= 0 and self.tensors[t].data is not None}
        assert constants == set(found) | set(layer.absent)
        return blob

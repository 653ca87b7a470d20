"""An operator where it stands: its tensors, and the mapped operators around it.

The layout of one operator's parameters depends on its neighbours (a RESHAPE behind a convolution, a flattened map
before a dense layer), but only on those that run on the Edge TPU too: operators on the CPU ask for no layout.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

from edgetpu_build.compiler.parameters.generation import Generation
from edgetpu_build.tflite.model import Operator, Subgraph, Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Wiring:
    """Who makes a tensor (operator index) and who reads it (operator indices, each once, in order)."""

    producer: dict[int, int]
    consumers: dict[int, tuple[int, ...]]


def wiring_of(subgraph: Subgraph) -> Wiring:
    producer: dict[int, int] = {}
    consumers: dict[int, dict[int, None]] = {}
    for index, operator in enumerate(subgraph.operators):
        producer.update(dict.fromkeys(operator.outputs, index))
        for tensor in operator.inputs:
            consumers.setdefault(tensor, {})[index] = None
    return Wiring(producer, {tensor: tuple(readers) for tensor, readers in consumers.items()})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Site:
    """Operator ``index`` of ``subgraph``, with ``mapped``: the indices of the operators on the Edge TPU."""

    subgraph: Subgraph
    wiring: Wiring
    index: int
    generation: Generation
    mapped: frozenset[int]

    @property
    def operator(self) -> Operator:
        return self.subgraph.operators[self.index]

    @property
    def kind(self) -> str:
        return self.operator.kind

    def number(self, position: int) -> int:
        """Index of the input tensor at ``position``; -1 where it is left out."""
        inputs = self.operator.inputs
        return inputs[position] if position < len(inputs) else -1

    def input(self, position: int) -> Tensor | None:
        number = self.number(position)
        return self.subgraph.tensors[number] if number >= 0 else None

    @property
    def output(self) -> Tensor:
        return self.subgraph.tensors[self.operator.outputs[0]]

    def at(self, index: int) -> Site:
        return replace(self, index=index)

    def before(self, tensor: int) -> Site | None:
        """The mapped operator that makes ``tensor``."""
        index = self.wiring.producer.get(tensor, -1)
        return self.at(index) if index in self.mapped else None

    def behind(self, tensor: int) -> Iterator[Site]:
        """The mapped operators that read ``tensor``, in order."""
        for index in self.wiring.consumers.get(tensor, ()):
            if index in self.mapped:
                yield self.at(index)


def channels(tensor: Tensor) -> int:
    """Size of the last dimension; 1 for a scalar."""
    return tensor.shape[-1] if tensor.shape else 1


def positions(tensor: Tensor) -> int:
    """Height times width: everything between the batch and the channels."""
    return prod(tensor.shape[1:-1])


def elements(tensor: Tensor) -> int:
    return prod(tensor.shape)


def scale_of(tensor: Tensor | None) -> float:
    """The scale of a tensor (the first, where each channel has its own); 0 where it has none."""
    return tensor.quantization.scale[0] if tensor and tensor.quantization and tensor.quantization.scale else 0.0


def integers(tensor: Tensor | None) -> tuple[int, ...]:
    """The values of a constant INT32 or INT64 tensor; empty where it is none."""
    if tensor is None or tensor.data is None:
        return ()
    data = bytes(tensor.data)
    if tensor.type == "INT64":
        return tuple(memoryview(data).cast("q"))
    return tuple(memoryview(data).cast("i")) if tensor.type == "INT32" else ()

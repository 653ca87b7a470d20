"""Two models of one architecture: the second renumbered to the first, or the difference named.

An architecture is a graph less its numbers: operators, their options and wiring, shapes and types. What may differ are
names, scales, zero points, and constants that have a scale (or are the bias of a convolution).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from edgetpu_build.compiler import parameters
from edgetpu_build.compiler.parameters.layer import Layer
from edgetpu_build.errors import EdgeTpuBuildError, error
from edgetpu_build.tflite.model import Operator, Subgraph, Tensor

ACTIVATION = "fused_activation_function"
BIASED = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}


class Graph:
    """A main subgraph, the operators in it that run on the Edge TPU, and the parameters that these have."""

    def __init__(self, main: Subgraph, mapped: frozenset[int], generation: str) -> None:
        self.mapped, self.generation = mapped, generation
        self.operators, self.tensors = main.operators, main.tensors
        self.layers: tuple[Layer, ...] = parameters.layers(main, generation=generation, mapped=mapped)
        self._by_operator: dict[int, Layer] = {}
        for layer in self.layers:
            self._by_operator.setdefault(layer.index, layer)

    def layer(self, index: int) -> Layer | None:
        """The parameters of an operator; None if it has none."""
        return self._by_operator.get(index)

    def input(self, index: int, position: int) -> Tensor | None:
        """An input tensor; None if it is left out."""
        inputs = self.operators[index].inputs
        return self.tensors[inputs[position]] if position < len(inputs) and inputs[position] >= 0 else None

    def output(self, index: int) -> Tensor:
        """The first result."""
        return self.tensors[self.operators[index].outputs[0]]

    def name(self, index: int) -> str:
        """What messages call an operator."""
        return f"operator {index} ({self.operators[index].kind})"


def renumbered(old: Subgraph, new: Subgraph) -> Subgraph:
    """``new`` with the tensor numbers and the operator order of ``old``; ETB322 where they are not the same but for
    numbers.
    """
    if len(old.operators) != len(new.operators):
        raise _different(f"{len(old.operators)} operators became {len(new.operators)}")
    if (len(old.inputs), len(old.outputs)) != (len(new.inputs), len(new.outputs)):
        raise _different("the numbers of inputs or outputs differ")
    wiring = dict(zip(old.inputs, new.inputs, strict=True))
    for mine, theirs in wiring.items():
        if why := _tensors_differ(old.tensors[mine], new.tensors[theirs]):
            raise _different(f"input `{old.tensors[mine].name}`: {why}")
    free = list(new.operators)
    for index, operator in enumerate(old.operators):
        found = next((other for other in free if not _operators_differ(old, new, operator, other, wiring)), None)
        if found is None:
            nearest = next((other for other in free if other.kind == operator.kind), free[0])
            why = _operators_differ(old, new, operator, nearest, wiring)
            raise _different(f"operator {index} ({operator.kind}): {why}")
        free.remove(found)
        wiring.update(_pairs(operator.inputs, found.inputs))
        wiring.update(zip(operator.outputs, found.outputs, strict=True))
    if any(wiring.get(mine) != theirs for mine, theirs in zip(old.outputs, new.outputs, strict=True)):
        raise _different("the outputs come in another order")
    tensors = tuple(new.tensors[wiring[n]] if n in wiring else tensor for n, tensor in enumerate(old.tensors))
    return replace(old, tensors=tensors)


def architecture(main: Subgraph) -> str:
    """A digest that is equal for models of one architecture whose operators stand in the same order."""
    digest = sha256()
    numbers: dict[int, int] = {}
    for operator in main.operators:
        for tensor in (*operator.inputs, *operator.outputs):
            numbers.setdefault(tensor, len(numbers))
        wires = [numbers[tensor] for tensor in (*operator.inputs, -2, *operator.outputs) if tensor in numbers]
        digest.update(repr((operator.kind, operator.custom_code, _options(operator.options), wires)).encode())
        for position, number in enumerate(operator.inputs):
            if number >= 0:
                source = main.tensors[number]
                digest.update(repr(_form(source)).encode())
                if source.data is not None and not _free(operator, position, source):
                    digest.update(source.data)
    ends = [numbers.get(tensor, -1) for tensor in (*main.inputs, *main.outputs)]
    digest.update(repr(ends).encode())
    return digest.hexdigest()


def _different(what: str) -> EdgeTpuBuildError:
    return error("ETB322", f"the models differ in more than their numbers: {what}", "compile the new model")


def _form(tensor: Tensor) -> tuple[Any, ...]:
    """What two tensors must agree in."""
    quantization = tensor.quantization
    scales = (len(quantization.scale), quantization.axis) if quantization and len(quantization.scale) > 1 else ()
    return tensor.shape, tensor.type, tensor.is_variable, tensor.data is None, quantization is None, scales


def _tensors_differ(mine: Tensor, theirs: Tensor) -> str:
    words = ("shape", "type", "being a variable", "being a constant", "being quantised", "number of scales")
    for word, one, other in zip(words, _form(mine), _form(theirs), strict=True):
        if one != other:
            return f"{word} of `{mine.name}` is {one}, in the new model (`{theirs.name}`) {other}"
    return ""


def _operators_differ(old: Subgraph, new: Subgraph, mine: Operator, theirs: Operator, wiring: Mapping[int, int]) -> str:
    """Why an operator of the new model is not this one's counterpart; empty if it is."""
    if (mine.kind, mine.custom_code) != (theirs.kind, theirs.custom_code):
        return f"it is {theirs.custom_code or theirs.kind} in the new model"
    if len(mine.inputs) != len(theirs.inputs) or len(mine.outputs) != len(theirs.outputs):
        return "the numbers of its inputs or outputs differ"
    if _options(mine.options) != _options(theirs.options) or mine.custom_options != theirs.custom_options:
        if not _idle(mine, old) or not _idle(theirs, new):
            return "its options differ"
        if _options(mine.options, "NONE") != _options(theirs.options, "NONE"):
            return "its options differ"
    for position, (one, other) in enumerate(zip(mine.inputs, theirs.inputs, strict=True)):
        if (one < 0) != (other < 0) or (one in wiring and wiring[one] != other):
            return "its inputs come from elsewhere"
        if one >= 0 and (why := _inputs_differ(mine, position, old.tensors[one], new.tensors[other], one in wiring)):
            return why
    pairs = zip(mine.outputs, theirs.outputs, strict=True)
    return next((why for a, b in pairs if (why := _tensors_differ(old.tensors[a], new.tensors[b]))), "")


def _inputs_differ(operator: Operator, position: int, mine: Tensor, theirs: Tensor, known: bool) -> str:
    if why := _tensors_differ(mine, theirs):
        return why
    if mine.data is None or theirs.data is None:
        return "" if known or mine.is_variable else "its inputs come from elsewhere"
    if not _free(operator, position, mine) and mine.data != theirs.data:
        return f"constant `{mine.name}` differs, and it is no weight"
    return "" if len(mine.data) == len(theirs.data) else f"constant `{mine.name}` has another size"


def _free(operator: Operator, position: int, tensor: Tensor) -> bool:
    """Whether a constant is one of the numbers that training finds."""
    return tensor.quantization is not None or position == BIASED.get(operator.kind)


def _options(options: Mapping[str, Any], activation: str = "") -> list[tuple[str, Any]]:
    """In order; with ``activation`` in place of the one that they name."""
    given = dict(options)
    if activation and ACTIVATION in given:
        given[ACTIVATION] = activation
    return sorted(given.items())


def _idle(operator: Operator, subgraph: Subgraph) -> bool:
    """Whether the activation changes nothing: RELU where the least value that the result can have is 0."""
    result = subgraph.tensors[operator.outputs[0]]
    activation = operator.options.get(ACTIVATION, "NONE")
    points = result.quantization.zero_point if result.quantization else ()
    least = {"INT8": -128, "UINT8": 0}.get(result.type)
    return activation == "NONE" or (activation == "RELU" and least is not None and set(points) == {least})


def _pairs(mine: tuple[int, ...], theirs: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    return ((one, other) for one, other in zip(mine, theirs, strict=True) if one >= 0)

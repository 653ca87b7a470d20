"""Whether the operators of a model have the tensors that their kind demands, so that no arithmetic meets nonsense.

The reader sees to it that every index and size in a file is possible; here is what a model must hold beyond that:
enough inputs, the ranks and the channel counts that belong together. TensorFlow Lite would refuse what is refused
here (ETB302).
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from edgetpu_build.compiler.footprint import WINDOWS
from edgetpu_build.errors import error
from edgetpu_build.tflite.model import Operator, Subgraph, Tensor

FEWEST_INPUTS = {
    "ADD": 2,
    "CONV_2D": 2,
    "DEPTHWISE_CONV_2D": 2,
    "FULLY_CONNECTED": 2,
    "MAXIMUM": 2,
    "MEAN": 2,
    "MINIMUM": 2,
    "MUL": 2,
    "PAD": 2,
    "PRELU": 2,
    "SPLIT": 2,
    "STRIDED_SLICE": 4,
    "SUB": 2,
    "SUM": 2,
    "TRANSPOSE": 2,
    "TRANSPOSE_CONV": 3,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": 20,
}
SAME_SIZE = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "QUANTIZE", "SOFTMAX", "LOGISTIC", "TANH", "RELU")


def check(subgraph: Subgraph, operators: Iterable[int]) -> None:
    """Raises ETB302 for the first of these operators that is not what its kind demands."""
    for index in operators:
        op = subgraph.operators[index]
        fault = _fault(op, subgraph)
        if fault:
            raise error("ETB302", f"operator {index} ({op.kind}) {fault}", "convert the model again")


def _fault(op: Operator, subgraph: Subgraph) -> str:
    needed = FEWEST_INPUTS.get(op.kind, 1)
    if len(op.inputs) < needed or min(op.inputs[:needed]) < (-1 if op.kind.endswith("LSTM") else 0):
        return f"lacks inputs: it needs {needed}"
    if not op.outputs or min(op.outputs) < 0:
        return "lacks an output"
    inputs = [subgraph.tensors[index] for index in op.inputs if index >= 0]
    outputs = [subgraph.tensors[index] for index in op.outputs]
    empty = next((t for t in (*inputs, *outputs) if 0 in t.shape and t.data is None), None)
    if empty is not None:
        return f"has an empty tensor: `{empty.name}` is of shape {list(empty.shape)}"
    if op.kind in SAME_SIZE and prod(inputs[0].shape) != prod(outputs[0].shape):
        return f"changes the number of elements, from {_shapes(inputs[0])} to {_shapes(outputs[0])}"
    return (
        _window_fault(op, inputs, outputs[0])
        or _weights_fault(op, inputs, outputs[0])
        or _joint_fault(op, inputs, outputs)
    )


def _window_fault(op: Operator, inputs: list[Tensor], result: Tensor) -> str:
    """For convolutions and pools: the output has as many rows and columns as the window gives."""
    if op.kind not in WINDOWS:
        return ""
    if any(len(tensor.shape) != 4 for tensor in (inputs[0], result, *inputs[1:2])):
        return f"needs four dimensions, found {_shapes(*inputs[:2], result)}"
    get = op.options.get
    for axis, letter in ((1, "h"), (2, "w")):
        stride, dilation = get(f"stride_{letter}", 1), get(f"dilation_{letter}_factor", 1)
        length = {"h": "filter_height", "w": "filter_width"}[letter]
        kernel = get(length, 1) if op.kind.endswith("POOL_2D") else inputs[1].shape[axis]
        if min(stride, dilation, kernel) < 1:
            return "has a stride, dilation or kernel below 1"
        lost = 0 if get("padding", "SAME") == "SAME" else (kernel - 1) * dilation
        if result.shape[axis] != -(-(inputs[0].shape[axis] - lost) // stride):
            return f"has an output that its window does not give: {_shapes(inputs[0], result)}"
    return ""


def _joint_fault(op: Operator, inputs: list[Tensor], outputs: list[Tensor]) -> str:
    """For operators that join, cut, or fill up: the parts add up."""
    sizes = [prod(tensor.shape) for tensor in inputs], [prod(tensor.shape) for tensor in outputs]
    fits = True
    if op.kind == "CONCATENATION":
        fits = sum(sizes[0]) == sizes[1][0] and len({len(t.shape) for t in (*inputs, *outputs)}) == 1
    elif op.kind == "SPLIT":
        fits = sum(sizes[1]) == sizes[0][1] and len({len(t.shape) for t in (inputs[1], *outputs)}) == 1
    elif op.kind == "STRIDED_SLICE":
        fits = sizes[0][0] >= sizes[1][0]
    elif op.kind == "PAD":
        pairs = zip(inputs[0].shape, outputs[0].shape, strict=False)
        fits = len(inputs[0].shape) == len(outputs[0].shape) and all(before <= after for before, after in pairs)
    return "" if fits else f"has sizes that do not add up: {_shapes(*inputs, *outputs)}"


def _weights_fault(op: Operator, inputs: list[Tensor], result: Tensor) -> str:
    """For operators with weights: ranks, and channels that fit."""
    if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        source, weights = inputs[:2]
        deep, out, own = source.shape[3], result.shape[3], weights.shape
        fits = own[0] == out and deep % own[3] == 0 if op.kind == "CONV_2D" else own[3] == out and out % deep == 0
        return "" if fits else f"has channels that do not fit: {_shapes(source, weights, result)}"
    if op.kind == "FULLY_CONNECTED":
        source, weights = inputs[:2]
        fits = len(weights.shape) == 2 and bool(result.shape) and result.shape[-1] == weights.shape[0]
        fits = fits and prod(source.shape) % weights.shape[1] == 0
        return "" if fits else f"has sizes that do not fit: {_shapes(source, weights, result)}"
    if op.kind == "TRANSPOSE_CONV":
        weights, source = inputs[1:3]
        fits = len(source.shape) == len(weights.shape) == len(result.shape) == 4
        fits = fits and weights.shape[0] == result.shape[3] and weights.shape[3] == source.shape[3]
        return "" if fits else f"has sizes that do not fit: {_shapes(source, weights, result)}"
    return ""


def _shapes(*tensors: Tensor) -> str:
    return ", ".join(str(list(tensor.shape)) for tensor in tensors)

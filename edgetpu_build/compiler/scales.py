"""Scales that stop a compile: TensorFlow Lite's kernels refuse them, and the compiler prepares every operator first.

The checks are those of TensorFlow Lite 2.5, which is about what compiler 16.0 holds; users know them as
"scale_diff / output_scale <= 0.02 was not true" and "no_integer_overflow_from_quantization was not true".
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from edgetpu_build.chip.case import EIGHT_BIT
from edgetpu_build.errors import Diagnostic
from edgetpu_build.tflite.model import Operator, Subgraph, Tensor

BIAS_TOLERANCE = 0.02  # of the output's scale
LARGEST_STORED = (1 << 31) - 1
_BOUNDS = {"RELU6": 6.0, "RELU_N1_TO_1": 1.0}
_CALIBRATE = "calibrate with data that reach this tensor, then convert again"


def unusable(graph: Subgraph) -> Iterator[Diagnostic]:
    """The first finding of each sort (ETB319): a scale not above 0, a bound or a bias that does not fit."""
    for check in (_no_scale, _bound_out_of_reach, _bias_apart):
        found = next((d for operator in range(len(graph.operators)) if (d := check(graph, operator))), None)
        if found:
            yield found


def _no_scale(graph: Subgraph, index: int) -> Diagnostic | None:
    """Zero, infinity or not a number, as training with an unused branch leaves them."""
    operator = graph.operators[index]
    for number in (*operator.inputs, *operator.outputs):
        tensor = graph.tensors[number] if number >= 0 else None
        if tensor is None or tensor.quantization is None or tensor.type not in EIGHT_BIT:
            continue
        bad = next((scale for scale in tensor.quantization.scale if not 0 < scale < math.inf), None)
        if bad is not None:
            message = f"`{tensor.name}` has the scale {bad:g}, and Google's compiler fails on such scales"
            return Diagnostic(code="ETB319", message=message, hint=_CALIBRATE, severity="warning")
    return None


def _bound_out_of_reach(graph: Subgraph, index: int) -> Diagnostic | None:
    operator = graph.operators[index]
    bound = _BOUNDS.get(operator.options.get("fused_activation_function", ""))
    output = _tensor(graph, operator.outputs, 0)
    scale = _scale(output)
    if bound is None or output is None or scale is None or scale <= 0 or bound / scale <= LARGEST_STORED:
        return None
    activation = operator.options["fused_activation_function"]
    message = f"the bound of {activation} does not fit 32 bits in steps of {scale:g}, the scale of `{output.name}`"
    return Diagnostic(code="ETB319", message=f"operator {index} ({operator.kind}): {message}", hint=_CALIBRATE)


def _bias_apart(graph: Subgraph, index: int) -> Diagnostic | None:
    operator = graph.operators[index]
    if not _compares_bias(graph, operator):
        return None
    tensors = [_tensor(graph, operator.inputs, position) for position in range(3)]
    scales = [_scale(tensor) for tensor in (*tensors, _tensor(graph, operator.outputs, 0))]
    if any(scale is None for scale in scales) or tensors[2] is None:
        return None
    data, weights, bias, output = (scale or 0.0 for scale in scales)
    if not 0 < output < math.inf or not abs(data * weights - bias) / output > BIAS_TOLERANCE:
        return None
    message = (
        f"operator {index} ({operator.kind}): the bias `{tensors[2].name}` has the scale {bias:g}, and input times "
        f"weights have {data * weights:g}; TensorFlow Lite refuses to prepare it"
    )
    return Diagnostic(code="ETB319", message=message, hint="convert again from the float model; do not edit scales")


def _compares_bias(graph: Subgraph, operator: Operator) -> bool:
    """Dense layers always, convolutions only as UINT8: the kernels of INT8 take the bias as it is."""
    data = _tensor(graph, operator.inputs, 0)
    if data is None or len(operator.inputs) < 3:
        return False
    if operator.kind == "FULLY_CONNECTED":
        return data.type in EIGHT_BIT
    return operator.kind in ("CONV_2D", "DEPTHWISE_CONV_2D") and data.type == "UINT8"


def _tensor(graph: Subgraph, numbers: tuple[int, ...], position: int) -> Tensor | None:
    inside = position < len(numbers) and numbers[position] >= 0
    return graph.tensors[numbers[position]] if inside else None


def _scale(tensor: Tensor | None) -> float | None:
    """Of a tensor with one scale for all its elements."""
    scales = tensor.quantization.scale if tensor is not None and tensor.quantization else ()
    return scales[0] if len(scales) == 1 else None

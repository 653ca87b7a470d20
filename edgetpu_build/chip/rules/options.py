"""Rules about how an operator is set up: axes, strides, dilations and constants."""

from __future__ import annotations

from edgetpu_build.chip.case import Case, inner, integers, reduced, shape_text
from edgetpu_build.chip.facts import CHANNEL_ALIGNMENT, INNER_DIMENSIONS
from edgetpu_build.chip.rules.rule import (
    LIMIT,
    TWO_DIMENSIONAL,
    UNIT_STRIDES,
    Broken,
    about,
    rule,
)
from edgetpu_build.tflite.model import Tensor

DILATED_DEPTHWISE_SINCE = 13  # runtime (models page)
ANY_AXIS_SINCE = 13  # runtime; before, PAD and MEAN work on rows and columns only (models page)


@rule("split-batch", TWO_DIMENSIONAL, "measured", "SPLIT")
def split_batch(case: Case) -> Broken | None:
    """SPLIT must not cut the batch dimension

    Known: 86 operators of 42 models, none against. Google's status speaks of something else."""
    data = case.slot(1)
    if data is None or case.operator.options.get("num_splits", 1) <= 1:
        return None
    axis = integers(case.slot(0))
    if not axis or axis[0] not in (0, -len(data.shape)):
        return None
    return about(data, "is cut along dimension 0", "give the tensor a leading dimension of 1, and cut another one")


@rule("dilation", LIMIT, "measured", "CONV_2D", "DEPTHWISE_CONV_2D")
def dilation(case: Case) -> Broken | None:
    """rows and columns of a convolution must be dilated alike

    Known: the page. An axis along which the kernel has size 1 does not count: a temporal network with kernel 3x1 and
    dilation (d, 1) is mapped."""
    dilations = _dilations(case)
    if len(set(dilations)) <= 1:
        return None
    return Broken(observed=f"the dilation is {dilations[0]} by {dilations[1]}", hint="use the same dilation for both")


@rule("dilated-depthwise", LIMIT, "measured", "DEPTHWISE_CONV_2D")
def dilated_depthwise(case: Case) -> Broken | None:
    """a dilated DEPTHWISE_CONV_2D needs runtime {DILATED_DEPTHWISE_SINCE} or newer

    Known: the page, and two files of compiler 2.0.267."""
    dilation = max(_dilations(case), default=1)
    if case.runtime >= DILATED_DEPTHWISE_SINCE or dilation <= 1:
        return None
    hint = f"raise `min-runtime-version` to {DILATED_DEPTHWISE_SINCE}"
    return Broken(observed=f"the dilation is {dilation} and the runtime {case.runtime}", hint=hint)


@rule("slice-stride", UNIT_STRIDES, "measured", "STRIDED_SLICE")
def slice_stride(case: Case) -> Broken | None:
    """every stride of a STRIDED_SLICE must be 1

    Known: the page, and one log of 15.0 (4 operators, the first layer of YOLOv5)."""
    strides = integers(case.slot(3))
    if all(stride == 1 for stride in strides):
        return None
    return Broken(observed=f"the strides are {', '.join(map(str, strides))}", hint="use a strided convolution instead")


@rule("slice-mask", LIMIT, "documented", "STRIDED_SLICE")
def slice_mask(case: Case) -> Broken | None:
    """a STRIDED_SLICE must have no ellipsis and no new axis

    Known: the page only."""
    for mask in ("ellipsis_mask", "new_axis_mask"):
        if case.operator.options.get(mask):
            return Broken(observed=f"`{mask}` is set", hint="name every dimension, and reshape for a new axis")
    return None


@rule("fused-activation", LIMIT, "documented", "AVERAGE_POOL_2D", "MAX_POOL_2D", "CONCATENATION")
def fused_activation(case: Case) -> Broken | None:
    """pooling and CONCATENATION must have no fused activation

    Known: the page. None of the 790 operators seen has one."""
    activation = case.operator.options.get("fused_activation_function", "NONE")
    if activation == "NONE":
        return None
    return Broken(observed=f"{case.kind} has a fused {activation}", hint="put the activation before it")


@rule("constant-part", LIMIT, "documented", "CONCATENATION")
def constant_part(case: Case) -> Broken | None:
    """a CONCATENATION with a constant must have two inputs and a constant of zeros

    Known: the page."""
    constants = [tensor for tensor in case.inputs if tensor.data is not None]
    if not constants:
        return None
    if len(case.inputs) == 2 and len(constants) == 1 and _is_zero(constants[0]):
        return None
    return about(constants[0], f"is one of {len(case.inputs)} inputs", "use PAD, or add the constant afterwards")


@rule("weights-format", LIMIT, "documented", "FULLY_CONNECTED")
def weights_format(case: Case) -> Broken | None:
    """FULLY_CONNECTED must have weights in the default format

    Known: the page. All 4,757 operators seen have it."""
    layout = case.operator.options.get("weights_format", "DEFAULT")
    if layout == "DEFAULT":
        return None
    return Broken(observed=f"its weights are {layout}", hint="convert again for the default CPU kernels")


@rule("prelu-alpha", LIMIT, "documented", "PRELU")
def prelu_alpha(case: Case) -> Broken | None:
    """PRELU must have one alpha for each channel

    Known: the page. All 66 operators seen have."""
    alpha = case.slot(1)
    if alpha is None or all(size == 1 for size in alpha.shape[:-1]):
        return None
    return about(alpha, f"has the shape {shape_text(alpha)}", "set `shared_axes=[1, 2]` in the Keras layer")


@rule("reduce-batch", LIMIT, "documented", "MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN")
def reduce_batch(case: Case) -> Broken | None:
    """a reduction must not run over the batch

    Known: the page. Dimension 0 of a tensor with three dimensions is no batch: SUM over it is mapped in some 40
    models."""
    axes = reduced(case)
    if not any(axis < len(case.data[0].shape) - INNER_DIMENSIONS for axis in axes):
        return None
    return about(case.data[0], "is reduced over its batch", "name the other axes only")


@rule("mean-channels", LIMIT, "documented", "MEAN")
def mean_channels(case: Case) -> Broken | None:
    """MEAN over channels needs a multiple of {CHANNEL_ALIGNMENT} of them, and runtime {ANY_AXIS_SINCE} or newer

    Known: the page. The 4 operators seen have multiples of 4."""
    if not any(axis == len(case.data[0].shape) - 1 for axis in reduced(case)):
        return None
    channels = inner(case.data[0])[-1]
    if channels % CHANNEL_ALIGNMENT == 0 and case.runtime >= ANY_AXIS_SINCE:
        return None
    found = f"has {channels} channels and the runtime is {case.runtime}"
    return about(case.data[0], found, "average rows and columns, or use a CONV_2D of constant weights")


@rule("pad-dimension", LIMIT, "documented", "PAD")
def pad_dimension(case: Case) -> Broken | None:
    """PAD must not touch the batch, nor channels before runtime {ANY_AXIS_SINCE}

    Known: the page. 15.0 pads channels in 14 operators; all others seen pad rows and columns."""
    amounts = integers(case.slot(1))
    padded = [any(amounts[2 * i : 2 * i + 2]) for i in range(len(amounts) // 2)]
    outer = any(padded[:-INNER_DIMENSIONS])
    channels = bool(padded) and padded[-1] and case.runtime < ANY_AXIS_SINCE
    if not outer and not channels:
        return None
    return Broken(observed=f"it pads {'the batch' if outer else 'channels'}", hint="use CONCATENATION with zeros")


@rule("squeeze-inner", LIMIT, "documented", "SQUEEZE")
def squeeze_inner(case: Case) -> Broken | None:
    """SQUEEZE takes leading ones away only, before runtime {ANY_AXIS_SINCE}

    Known: the page."""
    if case.runtime >= ANY_AXIS_SINCE or not case.data or not case.outputs:
        return None
    before, after = case.data[0].shape, case.outputs[0].shape
    if before[len(before) - len(after) :] == after:
        return None
    return about(case.data[0], f"of shape {shape_text(case.data[0])} is squeezed inside", "use RESHAPE")


def _is_zero(tensor: Tensor) -> bool:
    """Whether every element of an 8-bit constant stands for 0."""
    points = tensor.quantization.zero_point if tensor.quantization else ()
    zero = points[0] & 0xFF if points else 0
    return tensor.data is not None and bytes(tensor.data).count(zero) == len(tensor.data)


def _dilations(case: Case) -> list[int]:
    """Of the axes (rows, columns) along which the kernel is larger than 1."""
    weights = case.slot(1)
    if weights is None or len(weights.shape) != 4:
        return []
    factors = (case.operator.options.get(f"dilation_{axis}_factor", 1) for axis in "hw")
    return [int(factor) for factor, size in zip(factors, weights.shape[1:3], strict=True) if size > 1]

"""Why an operator does not go to the Edge TPU: one function for each rule, in Google's order of precedence.

A rule's docstring starts with the sentence that must hold, formatted from the constants that its code tests; what
follows is where the rule is known from. The same text makes the message, the rule's page, and its row in `ops`. Rules
look at one operator; which of the operators that pass are mapped together is ``compiler.placement``'s business.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from edgetpu_build.chip import operators
from edgetpu_build.chip.facts import (
    CHANNEL_ALIGNMENT,
    INNER_DIMENSIONS,
    KIB,
    MIB,
    TILE_ACTIVATION_BYTES,
    TILE_COLUMNS,
    TILE_ROWS,
    TILES,
)
from edgetpu_build.chip.generations import Generation
from edgetpu_build.tflite.model import Operator, Subgraph, Tensor

MAPPED = "Mapped to Edge TPU"
ONE_SUBGRAPH = "More than one subgraph is not supported"
DATA_TYPE = "Operation is working on an unsupported data type"
LIMIT = "Operation is otherwise supported, but not mapped due to some unspecified limitation"
UNSUPPORTED = "Operation not supported"
VERSION = "Operation version not supported"
RANK = "Tensor has unsupported rank (up to 3 innermost dimensions mapped)"
NOT_CONSTANT = "Filter, bias, or other param is not constant at compile-time"
TWO_DIMENSIONAL = "For example, a fully-connected or softmax layer with 2D output"
UNIT_STRIDES = "Only Strided-Slice with unitary strides supported"

EIGHT_BIT = ("INT8", "UINT8")
SIGNED_SINCE = 12  # runtime; with an older one no INT8 tensor passes (threads: `-m 10` maps nothing)
DILATED_DEPTHWISE_SINCE = 13  # runtime (models page)
TILE_KIB = TILE_ACTIVATION_BYTES // KIB
ANY_AXIS_SINCE = 13  # runtime; before, PAD and MEAN work on rows and columns only (models page)
MEAN_POSITIONS = 16_384
CHIP_ACTIVATION_MIB = TILES * TILE_ACTIVATION_BYTES // MIB
SOFTMAX_LENGTH = 16_384  # longest seen mapped; the models page says 16,000
BILINEAR_FACTOR = 8

Evidence = Literal["measured", "fitted", "documented"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One operator with its tensors, and for whom it is compiled. ``data``: the inputs that are not constants."""

    operator: Operator
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    data: tuple[Tensor, ...]
    slots: tuple[Tensor | None, ...]
    generation: Generation
    runtime: int

    @property
    def kind(self) -> str:
        return self.operator.kind

    def slot(self, number: int) -> Tensor | None:
        """The input at a position of the operator's signature, None if left out."""
        return self.slots[number] if number < len(self.slots) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """What was found instead, and what to do about it. ``tensor`` is the name of the one at fault, "" if none is."""

    observed: str
    tensor: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """``must`` is the sentence that has to hold; ``known`` says where that is known from."""

    id: str
    status: str
    must: str
    known: str
    evidence: Evidence
    test: Callable[[Case], Broken | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A broken rule of one operator, ready to be shown."""

    rule: str
    status: str
    reason: str
    hint: str
    tensor: str


RULES: list[Rule] = []
"""Highest precedence first: the status of the first that is broken is the one that Google's compiler prints."""


def _rule(
    name: str, status: str, evidence: Evidence
) -> Callable[[Callable[[Case], Broken | None]], Callable[[Case], Broken | None]]:
    def register(test: Callable[[Case], Broken | None]) -> Callable[[Case], Broken | None]:
        text = " ".join((test.__doc__ or name).format_map(globals()).split())
        must, _, known = text.partition(" Known: ")
        RULES.append(Rule(id=name, status=status, must=must, known=known, evidence=evidence, test=test))
        return test

    return register


def case(subgraph: Subgraph, index: int, generation: Generation, runtime: int) -> Case:
    """What the rules need of operator ``index``, to be mapped for ``runtime``."""
    operator = subgraph.operators[index]
    slots = tuple(subgraph.tensors[t] if t >= 0 else None for t in operator.inputs)
    inputs = tuple(tensor for tensor in slots if tensor is not None)
    return Case(
        operator=operator,
        inputs=inputs,
        outputs=tuple(subgraph.tensors[t] for t in operator.outputs if t >= 0),
        data=tuple(tensor for tensor in inputs if tensor.data is None),
        slots=slots,
        generation=generation,
        runtime=runtime,
    )


def first_broken(case: Case) -> Finding | None:
    """The rule that decides, None for an operator that the Edge TPU can take."""
    return next(broken(case), None)


def broken(case: Case) -> Iterator[Finding]:
    """Every rule that the operator breaks, the deciding one first."""
    for rule in RULES:
        found = rule.test(case)
        if found is not None:
            yield _finding(rule, found)


def _finding(rule: Rule, found: Broken) -> Finding:
    doubt = {
        "measured": "",
        "fitted": " (a limit fitted on few models)",
        "documented": " (documented, never seen refused)",
    }
    reason = f"{found.observed}, but {rule.must}{doubt[rule.evidence]}"
    return Finding(rule=rule.id, status=rule.status, reason=reason, hint=found.hint, tensor=found.tensor)


# The rules, highest precedence first.


@_rule("rank", RANK, "measured")
def _rank(case: Case) -> Broken | None:
    """all dimensions except the {INNER_DIMENSIONS} innermost must be 1

    Known: 18 operators of 4 models, none against. Constants do not count, and custom operators are not asked. It comes
    before the data type: a half-precision DEQUANTIZE of four-dimensional weights says rank, one of a bias says type."""
    if case.kind == "CUSTOM":
        return None
    for tensor in (*case.data, *case.outputs):
        if any(size != 1 for size in tensor.shape[:-INNER_DIMENSIONS]):
            batch = len(tensor.shape) == INNER_DIMENSIONS + 1
            hint = "convert with a batch of 1" if batch else "reshape it to at most 3 dimensions above 1"
            return _about(tensor, f"has the shape {shape_text(tensor)}", hint)
    return None


@_rule("output-type", DATA_TYPE, "measured")
def _output_type(case: Case) -> Broken | None:
    """every output must be INT8 or UINT8

    Known: 962 operators of 139 models, none against. Only outputs are asked here: an INT8 GATHER with INT64 indices
    passes."""
    for tensor in case.outputs:
        if tensor.type not in EIGHT_BIT:
            return _about(tensor, f"is {tensor.type}", _quantise_hint(tensor))
    return None


@_rule("signed-type", DATA_TYPE, "documented")
def _signed_type(case: Case) -> Broken | None:
    """INT8 tensors need runtime {SIGNED_SINCE} or newer

    Known: threads report that a lower `min-runtime-version` leaves every operator of an INT8 model on the CPU with this
    status; the public runtime library names {SIGNED_SINCE} as the first with signed host types."""
    if case.runtime >= SIGNED_SINCE:
        return None
    tensor = next((t for t in (*case.outputs, *case.data) if t.type == "INT8"), None)
    if tensor is None:
        return None
    hint = f"raise `min-runtime-version` to {SIGNED_SINCE}, or quantise to UINT8"
    return _about(tensor, f"is INT8 and the runtime {case.runtime}", hint)


@_rule("kind", UNSUPPORTED, "measured")
def _kind(case: Case) -> Broken | None:
    """the operator must be one that the Edge TPU has in the asked runtime

    Known: 84 operators of 4 models (GATHER, GATHER_ND, UNPACK) and logs (LEAKY_RELU, HARD_SWISH, TRANSPOSE before
    16.0); none against. The table of operators says since when there is which."""
    if operators.available(case.kind, case.generation, case.runtime):
        return None
    facts = operators.OPERATORS.get(case.kind)
    name = f"custom operator `{case.operator.custom_code}`" if case.kind == "CUSTOM" else case.kind
    if facts is None:
        return Broken(observed=f"{name} has no Edge TPU form", hint=operators.REWRITES.get(case.kind, ""))
    if facts.since > case.runtime:
        hint = f"raise `min-runtime-version` to {facts.since}"
        if facts.since > case.generation.rules:
            hint = "compile with a newer compiler"
        return Broken(observed=f"{name} came with runtime {facts.since} and {case.runtime} is asked for", hint=hint)
    return Broken(
        observed=f"{name} is mapped from compiler {facts.compiler} on", hint=f"compile with {facts.compiler} or newer"
    )


@_rule("version", VERSION, "measured")
def _version(case: Case) -> Broken | None:
    """the operator's version must be one that the compiler maps

    Known: 3 operators of two logs (RESIZE_NEAREST_NEIGHBOR 3 up to 15.0), and threads. A version that the compiler
    cannot even load fails the whole model instead."""
    limit = operators.highest_placed_version(case.kind, case.generation)
    if limit is None or case.operator.version <= limit:
        return None
    hint = "convert without `half_pixel_centers` and `align_corners`, or compile with 16.0"
    return Broken(observed=f"{case.kind} has version {case.operator.version}, highest {limit}", hint=hint)


@_rule("quantize-input", LIMIT, "measured")
def _quantize_input(case: Case) -> Broken | None:
    """QUANTIZE must convert between 8-bit types

    Known: 265 operators of 183 models, none against. At the entry of a model it costs nothing: what follows is still
    mapped."""
    if case.kind != "QUANTIZE" or not case.data or case.data[0].type in EIGHT_BIT:
        return None
    tensor = case.data[0]
    return _about(tensor, f"is {tensor.type}", "set `converter.inference_input_type` to tf.int8 or tf.uint8")


@_rule("input-type", DATA_TYPE, "measured")
def _input_type(case: Case) -> Broken | None:
    """every input that is not a constant must be INT8 or UINT8

    Known: among the 962 operators of rule `output-type`. The cell state of an LSTM is INT16 and does not count."""
    data = case.data[:1] if case.kind.endswith("LSTM") else case.data
    for tensor in data:
        if tensor.type not in EIGHT_BIT:
            return _about(tensor, f"is {tensor.type}", _quantise_hint(tensor))
    return None


@_rule("single-row", LIMIT, "measured")
def _single_row(case: Case) -> Broken | None:
    """a tensor with a single row must not exceed the {TILE_KIB} KiB of one tile

    Known: without rows to deal out it is held whole in every tile. The largest seen mapped has 174,447 bytes, the
    smallest refused 230,400 (detectors of two families); none of 503 models is against it."""
    for tensor in (*case.data, *case.outputs):
        if inner(tensor)[0] == 1 and elements(tensor) > TILE_ACTIVATION_BYTES:
            hint = "keep rows and columns apart for longer (work on [1, y, x, c]), or use a smaller input"
            return _about(tensor, f"of shape {shape_text(tensor)} takes {elements(tensor):,} bytes", hint)
    return None


@_rule("computed-weights", NOT_CONSTANT, "measured")
def _computed_weights(case: Case) -> Broken | None:
    """the weights of a convolution must be constant

    Known: one TRANSPOSE_CONV in a log. FULLY_CONNECTED with computed weights is mapped by 16.0 (42 models)."""
    if case.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"):
        return None
    weights = case.slot(1)
    if weights is None or weights.data is not None:
        return None
    return _about(weights, "is computed at run time", "fold the computation into a constant before conversion")


@_rule("reshape-size", LIMIT, "fitted")
def _reshape_size(case: Case) -> Broken | None:
    """input and output of a RESHAPE together must fit the {TILE_KIB} KiB of one tile

    Known: 22 operators of 9 models, none against, but only one model decides beyond rule `single-row`: 80x80x255 to
    6400x3x85 is refused, 40x40x255 to 1600x3x85 is mapped."""
    if case.kind != "RESHAPE" or not case.data or not case.outputs:
        return None
    needed = fullest_tile(case.data[0]) + fullest_tile(case.outputs[0])
    if needed <= TILE_ACTIVATION_BYTES:
        return None
    hint = "reshape after the model (in the application), or use a smaller input"
    return _about(case.outputs[0], f"and its input take {needed:,} bytes of the fullest tile", hint)


@_rule("split-batch", TWO_DIMENSIONAL, "measured")
def _split_batch(case: Case) -> Broken | None:
    """SPLIT must not cut the batch dimension

    Known: 86 operators of 42 models, none against. Google's status speaks of something else."""
    data = case.slot(1)
    if case.kind != "SPLIT" or data is None or case.operator.options.get("num_splits", 1) <= 1:
        return None
    axis = integers(case.slot(0))
    if not axis or axis[0] not in (0, -len(data.shape)):
        return None
    return _about(data, "is cut along dimension 0", "give the tensor a leading dimension of 1, and cut another one")


@_rule("softmax-length", LIMIT, "fitted")
def _softmax_length(case: Case) -> Broken | None:
    """SOFTMAX must not run over more than {SOFTMAX_LENGTH:,} elements

    Known: 16,384 is mapped in 8 files although the page says 16,000; nothing longer was seen."""
    if case.kind != "SOFTMAX" or not case.outputs:
        return None
    rows, columns, length = inner(case.outputs[0])
    if (rows, columns) != (1, 1) or length <= SOFTMAX_LENGTH:
        return None
    return _about(case.outputs[0], f"has {length:,} elements", "compute the softmax in the application")


@_rule("transpose-size", LIMIT, "fitted")
def _transpose_size(case: Case) -> Broken | None:
    """a TRANSPOSE must fit one tile of {TILE_KIB} KiB twice, as input and as output

    Known: 24 operators of 7 models, all YOLOv8: mapped up to 57,600 bytes, refused from 134,400 on. The exact number
    between them is a guess."""
    if case.kind != "TRANSPOSE" or not case.outputs:
        return None
    size = elements(case.outputs[0])
    if 2 * size <= TILE_ACTIVATION_BYTES:
        return None
    return _about(case.outputs[0], f"has {size:,} bytes", "transpose a smaller tensor, or in the application")


@_rule("resize-from-one", LIMIT, "fitted")
def _resize_from_one(case: Case) -> Broken | None:
    """RESIZE must not start from a single row or column

    Known: deeplabv3 (1x1 to 33x33), one architecture."""
    sizes = _resized(case)
    if sizes is None or min(sizes[0]) > 1 or max(sizes[1]) <= 1:
        return None
    return _about(case.data[0], f"has the shape {shape_text(case.data[0])}", "broadcast it with a MUL or TILE instead")


@_rule("resize-output", LIMIT, "fitted")
def _resize_output(case: Case) -> Broken | None:
    """the output of RESIZE must not exceed {CHIP_ACTIVATION_MIB} MiB, the activation memory of all tiles

    Known: one decoder (256x256x64 refused, 128x128x128 mapped) and deeplabv3 (513x513)."""
    if _resized(case) is None or elements(case.outputs[0]) <= TILES * TILE_ACTIVATION_BYTES:
        return None
    tensor = case.outputs[0]
    return _about(tensor, f"of shape {shape_text(tensor)} has {elements(tensor):,} bytes", "resize to a smaller output")


@_rule("resize-factor", LIMIT, "fitted")
def _resize_factor(case: Case) -> Broken | None:
    """RESIZE_BILINEAR must not enlarge more than {BILINEAR_FACTOR} times

    Known: deeplabv3 (33 to 513), one architecture; Google speaks of a loss of precision."""
    sizes = _resized(case)
    if case.kind != "RESIZE_BILINEAR" or sizes is None:
        return None
    factor = max(to / max(of, 1) for of, to in zip(*sizes, strict=True))
    if factor <= BILINEAR_FACTOR:
        return None
    return _about(case.outputs[0], f"is {factor:g} times as large as its input", "resize in two steps")


@_rule("dilation", LIMIT, "measured")
def _dilation(case: Case) -> Broken | None:
    """rows and columns of a convolution must be dilated alike

    Known: the page. An axis along which the kernel has size 1 does not count: a temporal network with kernel 3x1 and
    dilation (d, 1) is mapped."""
    dilations = _dilations(case)
    if len(set(dilations)) <= 1:
        return None
    return Broken(observed=f"the dilation is {dilations[0]} by {dilations[1]}", hint="use the same dilation for both")


@_rule("dilated-depthwise", LIMIT, "measured")
def _dilated_depthwise(case: Case) -> Broken | None:
    """a dilated DEPTHWISE_CONV_2D needs runtime {DILATED_DEPTHWISE_SINCE} or newer

    Known: the page, and two files of compiler 2.0.267."""
    dilation = max(_dilations(case), default=1)
    if case.kind != "DEPTHWISE_CONV_2D" or case.runtime >= DILATED_DEPTHWISE_SINCE or dilation <= 1:
        return None
    hint = f"raise `min-runtime-version` to {DILATED_DEPTHWISE_SINCE}"
    return Broken(observed=f"the dilation is {dilation} and the runtime {case.runtime}", hint=hint)


@_rule("slice-stride", UNIT_STRIDES, "measured")
def _slice_stride(case: Case) -> Broken | None:
    """every stride of a STRIDED_SLICE must be 1

    Known: the page, and one log of 15.0 (4 operators, the first layer of YOLOv5)."""
    strides = integers(case.slot(3)) if case.kind == "STRIDED_SLICE" else ()
    if all(stride == 1 for stride in strides):
        return None
    return Broken(observed=f"the strides are {', '.join(map(str, strides))}", hint="use a strided convolution instead")


@_rule("slice-mask", LIMIT, "documented")
def _slice_mask(case: Case) -> Broken | None:
    """a STRIDED_SLICE must have no ellipsis and no new axis

    Known: the page only."""
    if case.kind != "STRIDED_SLICE":
        return None
    for mask in ("ellipsis_mask", "new_axis_mask"):
        if case.operator.options.get(mask):
            return Broken(observed=f"`{mask}` is set", hint="name every dimension, and reshape for a new axis")
    return None


@_rule("dense-input", LIMIT, "fitted")
def _dense_input(case: Case) -> Broken | None:
    """the input of a FULLY_CONNECTED must not exceed the {TILE_KIB} KiB of one tile

    Known: 24 files of a sweep over four-dimensional inputs: 112x112x16 is refused, 64x64x16 is mapped. It agrees with
    rule `single-row`, as if the layer took its input as one row of vectors."""
    if case.kind != "FULLY_CONNECTED" or not case.data or elements(case.data[0]) <= TILE_ACTIVATION_BYTES:
        return None
    tensor = case.data[0]
    hint = "use a CONV_2D with a 1x1 kernel for a layer at every position"
    return _about(tensor, f"of shape {shape_text(tensor)} takes {elements(tensor):,} bytes", hint)


@_rule("fused-activation", LIMIT, "documented")
def _fused_activation(case: Case) -> Broken | None:
    """pooling and CONCATENATION must have no fused activation

    Known: the page. None of the 790 operators seen has one."""
    if case.kind not in ("AVERAGE_POOL_2D", "MAX_POOL_2D", "CONCATENATION"):
        return None
    activation = case.operator.options.get("fused_activation_function", "NONE")
    if activation == "NONE":
        return None
    return Broken(observed=f"{case.kind} has a fused {activation}", hint="put the activation before it")


@_rule("constant-part", LIMIT, "documented")
def _constant_part(case: Case) -> Broken | None:
    """a CONCATENATION with a constant must have two inputs and a constant of zeros

    Known: the page."""
    constants = [tensor for tensor in case.inputs if tensor.data is not None]
    if case.kind != "CONCATENATION" or not constants:
        return None
    if len(case.inputs) == 2 and len(constants) == 1 and _is_zero(constants[0]):
        return None
    return _about(constants[0], f"is one of {len(case.inputs)} inputs", "use PAD, or add the constant afterwards")


@_rule("weights-format", LIMIT, "documented")
def _weights_format(case: Case) -> Broken | None:
    """FULLY_CONNECTED must have weights in the default format

    Known: the page. All 4,757 operators seen have it."""
    layout = case.operator.options.get("weights_format", "DEFAULT")
    if case.kind != "FULLY_CONNECTED" or layout == "DEFAULT":
        return None
    return Broken(observed=f"its weights are {layout}", hint="convert again for the default CPU kernels")


@_rule("prelu-alpha", LIMIT, "documented")
def _prelu_alpha(case: Case) -> Broken | None:
    """PRELU must have one alpha for each channel

    Known: the page. All 66 operators seen have."""
    alpha = case.slot(1)
    if case.kind != "PRELU" or alpha is None or all(size == 1 for size in alpha.shape[:-1]):
        return None
    return _about(alpha, f"has the shape {shape_text(alpha)}", "set `shared_axes=[1, 2]` in the Keras layer")


@_rule("reduce-batch", LIMIT, "documented")
def _reduce_batch(case: Case) -> Broken | None:
    """a reduction must not run over the batch

    Known: the page. Dimension 0 of a tensor with three dimensions is no batch: SUM over it is mapped in some 40 models."""
    axes = _reduced(case)
    if not any(axis < len(case.data[0].shape) - INNER_DIMENSIONS for axis in axes):
        return None
    return _about(case.data[0], "is reduced over its batch", "name the other axes only")


@_rule("mean-channels", LIMIT, "documented")
def _mean_channels(case: Case) -> Broken | None:
    """MEAN over channels needs a multiple of {CHANNEL_ALIGNMENT} of them, and runtime {ANY_AXIS_SINCE} or newer

    Known: the page. The 4 operators seen have multiples of 4."""
    if case.kind != "MEAN" or not any(axis == len(case.data[0].shape) - 1 for axis in _reduced(case)):
        return None
    channels = inner(case.data[0])[-1]
    if channels % CHANNEL_ALIGNMENT == 0 and case.runtime >= ANY_AXIS_SINCE:
        return None
    found = f"has {channels} channels and the runtime is {case.runtime}"
    return _about(case.data[0], found, "average rows and columns, or use a CONV_2D of constant weights")


@_rule("mean-size", LIMIT, "fitted")
def _mean_size(case: Case) -> Broken | None:
    """MEAN must not average more than {MEAN_POSITIONS:,} positions

    Known: two threads: 256x128 positions are refused, 64x128 are mapped. The number between them is a guess."""
    axes = _reduced(case) if case.kind == "MEAN" else ()
    count = math.prod(case.data[0].shape[axis] for axis in axes) if axes else 0
    if count <= MEAN_POSITIONS:
        return None
    hint = "split this MEAN: average bands of rows first, then the averages"
    return _about(case.data[0], f"is averaged over {count:,} positions", hint)


@_rule("pad-dimension", LIMIT, "documented")
def _pad_dimension(case: Case) -> Broken | None:
    """PAD must not touch the batch, nor channels before runtime {ANY_AXIS_SINCE}

    Known: the page. 15.0 pads channels in 14 operators; all others seen pad rows and columns."""
    amounts = integers(case.slot(1)) if case.kind == "PAD" else ()
    padded = [any(amounts[2 * i : 2 * i + 2]) for i in range(len(amounts) // 2)]
    outer = any(padded[:-INNER_DIMENSIONS])
    channels = bool(padded) and padded[-1] and case.runtime < ANY_AXIS_SINCE
    if not outer and not channels:
        return None
    return Broken(observed=f"it pads {'the batch' if outer else 'channels'}", hint="use CONCATENATION with zeros")


@_rule("squeeze-inner", LIMIT, "documented")
def _squeeze_inner(case: Case) -> Broken | None:
    """SQUEEZE takes leading ones away only, before runtime {ANY_AXIS_SINCE}

    Known: the page."""
    if case.kind != "SQUEEZE" or case.runtime >= ANY_AXIS_SINCE or not case.data or not case.outputs:
        return None
    before, after = case.data[0].shape, case.outputs[0].shape
    if before[len(before) - len(after) :] == after:
        return None
    return _about(case.data[0], f"of shape {shape_text(case.data[0])} is squeezed inside", "use RESHAPE")


# What the rules measure.


def elements(tensor: Tensor) -> int:
    """How many elements, which are bytes where the type has 8 bits."""
    return math.prod(tensor.shape)


def inner(tensor: Tensor) -> tuple[int, int, int]:
    """Rows, columns and channels; dimensions that are not there are 1."""
    rows, columns, channels = (1, 1, 1, *tensor.shape)[-INNER_DIMENSIONS:]
    return rows, columns, channels


def fullest_tile(tensor: Tensor) -> int:
    """Bytes of an 8-bit tensor in the tile that holds most of it; with a single row every tile holds all."""
    rows, columns, channels = inner(tensor)
    if rows == 1:
        return columns * channels
    return -(-rows // TILE_ROWS) * -(-columns // TILE_COLUMNS) * channels


def integers(tensor: Tensor | None) -> tuple[int, ...]:
    """The values of a constant INT32 or INT64 tensor, () for anything else."""
    size = {"INT32": 4, "INT64": 8}.get(tensor.type) if tensor is not None else None
    if tensor is None or tensor.data is None or size is None:
        return ()
    data = tensor.data
    return tuple(
        int.from_bytes(data[i : i + size], "little", signed=True) for i in range(0, len(data) - size + 1, size)
    )


def shape_text(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


def _about(tensor: Tensor, found: str, hint: str) -> Broken:
    return Broken(observed=f"`{tensor.name}` {found}", tensor=tensor.name, hint=hint)


def _quantise_hint(tensor: Tensor) -> str:
    if tensor.type.startswith("FLOAT"):
        return "quantise the whole model to INT8 with a representative data set"
    return "keep this computation out of the model, or at its end"


def _resized(case: Case) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Rows and columns before and after a RESIZE that changes them."""
    if not case.kind.startswith("RESIZE_") or not case.data or not case.outputs:
        return None
    before, after = inner(case.data[0])[:2], inner(case.outputs[0])[:2]
    return None if before == after else (before, after)


def _reduced(case: Case) -> tuple[int, ...]:
    """The dimensions that a reduction takes away, counted from the front."""
    if case.kind not in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN") or not case.data:
        return ()
    rank = len(case.data[0].shape)
    axes = (axis + rank if axis < 0 else axis for axis in integers(case.slot(1)))
    return tuple(sorted({axis for axis in axes if 0 <= axis < rank}))


def _is_zero(tensor: Tensor) -> bool:
    """Whether every element of an 8-bit constant stands for 0."""
    zero = tensor.quantization.zero_point[0] & 0xFF if tensor.quantization else 0
    return tensor.data is not None and bytes(tensor.data).count(zero) == len(tensor.data)


def _dilations(case: Case) -> list[int]:
    """Of the axes (rows, columns) along which the kernel is larger than 1."""
    weights = case.slot(1)
    if case.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D") or weights is None or len(weights.shape) != 4:
        return []
    factors = (case.operator.options.get(f"dilation_{axis}_factor", 1) for axis in "hw")
    return [int(factor) for factor, size in zip(factors, weights.shape[1:3], strict=True) if size > 1]

"""Rules about what an operator is and works on: rank, data types, kind and version."""

from __future__ import annotations

from edgetpu_build.chip import operators
from edgetpu_build.chip.case import EIGHT_BIT, Case, shape_text
from edgetpu_build.chip.facts import INNER_DIMENSIONS
from edgetpu_build.chip.rules.rule import (
    DATA_TYPE,
    LIMIT,
    NOT_CONSTANT,
    RANK,
    UNSUPPORTED,
    VERSION,
    Broken,
    about,
    rule,
)
from edgetpu_build.tflite.model import Tensor

SIGNED_SINCE = 12  # runtime; with an older one no INT8 tensor passes (threads: `-m 10` maps nothing)


@rule("rank", RANK, "measured")
def rank(case: Case) -> Broken | None:
    """all dimensions except the {INNER_DIMENSIONS} innermost must be 1

    Known: 12 operators of 3 models, none against. Constants do not count, and custom operators are not asked. It comes
    before the data type: a half-precision DEQUANTIZE of four-dimensional weights says rank, one of a bias says type."""
    if case.kind == "CUSTOM":
        return None
    for tensor in (*case.data, *case.outputs):
        if any(size != 1 for size in tensor.shape[:-INNER_DIMENSIONS]):
            batch = len(tensor.shape) == INNER_DIMENSIONS + 1
            hint = "convert with a batch of 1" if batch else "reshape it to at most 3 dimensions above 1"
            return about(tensor, f"has the shape {shape_text(tensor)}", hint)
    return None


@rule("output-type", DATA_TYPE, "measured")
def output_type(case: Case) -> Broken | None:
    """every output must be INT8 or UINT8

    Known: 931 operators of 133 models, none against. Only outputs are asked here: an INT8 GATHER with INT64 indices
    passes."""
    for tensor in case.outputs:
        if tensor.type not in EIGHT_BIT:
            return about(tensor, f"is {tensor.type}", _type_hint(case, tensor))
    return None


@rule("signed-type", DATA_TYPE, "measured")
def signed_type(case: Case) -> Broken | None:
    """INT8 tensors need runtime {SIGNED_SINCE} or newer

    Known: threads report that a lower `min-runtime-version` leaves every operator of an INT8 model on the CPU with this
    status; the public runtime library names {SIGNED_SINCE} as the first with signed host types."""
    if case.runtime >= SIGNED_SINCE:
        return None
    tensor = next((t for t in (*case.outputs, *case.data) if t.type == "INT8"), None)
    if tensor is None:
        return None
    hint = f"raise `min-runtime-version` to {SIGNED_SINCE}, or quantise to UINT8"
    return about(tensor, f"is INT8 and the runtime {case.runtime}", hint)


@rule("kind", UNSUPPORTED, "measured")
def kind(case: Case) -> Broken | None:
    """the operator must be one that the Edge TPU has in the asked runtime

    Known: 78 operators of 2 models, and logs (GATHER, LEAKY_RELU, HARD_SWISH, TRANSPOSE before 16.0); none against.
    The table of operators says since when there is which."""
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


@rule("version", VERSION, "measured")
def version(case: Case) -> Broken | None:
    """the operator's version must be one that the compiler maps

    Known: 3 operators of two logs (RESIZE_NEAREST_NEIGHBOR 3 up to 15.0), and threads. A version that the compiler
    cannot even load fails the whole model instead."""
    limit = operators.highest_placed_version(case.kind, case.generation)
    if limit is None or case.operator.version <= limit:
        return None
    hint = "convert without `half_pixel_centers` and `align_corners`, or compile with 16.0"
    return Broken(observed=f"{case.kind} has version {case.operator.version}, highest {limit}", hint=hint)


@rule("quantize-input", LIMIT, "measured", "QUANTIZE")
def quantize_input(case: Case) -> Broken | None:
    """QUANTIZE must convert between 8-bit types

    Known: 222 operators of 148 models, none against. At the entry of a model it costs nothing: what follows is still
    mapped."""
    if not case.data or case.data[0].type in EIGHT_BIT:
        return None
    tensor = case.data[0]
    return about(tensor, f"is {tensor.type}", "set `converter.inference_input_type` to tf.int8 or tf.uint8")


@rule("input-type", DATA_TYPE, "measured")
def input_type(case: Case) -> Broken | None:
    """every input that is not a constant must be INT8 or UINT8

    Known: among the operators of rule `output-type`. The cell state of an LSTM is INT16 and does not count."""
    data = case.data[:1] if case.kind.endswith("LSTM") else case.data
    for tensor in data:
        if tensor.type not in EIGHT_BIT:
            return about(tensor, f"is {tensor.type}", _type_hint(case, tensor))
    return None


@rule("computed-weights", NOT_CONSTANT, "measured", "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
def computed_weights(case: Case) -> Broken | None:
    """the weights of a convolution must be constant

    Known: one TRANSPOSE_CONV in a log. FULLY_CONNECTED with computed weights is mapped by 16.0 (42 models)."""
    weights = case.slot(1)
    if weights is None or weights.data is not None:
        return None
    return about(weights, "is computed at run time", "fold the computation into a constant before conversion")


def _type_hint(case: Case, tensor: Tensor) -> str:
    if case.kind == "CUSTOM":
        return "a custom operator always runs on the CPU; allow it with the budget's `cpu-operators`"
    if tensor.type.startswith("FLOAT"):
        return "quantise the whole model to INT8 with a representative data set"
    return "keep this computation out of the model, or at its end"

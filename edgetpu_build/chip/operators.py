"""The operators of TensorFlow Lite as the Edge TPU toolchain sees them: which are mapped, since when, which versions.

Sources: Google's table of supported operations and its runtime notes ("page"), operators found inside files that the
compiler wrote ("files"), its operator logs ("logs"), and error messages quoted in public threads ("threads").
"""

from __future__ import annotations

from dataclasses import dataclass

from edgetpu_build.chip.generations import GENERATIONS, Generation


@dataclass(frozen=True, slots=True)
class OperatorFacts:
    """``since``: oldest runtime that has the operator. ``compiler``: the first compiler that maps it, "" for all.

    ``source`` is the best evidence that it is mapped; "page" alone means that nobody was seen to use it.
    """

    kind: str
    since: int
    source: str
    note: str = ""
    compiler: str = ""


_TABLE = (
    OperatorFacts("ADD", 10, "files"),
    OperatorFacts("AVERAGE_POOL_2D", 10, "files"),
    OperatorFacts("BATCH_MATMUL", 14, "files", "seen in one attention block"),
    OperatorFacts("CONCATENATION", 10, "files", "a channel count off a multiple of 4 costs helper constants"),
    OperatorFacts("CONV_2D", 10, "files"),
    OperatorFacts("DEPTHWISE_CONV_2D", 10, "files"),
    OperatorFacts("EXPAND_DIMS", 13, "page"),
    OperatorFacts("FULLY_CONNECTED", 10, "files", "computed weights are mapped by 16.0"),
    OperatorFacts("L2_NORMALIZATION", 10, "logs"),
    OperatorFacts("LOGISTIC", 10, "files"),
    OperatorFacts("MAXIMUM", 10, "files"),
    OperatorFacts("MAX_POOL_2D", 10, "files"),
    OperatorFacts("MEAN", 10, "files"),
    OperatorFacts("MINIMUM", 10, "files"),
    OperatorFacts("MUL", 10, "files"),
    OperatorFacts("PACK", 13, "files"),
    OperatorFacts("PAD", 10, "files"),
    OperatorFacts("PRELU", 13, "files"),
    OperatorFacts("QUANTIZE", 12, "files", "between 8-bit types; from float it stays on the CPU"),
    OperatorFacts("REDUCE_MAX", 14, "page"),
    OperatorFacts("REDUCE_MIN", 14, "page"),
    OperatorFacts("RELU", 10, "files"),
    OperatorFacts("RELU6", 10, "logs"),
    OperatorFacts("RELU_N1_TO_1", 10, "page"),
    OperatorFacts("RESHAPE", 10, "files"),
    OperatorFacts("RESIZE_BILINEAR", 10, "files"),
    OperatorFacts("RESIZE_NEAREST_NEIGHBOR", 10, "files"),
    OperatorFacts("RSQRT", 14, "files"),
    OperatorFacts("SLICE", 10, "logs"),
    OperatorFacts("SOFTMAX", 10, "files"),
    OperatorFacts("SPACE_TO_DEPTH", 10, "page"),
    OperatorFacts("SPLIT", 10, "files", "parts off a multiple of 4 channels cost helper constants"),
    OperatorFacts("SQUARED_DIFFERENCE", 14, "files"),
    OperatorFacts("SQUEEZE", 10, "page"),
    OperatorFacts("STRIDED_SLICE", 10, "files"),
    OperatorFacts("SUB", 10, "files"),
    OperatorFacts("SUM", 13, "files"),
    OperatorFacts("TANH", 10, "files"),
    OperatorFacts("TILE", 12, "files", "not on Google's page"),
    OperatorFacts("TRANSPOSE", 13, "files", "15.0 still says that it is not supported", compiler="16.0"),
    OperatorFacts("TRANSPOSE_CONV", 13, "files"),
    OperatorFacts("UNIDIRECTIONAL_SEQUENCE_LSTM", 12, "files", "one direction only"),
)

OPERATORS: dict[str, OperatorFacts] = {facts.kind: facts for facts in _TABLE}
"""Every kind that is mapped under some condition. All others stay on the CPU."""

REWRITES: dict[str, str] = {
    "HARD_SWISH": "use RELU6, or the `minimalistic` variant of MobileNet v3",
    "LEAKY_RELU": "use RELU, or write it as `maximum(x, alpha * x)`, which is MUL and MAXIMUM",
    "ELU": "use RELU or RELU6",
    "GELU": "use RELU or RELU6",
    "DIV": "multiply by the reciprocal, which is MUL",
    "SPLIT_V": "split into equal parts, which is SPLIT",
    "GATHER": "use STRIDED_SLICE or SLICE where the indices are a range",
    "UNPACK": "use STRIDED_SLICE, one for each part",
    "CAST": "feed the model the type that it computes in",
    "ARG_MAX": "let it be the last operator, or take the maximum in the application",
    "SQRT": "fold it into the weights, or use RSQRT",
}
"""What to put in the place of an operator that has no Edge TPU form."""

_HIGHEST = {
    "ADD": 4,
    "ARG_MAX": 3,
    "AVERAGE_POOL_2D": 3,
    "BATCH_MATMUL": 4,
    "BROADCAST_TO": 3,
    "CAST": 4,
    "CONCATENATION": 3,
    "CONV_2D": 5,
    "DEPTHWISE_CONV_2D": 6,
    "DEQUANTIZE": 5,
    "EXP": 1,
    "EXPAND_DIMS": 1,
    "FULLY_CONNECTED": 9,
    "GATHER": 5,
    "HARD_SWISH": 1,
    "L2_NORMALIZATION": 2,
    "LOGISTIC": 3,
    "MAXIMUM": 4,
    "MAX_POOL_2D": 3,
    "MEAN": 3,
    "MINIMUM": 4,
    "MUL": 5,
    "PACK": 3,
    "PAD": 4,
    "PRELU": 1,
    "QUANTIZE": 2,
    "REDUCE_MAX": 3,
    "REDUCE_MIN": 3,
    "RELU": 3,
    "RELU6": 3,
    "RESHAPE": 1,
    "RESIZE_BILINEAR": 4,
    "RESIZE_NEAREST_NEIGHBOR": 4,
    "RSQRT": 2,
    "SLICE": 5,
    "SOFTMAX": 3,
    "SPACE_TO_DEPTH": 2,
    "SPLIT": 4,
    "SPLIT_V": 2,
    "SQUARED_DIFFERENCE": 2,
    "SQUEEZE": 2,
    "STRIDED_SLICE": 6,
    "SUB": 5,
    "SUM": 2,
    "TANH": 3,
    "TRANSPOSE": 5,
    "TRANSPOSE_CONV": 3,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": 3,
    "UNPACK": 4,
}
# What 16.0 loads: the registrations of a TensorFlow Lite slightly younger than the one inside it, lowered where threads
# quote a refusal (CONV_2D 6, QUANTIZE 3, TRANSPOSE_CONV 4, EXP 2). Above these a refusal is certain.

_REFUSED = (
    ("RELU", 2, "2.0.267685300"),
    ("RESIZE_BILINEAR", 3, "2.0.267685300"),
    ("RESIZE_NEAREST_NEIGHBOR", 3, "2.1.302470888"),
    ("TRANSPOSE_CONV", 3, "2.1.302470888"),
    ("REVERSE_V2", 3, "15.0.340273435"),
)
# kind, version, and the newest compiler of which threads quote that it refuses to load it.

_UNPLACED = (("RESIZE_NEAREST_NEIGHBOR", 3, "15.0.340273435"), ("RESIZE_BILINEAR", 3, "15.0.340273435"))
# Loaded, but left on the CPU with a status of its own (logs, threads).

UNKNOWN_KINDS = frozenset(
    {
        "GELU",
        "DYNAMIC_UPDATE_SLICE",
        "RELU_0_TO_1",
        "UNSORTED_SEGMENT_PROD",
        "UNSORTED_SEGMENT_MAX",
        "UNSORTED_SEGMENT_SUM",
        "UNSORTED_SEGMENT_MIN",
        "ATAN2",
        "SIGN",
        "BITCAST",
        "BITWISE_XOR",
        "RIGHT_SHIFT",
        "DILATE",
        "REDUCE_WINDOW",
    }
)
"""Kinds numbered 150 or above, which every released compiler refuses to load (threads: "builtin_code out of range")."""

CONVERTER_ADVICE: dict[str, str] = {
    "CONV_2D": "convert with TensorFlow 2.8 or older",
    "EXP": "convert with TensorFlow 2.15 or older",
    "FULLY_CONNECTED": "set `converter._experimental_disable_per_channel_quantization_for_dense_layers = True`",
    "QUANTIZE": "convert with TensorFlow 2.10 or older",
    "TRANSPOSE_CONV": "set `converter.experimental_new_converter = False`",
}
"""What avoids an operator version that is too new."""


def highest_version(kind: str, generation: Generation) -> int | None:
    """The newest version of an operator that this compiler loads, or None where that is not known."""
    limits = [_HIGHEST[kind]] if kind in _HIGHEST else []
    limits += [version - 1 for name, version, last in _REFUSED if name == kind and generation.order <= _order(last)]
    return min(limits, default=None)


def highest_placed_version(kind: str, generation: Generation) -> int | None:
    """The newest version that it maps; newer ones load and stay on the CPU. None where there is no such limit."""
    limits = [version - 1 for name, version, last in _UNPLACED if name == kind and generation.order <= _order(last)]
    return min(limits, default=None)


def available(kind: str, generation: Generation, runtime: int) -> bool:
    """Whether this compiler maps the kind at all for a runtime."""
    facts = OPERATORS.get(kind)
    if facts is None or facts.since > runtime:
        return False
    return not facts.compiler or generation.order >= max(g.order for g in GENERATIONS if g.name == facts.compiler)


def _order(version: str) -> int:
    return next(known.order for known in GENERATIONS if known.version == version)

"""Graph facts -> ``tflite.model`` values: same operators, shapes, types and quantisation, made-up weights.

What the facts do not hold is filled with a fixed pattern: weights run through the range that the real ones had, biases
are neither zero nor equal (unless the facts say so), scales of channels differ a little (unless the facts say so).
"""

from __future__ import annotations

import gzip
import json
import struct
from array import array
from functools import cache
from pathlib import Path
from typing import Any

from edgetpu_build.tflite.model import Model, Operator, Quantization, Subgraph, Tensor

DATA = Path(__file__).with_name("google.jsonl.gz")
_CODES = {
    "FLOAT32": "f", "INT32": "i", "UINT8": "B", "INT64": "q", "BOOL": "?", "INT8": "b", "INT16": "h", "FLOAT64": "d",
    "UINT32": "I", "UINT16": "H", "UINT64": "Q",
}  # fmt: skip
_BIASES = array("i", ((k * 37) % 1001 - 500 or 1 for k in range(1001))).tobytes()


@cache
def facts() -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """(graphs by key, rows) of google.jsonl.gz."""
    lines = [json.loads(line) for line in gzip.decompress(DATA.read_bytes()).splitlines()]
    return {x["graph"]: x for x in lines if "row" not in x}, [x for x in lines if "row" in x]


def _cycle(pattern: bytes, size: int) -> bytes:
    return (pattern * (size // len(pattern) + 1))[:size]


def _constant(tensor: dict[str, Any]) -> bytes:
    kind: str = tensor["type"]
    size: int = tensor["bytes"]
    code = _CODES.get(kind)
    if code and "values" in tensor:
        return struct.pack(f"<{len(tensor['values'])}{code}", *tensor["values"])
    if code and "same" in tensor:
        one: bytes = struct.pack(f"<{code}", tensor["same"])
        return one * (size // len(one))
    if kind in ("INT8", "UINT8"):
        low, high = tensor.get("range", (-127, 127) if kind == "INT8" else (0, 255))
        return _cycle(bytes(value & 255 for value in range(low, high + 1)), size)
    if kind == "FLOAT32":
        return _cycle(struct.pack("<97f", *((k - 48) / 480 for k in range(97))), size)
    return _cycle(_BIASES, size)


def _quantization(tensor: dict[str, Any]) -> Quantization | None:
    count = tensor.get("scales", 0)
    if not count:
        return None
    step = 0.0 if tensor.get("scale_same") else tensor["scale"] / 1000
    scales = array("f", (tensor["scale"] + k % 97 * step for k in range(count)))
    return Quantization(scale=tuple(scales), zero_point=(tensor["zp"],) * count, axis=tensor.get("qdim", 0))


def _tensor(index: int, tensor: dict[str, Any]) -> Tensor:
    constant = "bytes" in tensor
    return Tensor(
        name=f"t{index}",
        shape=tuple(tensor["shape"]),
        shape_signature=tuple(tensor.get("shape_sig", ())),
        type=tensor["type"],
        buffer=index + 1 if constant else 0,
        quantization=_quantization(tensor),
        is_variable=tensor.get("variable", False),
        data=memoryview(_constant(tensor)) if constant else None,
    )


def _operator(op: dict[str, Any]) -> Operator:
    return Operator(
        kind=op["op"],
        version=op.get("version", 1),
        inputs=tuple(op["in"]),
        outputs=tuple(op["out"]),
        options=op.get("options", {}),
        custom_code=op.get("custom", ""),
    )


def model(graph: dict[str, Any]) -> Model:
    """The model of one graph's facts. It has no bytes of its own, so it can be predicted, not written."""
    main = Subgraph(
        name="main",
        tensors=tuple(_tensor(k, tensor) for k, tensor in enumerate(graph["tensors"])),
        inputs=tuple(graph["inputs"]),
        outputs=tuple(graph["outputs"]),
        operators=tuple(_operator(op) for op in graph["ops"]),
    )
    empty = memoryview(b"")
    return Model(version=3, description="", subgraphs=(main,), metadata=(), signatures=(), raw=empty, flatbuffer_size=0)

"""What must hold between the parts of a model: indices in range, sizes that agree, data flowing one way.

A file that passes is one that LiteRT, the compilers and our own surgery can take at its word.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable

from edgetpu_build.errors import EdgeTpuBuildError, error
from edgetpu_build.tflite.flatbuffer import Decoder, Table
from edgetpu_build.tflite.model import Model, Subgraph, Tensor
from edgetpu_build.tflite.schema import ELEMENT_BITS

TENSOR_REFERENCES = ("scales", "zero_points")  # fields of block-wise quantisation that hold a tensor's index
LARGEST = (1 << 31) - 1  # bytes of a tensor: larger ones no runtime of this family can hold


def check_spans(decoder: Decoder) -> None:
    """Constants are stored side by side, or are one and the same; never partly in each other."""
    last = (0, 0)
    for span in sorted(decoder.blobs):
        if span[0] < last[1] and span[1] > span[0]:
            raise decoder.damaged("Buffer", "data", span[0], f"overlaps another buffer, bytes {last[0]} to {last[1]}")
        last = max(last, span, key=lambda s: s[1])


def check_indices(tree: Table, what: str) -> None:
    """Whatever points into a list of the file points at something: buffers, operator codes, subgraphs."""
    buffers, codes = len(tree.get("buffers", ())), len(tree.get("operator_codes", ()))
    subgraphs = tree.get("subgraphs", ())
    if not subgraphs:
        raise _damaged(what, "it has no subgraph")
    for number, subgraph in enumerate(subgraphs):
        _in_list(what, f"subgraph {number}, tensor", subgraph.get("tensors", ()), "buffer", buffers)
        _in_list(what, f"subgraph {number}, operator", subgraph.get("operators", ()), "opcode_index", codes)
        tensors = subgraph.get("tensors", ())
        for index in quantization_references(*tensors):
            _in_range(what, f"subgraph {number}, quantisation: tensor", index, len(tensors))
    _in_list(what, "metadata", tree.get("metadata", ()), "buffer", buffers)
    for (index,) in struct.iter_unpack("<i", tree.get("metadata_buffer", b"")):
        _in_range(what, "metadata buffer", index, buffers)


def quantization_references(*tensors: Table) -> list[int]:
    """Tensors that others refer to for scales and zero points (block-wise quantisation)."""
    found = [details for tensor in tensors if (details := tensor.get("quantization", {}).get("details"))]
    return [details[name] for details in found for name in TENSOR_REFERENCES if name in details]


def _in_list(what: str, name: str, tables: Iterable[Table], pointer: str, count: int) -> None:
    for index, table in enumerate(tables):
        if not 0 <= table.get(pointer, 0) < count:
            _in_range(what, f"{name} {index}: {pointer.replace('_', ' ')}", table.get(pointer, 0), count)


def _in_range(what: str, name: str, index: int, count: int) -> None:
    if not 0 <= index < count:
        raise _damaged(what, f"{name} {index} is out of range, there are {count}")


def _damaged(what: str, why: str) -> EdgeTpuBuildError:
    return error("ETB302", f"{what} is damaged: {why}")


def check(model: Model, what: str) -> None:
    """Everything that can be said of the values; the first fault is raised."""
    for number, subgraph in enumerate(model.subgraphs):
        place = "" if len(model.subgraphs) == 1 else f"subgraph {number}, "
        stored = model.tree["subgraphs"][number].get("tensors", ())
        for index, (tensor, table) in enumerate(zip(subgraph.tensors, stored, strict=True)):
            if -1 in tensor.shape:
                hint = "convert the model with a fixed shape: the Edge TPU needs every size beforehand"
                shape = list(tensor.shape)
                raise error("ETB307", f"{what}: {place}tensor {index} (`{tensor.name}`) has the shape {shape}", hint)
            fault = _tensor_fault(tensor, dense="sparsity" not in table)
            if fault:
                raise _damaged(what, f"{place}tensor {index} (`{tensor.name}`) {fault}")
        fault = _flow_fault(subgraph)
        if fault:
            raise _damaged(what, place + fault)
    for signature in model.signatures:
        _in_range(what, f"signature `{signature.key}`: subgraph", signature.subgraph, len(model.subgraphs))
        count = len(model.subgraphs[signature.subgraph].tensors)
        for name, index in (*signature.inputs, *signature.outputs):
            _in_range(what, f"signature `{signature.key}`, `{name}`: tensor", index, count)


def _tensor_fault(tensor: Tensor, *, dense: bool) -> str:
    bits = ELEMENT_BITS.get(tensor.type, 0)
    size = (math.prod(tensor.shape) * bits + 7) // 8
    if tensor.shape and min(tensor.shape) < 0:
        return f"has the shape {list(tensor.shape)}"
    if size > LARGEST:
        return f"has the shape {list(tensor.shape)}: {size} bytes, more than 2 GiB"
    if tensor.data is not None and dense and bits and len(tensor.data) != size:
        kind = f"its shape {list(tensor.shape)} and type {tensor.type}"
        return f"has {len(tensor.data)} bytes of data, {kind} ask for {size}"
    return _quantization_fault(tensor)


def _quantization_fault(tensor: Tensor) -> str:
    quantization = tensor.quantization
    if quantization is None:
        return ""
    scales, zero_points = len(quantization.scale), len(quantization.zero_point)
    if scales != zero_points:
        return f"has {scales} scales and {zero_points} zero points"
    low, high = _limits(tensor.type)
    for zero_point in set(quantization.zero_point) if any(quantization.zero_point) else ():
        if not low <= zero_point <= high:
            return f"has the zero point {zero_point}, which {tensor.type} cannot hold"
    if scales == 1:
        return ""
    axis, rank = quantization.axis, len(tensor.shape)
    if not 0 <= axis < rank:
        return f"is quantised along dimension {axis}, of {rank}"
    if tensor.shape[axis] != scales:
        return f"has {scales} scales for {tensor.shape[axis]} channels (dimension {axis})"
    return ""


def _limits(element_type: str) -> tuple[int, int]:
    """What an integer type can hold; 32 bits for the rest, where zero points mean nothing."""
    bits = ELEMENT_BITS[element_type] if element_type.lstrip("U").startswith("INT") else 32
    if element_type.startswith("U"):
        return 0, (1 << bits) - 1
    return -(1 << bits - 1), (1 << bits - 1) - 1


def _flow_fault(subgraph: Subgraph) -> str:
    """Operators stand in an order in which they can run; each tensor is written once, constants and inputs never."""
    tensors = subgraph.tensors
    count = len(tensors)
    for name, indices in (("input", subgraph.inputs), ("output", subgraph.outputs)):
        wrong = _outside(indices, count, 0)
        if wrong is not None:
            return f"{name} {wrong} is out of range, there are {count} tensors"
    writer = dict.fromkeys(subgraph.inputs, -1)
    makers: dict[int, int] = {}
    for position, operator in enumerate(subgraph.operators):
        name = f"operator {position} ({operator.custom_code or operator.kind})"
        wrong = _outside((*operator.inputs, *operator.intermediates), count, -1)
        if wrong is None:
            wrong = _outside(operator.outputs, count, 0)
        if wrong is not None:
            return f"{name}: tensor {wrong} is out of range, there are {count}"
        for index in operator.outputs:
            if tensors[index].data is not None:
                return f"{name} writes the constant tensor {index} (`{tensors[index].name}`)"
            if index in writer:
                other = writer[index]
                by = "is an input of the model" if other < 0 else f"is written by operator {other} as well"
                return f"{name} writes tensor {index} (`{tensors[index].name}`), which {by}"
            writer[index] = makers[index] = position
    for position, operator in enumerate(subgraph.operators):
        for index in operator.inputs:
            if makers.get(index, -1) >= position:
                name = f"operator {position} ({operator.custom_code or operator.kind})"
                whose = "its own" if makers[index] == position else f"operator {makers[index]}'s"
                return f"{name} takes tensor {index} (`{tensors[index].name}`), which is {whose} output"
    return ""


def _outside(indices: Iterable[int], count: int, lowest: int) -> int | None:
    return next((index for index in indices if not lowest <= index < count), None)

"""The package that an Edge TPU custom operator carries: values, and their public binary form both ways.

The form is that of libedgetpu's ``executable/executable.fbs`` (https://github.com/google-coral/libedgetpu):

    custom options   = flexbuffer map {"1": version, "4": package, "5": preference}, or (old) the package itself
    package          = flatbuffer Package, identifier DWN1
    its executables  = flatbuffer MultiExecutable of flatbuffers Executable

What is read may come from anywhere: whatever is wrong with it ends in ETB302.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, get_args

from edgetpu_build.errors import EdgeTpuBuildError, error
from edgetpu_build.tflite import flexbuffer
from edgetpu_build.tflite.flatbuffer import Decoder, Schema, Table
from edgetpu_build.tflite.reader import SCHEMA as MODEL_SCHEMA
from edgetpu_build.tflite.writer import Bytes, Encoder, Pieces

CUSTOM_OPERATORS = ("edgetpu-custom-op", "edgetpu-sim-custom-op")
IDENTIFIER = b"DWN1"

ExecutableType = Literal["STAND_ALONE", "PARAMETER_CACHING", "EXECUTION_ONLY"]

SCHEMA = Schema(
    {
        "Package": (
            "min_runtime_version:i32 serialized_multi_executable:[u8]^16 signature:[u8] keypair_version:i32 "
            "compiler_version:string virtual_chip_id:i32 multi_chip_package:[SerializedPackage] model_identifier:string"
        ),
        "SerializedPackage": "serialized_package:[u8]^16",
        "MultiExecutable": "serialized_executables:[string]^16",
        "Executable": (
            "version:i32 name:string serialized_model:[u8] batch_size:i32 scratch_size_bytes:i32 "
            "instruction_bitstreams:[InstructionBitstream] parameters:[u8]^16 dma_hints:DmaHints "
            "input_layers:[Layer] output_layers:[Layer] chip:string estimated_cycles:i32 "
            "used_narrow_memory_bytes_per_tile:i32 type:i16:ExecutableType parameter_caching_token:u64 "
            "use_tpu_dram_for_parameters:bool estimated_cycles_64bit:i64"
        ),
        "InstructionBitstream": "bitstream:[u8]^16 field_offsets:[FieldOffset]",
        "FieldOffset": "meta:Meta offset_bit:i32",
        "Meta": "desc:i16 batch:i32 name:string position:i16",
        "DmaHints": "hints:[DmaHint] fully_deterministic:bool",
        "DmaHint": "any_hint_type:u8 any_hint:|AnyHint direction:i16",
        "DmaDescriptorHint": "meta:Meta offset_in_bytes:i32 size_in_bytes:i32",
        "InstructionHint": "instruction_chunk_index:i32",
        "InterruptHint": "type:i16",
        "FenceHint": "",
        "Layer": (
            "name:string size_bytes:i32 y_dim:i32 x_dim:i32 z_dim:i32 numerics:NumericsConstants "
            "data_type:i16:DataType any_layer_type:u8 any_layer:|AnyLayer execution_count_per_inference:i32=1 "
            "cache_on_dram:bool shape:TensorShape"
        ),
        "NumericsConstants": "zero_point:i32 dequantization_factor:f32",
        "InputLayer": "",
        "OutputLayer": "layout:OutputLayout data_type:i16:DataType shape_info:OutputShapeInfo",
        "OutputLayout": (
            "y_coordinate_to_linear_tile_id_map:[i32] x_coordinate_to_linear_tile_id_map:[i32] "
            "linearized_tile_byte_offset:[i32] x_coordinate_to_local_byte_offset:[i32] "
            "y_coordinate_to_local_y_offset:[i32] x_coordinate_to_local_y_row_size:[i32]"
        ),
        "OutputShapeInfo": "slice_layout:[TensorLayout] slice_offset:[i32]",
        "TensorLayout": "shape:TensorShape stride:[i32]",
        "TensorShape": "dimension:[struct8]",
    },
    enums={
        "ExecutableType": " ".join(get_args(ExecutableType)),
        "DataType": (
            "FIXED_POINT8 FIXED_POINT16 SIGNED_FIXED_POINT32 BFLOAT HALF SINGLE RESERVED_6 RESERVED_7 "
            "SIGNED_FIXED_POINT8 SIGNED_FIXED_POINT16"
        ),
    },
    unions={
        "AnyHint": "NONE DmaDescriptorHint InstructionHint InterruptHint FenceHint",
        "AnyLayer": "NONE OutputLayer InputLayer",
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """An input or output of the chip: real = scale * (stored - zero_point); stored is int8 + 128 for int8 tensors.

    ``size``: bytes as the chip pads them, for batch 1. ``shape`` has its batch dimension, where the file tells it.
    """

    name: str
    shape: tuple[int, ...]
    size: int
    data_type: str = "FIXED_POINT8"
    zero_point: int = 0
    scale: float = 0.0
    executions: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Executable:
    """``parameters``: bytes sent to the chip; ``instructions``: bitstreams, chunk by chunk.

    ``narrow_memory``: bytes a tile; ``scratch_size``: bytes on the host.
    """

    type: ExecutableType
    parameters: Bytes = field(default=b"", repr=False)
    token: int = 0
    inputs: tuple[Layer, ...] = ()
    outputs: tuple[Layer, ...] = ()
    instructions: tuple[Bytes, ...] = field(default=(), repr=False)
    name: str = ""
    batch_size: int = 1
    scratch_size: int = 0
    narrow_memory: int = 0
    estimated_cycles: int = 0
    chip: str = "beagle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What one custom operator runs: one executable, or those that load and use cached parameters."""

    min_runtime_version: int
    executables: tuple[Executable, ...]
    compiler_version: str = ""
    model_identifier: str = ""

    @property
    def cached_bytes(self) -> int:
        """Parameter bytes that stay on the chip."""
        return sum(len(e.parameters) for e in self.executables if e.type == "PARAMETER_CACHING")

    @property
    def streamed_bytes(self) -> int:
        """Parameter bytes that are sent for every inference."""
        return sum(len(e.parameters) for e in self.executables if e.type != "PARAMETER_CACHING")


def encode(package: Package) -> bytes:
    """The custom options of an Edge TPU custom operator; equal values give equal bytes."""
    return b"".join(pieces(package))


def pieces(package: Package) -> Pieces:
    """``encode`` without a copy of the parameters, which may be large."""
    executables = [_flatbuffer("Executable", _executable_table(e)) for e in package.executables]
    table: Table = {
        "min_runtime_version": package.min_runtime_version,
        "serialized_multi_executable": _flatbuffer("MultiExecutable", {"serialized_executables": executables}),
        "compiler_version": package.compiler_version.encode(),
        "model_identifier": package.model_identifier.encode(),
    }
    return flexbuffer.write_map({"1": 0, "4": _flatbuffer("Package", table), "5": -1})


def decode(custom_options: bytes | memoryview) -> Package:
    """What the custom options of an Edge TPU custom operator hold; ETB302 where they are damaged."""
    package, executables = _open(memoryview(custom_options))
    return Package(
        min_runtime_version=package.get("min_runtime_version", 0),
        executables=tuple(_executable(Decoder(SCHEMA, raw, _WHAT).root("Executable")) for raw in executables),
        compiler_version=_text(package.get("compiler_version")),
        model_identifier=_text(package.get("model_identifier")),
    )


def mask_token(data: bytes) -> bytes:
    """A compiled file with every caching token zeroed: two compiles of one model differ in nothing else.

    A model without an Edge TPU operator comes back as it is; ETB302 where the file is damaged.
    """
    out = bytearray(data)
    for options in _compiled_operators(memoryview(out)):
        for raw in _open(options)[1]:
            place = Decoder(SCHEMA, raw, _WHAT).place("Executable", "parameter_caching_token")
            if place is not None:
                struct.pack_into("<Q", raw, place, 0)
    return bytes(out)


_WHAT = "the Edge TPU package"


def _compiled_operators(data: memoryview) -> Iterator[memoryview]:
    """The custom options of every Edge TPU operator in a file, as views into it."""
    model = Decoder(MODEL_SCHEMA, data, "the model").root("Model")
    names = [name.encode() for name in CUSTOM_OPERATORS]
    numbers = {i for i, code in enumerate(model.get("operator_codes", ())) if code.get("custom_code", b"") in names}
    for subgraph in model.get("subgraphs", ()):
        for operator in subgraph.get("operators", ()):
            if operator.get("opcode_index", 0) in numbers and "custom_options" in operator:
                yield operator["custom_options"]


def _open(custom_options: memoryview) -> tuple[Table, list[memoryview]]:
    """The package's table and its serialized executables."""
    raw = package_bytes(custom_options)
    package = Decoder(SCHEMA, raw, _WHAT).root("Package")
    multi = package.get("serialized_multi_executable")
    if not multi:
        raise _damaged("it holds no executables")
    executables: list[memoryview] = (
        Decoder(SCHEMA, multi, _WHAT).root("MultiExecutable").get("serialized_executables", [])
    )
    return package, executables


def package_bytes(custom_options: memoryview) -> memoryview:
    """The package in an operator's custom options, not looked into; ETB302 where there is none."""
    if custom_options[4:8] == IDENTIFIER:
        return custom_options
    try:
        package = flexbuffer.read_map(custom_options).get("4")
    except ValueError as problem:
        raise _damaged(str(problem)) from problem
    if not isinstance(package, memoryview) or package[4:8] != IDENTIFIER:
        raise _damaged(f"its custom options hold no package (identifier {IDENTIFIER!r})")
    return package


def _damaged(why: str) -> EdgeTpuBuildError:
    return error("ETB302", f"{_WHAT} is damaged: {why}")


def _flatbuffer(name: str, table: Table) -> Pieces:
    return Encoder(SCHEMA, IDENTIFIER if name == "Package" else b"").pieces(name, table)


def _executable(table: Table) -> Executable:
    number = table.get("type", 0)
    types = get_args(ExecutableType)
    if not 0 <= number < len(types):
        raise _damaged(f"executable of type {number}, known are 0 to {len(types) - 1}")
    return Executable(
        type=types[number],
        parameters=table.get("parameters", b""),
        token=table.get("parameter_caching_token", 0),
        inputs=tuple(map(_layer, table.get("input_layers", ()))),
        outputs=tuple(map(_layer, table.get("output_layers", ()))),
        instructions=tuple(chunk.get("bitstream", b"") for chunk in table.get("instruction_bitstreams", ())),
        name=_text(table.get("name")),
        batch_size=table.get("batch_size", 0),
        scratch_size=table.get("scratch_size_bytes", 0),
        narrow_memory=table.get("used_narrow_memory_bytes_per_tile", 0),
        estimated_cycles=table.get("estimated_cycles_64bit", 0) or table.get("estimated_cycles", 0),
        chip=_text(table.get("chip")),
    )


def _executable_table(executable: Executable) -> Table:
    return {
        "name": executable.name.encode(),
        "batch_size": executable.batch_size,
        "scratch_size_bytes": executable.scratch_size,
        "instruction_bitstreams": [{"bitstream": chunk} for chunk in executable.instructions],
        "parameters": executable.parameters,
        "input_layers": [_layer_table(layer, 2, {}) for layer in executable.inputs],
        "output_layers": [_layer_table(layer, 1, _output(layer)) for layer in executable.outputs],
        "chip": executable.chip.encode(),
        "used_narrow_memory_bytes_per_tile": executable.narrow_memory,
        "type": get_args(ExecutableType).index(executable.type),
        "parameter_caching_token": executable.token,
        "estimated_cycles_64bit": executable.estimated_cycles,
    }


def _layer(table: Table) -> Layer:
    numerics = table.get("numerics", {})
    number, names = table.get("data_type", 0), SCHEMA.values("DataType")
    return Layer(
        name=_text(table.get("name")),
        shape=_shape(table),
        size=table.get("size_bytes", 0),
        data_type=names[number] if 0 <= number < len(names) else f"TYPE_{number}",
        zero_point=numerics.get("zero_point", 0),
        scale=numerics.get("dequantization_factor", 0.0),
        executions=table.get("execution_count_per_inference", 1),
    )


def _shape(table: Table) -> tuple[int, ...]:
    """From inclusive ranges (start, end) a dimension where they are given, else from y, x and z."""
    ranges = table.get("shape", {}).get("dimension")
    if ranges is None:
        return (1, *(table.get(name, 0) for name in ("y_dim", "x_dim", "z_dim")))
    return tuple(end - start + 1 for start, end in struct.iter_unpack("<ii", ranges))


def _layer_table(layer: Layer, tag: int, specific: Table) -> Table:
    y, x, z = dimensions(layer.shape)
    return {
        "name": layer.name.encode(),
        "size_bytes": layer.size,
        "y_dim": y,
        "x_dim": x,
        "z_dim": z,
        "numerics": {"zero_point": layer.zero_point, "dequantization_factor": layer.scale},
        "data_type": SCHEMA.values("DataType").index(layer.data_type),
        "any_layer_type": tag,
        "any_layer": specific,
        "execution_count_per_inference": layer.executions,
        "shape": {"dimension": b"".join(struct.pack("<ii", 0, size - 1) for size in layer.shape)},
    }


def _output(layer: Layer) -> Table:
    return {"data_type": SCHEMA.values("DataType").index(layer.data_type)}


def dimensions(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Height, width and depth of a shape: of four dimensions the first is the batch; a missing one counts 1."""
    _, *high, x, z = (1,) * (4 - len(shape)) + shape
    return math.prod(high), x, z


def _text(raw: memoryview | None) -> str:
    return "" if raw is None else str(raw, "utf-8", "backslashreplace")

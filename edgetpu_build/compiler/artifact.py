"""Simulator artifacts: a model whose delegated operators became ``edgetpu-sim-custom-op``, and the way back.

The package is Google's public one (see ``package``), with the token and the parameter bytes where silicon's would be.
In place of silicon's instructions stands the program of the simulated device, a flatbuffer with identifier ``ESP1``:

    table Program {                     // version 1
      version:uint;
      model:[ubyte];                    // the delegated operators as a .tflite; absent where parameters are only loaded
      relocations:[Relocation];         // by place in the blobs
      address:uint;                     // where loaded parameters go in the on-chip memory, if they are only loaded
    }
    table Relocation {
      tensor:uint;                      // of the model: a constant that has no bytes there
      blob:ubyte;                       // 0: cached (PARAMETER_CACHING executable), 1: streamed (the program's own)
      offset:uint; size:uint;           // bytes in that executable's parameters
      layout:string;                    // how they are arranged; empty: as in a .tflite
    }

So the device has nothing to compute with but its parameter memory, the program, and small constants (shapes, axes) that
the real chip has in its instructions, too. Tensors enter and leave in the order of the model's inputs and outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from edgetpu_build.compiler import package
from edgetpu_build.errors import error
from edgetpu_build.tflite import surgery
from edgetpu_build.tflite.flatbuffer import Decoder, Schema, Table
from edgetpu_build.tflite.model import Model, Tensor
from edgetpu_build.tflite.reader import read
from edgetpu_build.tflite.schema import ELEMENT_BITS
from edgetpu_build.tflite.soundness import LARGEST
from edgetpu_build.tflite.writer import Bytes, Encoder

CUSTOM_OPERATOR = "edgetpu-sim-custom-op"
COMPILER = "edgetpu-build, for the simulated device"
IDENTIFIER = b"ESP1"
VERSION = 1

_SCHEMA = Schema(
    {
        "Program": "version:u32 model:[u8]^16 relocations:[Relocation] address:u32",
        "Relocation": "tensor:u32 blob:u8 offset:u32 size:u32 layout:string",
    },
    enums={},
    unions={},
)
_BLOBS: tuple[Literal["cached", "streamed"], ...] = ("cached", "streamed")

# The chip counts in unsigned numbers: host types, their names there, and where their zero lies.
_DATA_TYPES = {
    "UINT8": ("FIXED_POINT8", 0),
    "INT8": ("SIGNED_FIXED_POINT8", 1 << 7),
    "INT16": ("SIGNED_FIXED_POINT16", 1 << 15),
    "INT32": ("SIGNED_FIXED_POINT32", 0),
    "BFLOAT16": ("BFLOAT", 0),
    "FLOAT16": ("HALF", 0),
    "FLOAT32": ("SINGLE", 0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Relocation:
    """Where a constant lies: ``tensor`` (index in the subgraph) in ``size`` bytes at ``offset`` of a blob.

    ``layout`` says how the bytes are arranged there, in the words of whoever laid them out; "" means as in the model.
    Several tensors may share one place.
    """

    tensor: int
    blob: Literal["cached", "streamed"]
    offset: int
    size: int
    layout: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Operators of the first subgraph that the simulated device runs, and their parameter memory.

    ``narrow_memory`` is bytes a tile, ``scratch_size`` bytes. ``address``: where ``cached`` goes in the on-chip memory.
    """

    operators: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    cached: bytes = field(default=b"", repr=False)
    streamed: bytes = field(default=b"", repr=False)
    relocations: tuple[Relocation, ...] = ()
    address: int = 0
    scratch_size: int = 0
    narrow_memory: int = 0
    estimated_cycles: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What the simulated device runs: a model without its constants, and where these lie (tensor: index in it)."""

    model: Model
    relocations: tuple[Relocation, ...]


def build(model: Model, parts: Sequence[Part], *, token: int, runtime_version: int) -> bytes:
    """The artifact: the model with each part replaced by one Edge TPU operator. Equal inputs give equal bytes.

    ``token`` is below 2**64 and, as the driver asks, not 0. Raises what ``surgery.delegate`` does, and ETB701 for a
    boundary tensor of a type that the chip does not have.
    """
    return surgery.delegate(
        model,
        [
            surgery.Part(
                operators=part.operators,
                inputs=part.inputs,
                outputs=part.outputs,
                custom_code=CUSTOM_OPERATOR,
                custom_options=package.pieces(_package(model, part, token, runtime_version)),
            )
            for part in parts
        ],
    )


def program(instructions: Bytes) -> Program:
    """The program in an executable's instructions; ETB302 where it is damaged, ETB316 where it is of a newer format."""
    table = _opened(instructions)
    if "model" not in table:
        raise error("ETB302", "the executable only loads parameters, it holds no program to run")
    model = read(table["model"], label="the simulated device's program")
    relocations = tuple(_relocation(entry, len(model.main.tensors)) for entry in table.get("relocations", ()))
    return Program(model=model, relocations=relocations)


def address(instructions: Bytes) -> int:
    """Where in the on-chip memory a PARAMETER_CACHING executable writes its parameters. As ``program`` raises."""
    place: int = _opened(instructions).get("address", 0)
    return place


def _opened(instructions: Bytes) -> Table:
    decoder = Decoder(_SCHEMA, memoryview(instructions).toreadonly(), "the simulated device's program")
    if decoder.data[4:8] != IDENTIFIER:
        raise error("ETB302", "an executable holds no program of the simulated device", "was it compiled for silicon?")
    table = decoder.root("Program")
    if table.get("version", 0) != VERSION:
        raise error("ETB316", f"the artifact's program has format {table.get('version', 0)}, known is {VERSION}")
    return table


def _relocation(table: Table, tensors: int) -> Relocation:
    tensor, blob = table.get("tensor", 0), table.get("blob", 0)
    if tensor >= tensors or blob >= len(_BLOBS):
        raise error(
            "ETB302", f"the artifact's program is damaged: it places tensor {tensor} of {tensors} in blob {blob}"
        )
    return Relocation(
        tensor=tensor,
        blob=_BLOBS[blob],
        offset=table.get("offset", 0),
        size=table.get("size", 0),
        layout=str(table.get("layout", b""), "utf-8", "backslashreplace"),
    )


def _package(model: Model, part: Part, token: int, runtime_version: int) -> package.Package:
    tensors = model.main.tensors
    main = package.Executable(
        type="EXECUTION_ONLY" if part.cached else "STAND_ALONE",
        name="model",
        parameters=part.streamed,
        token=token,
        inputs=tuple(_layer(tensors[index], 1) for index in part.inputs),
        outputs=tuple(_layer(tensors[index], 4) for index in part.outputs),
        instructions=(_instructions(model, part),),
        scratch_size=part.scratch_size,
        narrow_memory=part.narrow_memory,
        estimated_cycles=part.estimated_cycles,
    )
    executables = [main]
    if part.cached:
        loader = _encoded({"version": VERSION, "address": part.address})
        caching = package.Executable(
            type="PARAMETER_CACHING", name="parameters", parameters=part.cached, token=token, instructions=(loader,)
        )
        executables.append(caching)
    return package.Package(
        min_runtime_version=runtime_version, executables=tuple(executables), compiler_version=COMPILER
    )


def _instructions(model: Model, part: Part) -> bytes:
    relocated = [place.tensor for place in part.relocations]
    code, places = surgery.program(model, part.operators, part.inputs, part.outputs, relocated)
    order = sorted(part.relocations, key=lambda place: (place.blob, place.offset, place.tensor))
    relocations = [
        {
            "tensor": places[place.tensor],
            "blob": _BLOBS.index(place.blob),
            "offset": place.offset,
            "size": place.size,
            "layout": place.layout.encode(),
        }
        for place in order
    ]
    return _encoded({"version": VERSION, "model": code, "relocations": relocations})


def _encoded(table: Table) -> bytes:
    return Encoder(_SCHEMA, IDENTIFIER).finish("Program", table)


def _layer(tensor: Tensor, depth_alignment: int) -> package.Layer:
    """Outputs are padded to 4 elements of depth, everything to 8 bytes: so all layers of public compiles."""
    if tensor.type not in _DATA_TYPES:
        raise error("ETB701", f"tensor `{tensor.name}` of type {tensor.type} at the boundary of an Edge TPU operator")
    data_type, middle = _DATA_TYPES[tensor.type]
    y, x, z = package.dimensions(tensor.shape)
    padded = y * x * -(-z // depth_alignment) * depth_alignment * ELEMENT_BITS[tensor.type] // 8
    if padded > LARGEST - 8:
        raise error("ETB302", f"tensor `{tensor.name}` takes {padded} bytes on the chip, more than 2 GiB")
    quantization = tensor.quantization
    return package.Layer(
        name=tensor.name,
        shape=tensor.shape,
        size=-(-padded // 8) * 8,
        data_type=data_type,
        zero_point=middle + (quantization.zero_point[0] if quantization else 0),
        scale=quantization.scale[0] if quantization else 0.0,
    )

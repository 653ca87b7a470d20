"""Where the numbers of a model stand in a compiled file, besides parameters and instructions: all may be written in
place, since none has another size with other numbers.

The file is checked as a whole by ``tflite.reader`` and ``compiler.package`` before it comes here; this module only
finds the places of scalars, which these hand out as values.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from edgetpu_build.compiler.package import SCHEMA, package_bytes
from edgetpu_build.tflite.flatbuffer import Schema
from edgetpu_build.tflite.model import Model
from edgetpu_build.tflite.reader import SCHEMA as MODEL_SCHEMA

SILICON = "edgetpu-custom-op"


class Table:
    """A flatbuffer's table: where its fields are."""

    def __init__(self, data: memoryview, at: int, schema: Schema, name: str) -> None:
        self.data, self.at = data, at
        self._schema, self._name = schema, name

    @classmethod
    def root(cls, data: memoryview, schema: Schema, name: str) -> Table:
        return cls(data, struct.unpack_from("<I", data)[0], schema, name)

    def place(self, field: str) -> int:
        """The byte of a field; 0 if it is absent."""
        slot = next(f.slot for f in self._schema.fields(self._name) if f.name == field)
        vtable = self.at - struct.unpack_from("<i", self.data, self.at)[0]
        if struct.unpack_from("<H", self.data, vtable)[0] < 6 + 2 * slot:
            return 0
        offset = struct.unpack_from("<H", self.data, vtable + 4 + 2 * slot)[0]
        return self.at + offset if offset else 0

    def vector(self, field: str, item: int) -> memoryview | None:
        """The bytes of a vector of elements of ``item`` bytes."""
        start = self._follow(self.place(field))
        if not start:
            return None
        count = struct.unpack_from("<I", self.data, start)[0]
        return self.data[start + 4 : start + 4 + count * item]

    def table(self, field: str, kind: str = "") -> Table | None:
        """A table referred to; ``kind`` where the field is a union."""
        at = self._follow(self.place(field))
        return Table(self.data, at, self._schema, kind or self._kind(field)) if at else None

    def tables(self, field: str) -> Iterator[Table]:
        start = self._follow(self.place(field))
        count = struct.unpack_from("<I", self.data, start)[0] if start else 0
        for place in range(start + 4, start + 4 + 4 * count, 4):
            yield Table(self.data, self._follow(place), self._schema, self._kind(field))

    def strings(self, field: str) -> Iterator[memoryview]:
        start = self._follow(self.place(field))
        count = struct.unpack_from("<I", self.data, start)[0] if start else 0
        for place in range(start + 4, start + 4 + 4 * count, 4):
            at = self._follow(place)
            yield self.data[at + 4 : at + 4 + struct.unpack_from("<I", self.data, at)[0]]

    def _kind(self, field: str) -> str:
        found = next(f for f in self._schema.fields(self._name) if f.name == field)
        return found.element or found.kind

    def _follow(self, place: int) -> int:
        return place + int(struct.unpack_from("<I", self.data, place)[0]) if place else 0


@dataclass(frozen=True, slots=True)
class Program:
    """An executable: its parameters and bitstreams, and the table that its other numbers hang from."""

    type: int
    parameters: memoryview
    bitstreams: tuple[memoryview, ...]
    table: Table

    def set_token(self, token: int) -> None:
        if place := self.table.place("parameter_caching_token"):
            struct.pack_into("<Q", self.table.data, place, token)

    @property
    def token(self) -> int:
        place = self.table.place("parameter_caching_token")
        return int(struct.unpack_from("<Q", self.table.data, place)[0]) if place else 0

    def numerics(self) -> Iterator[tuple[str, Table]]:
        """(name, numerics) of every input and output that has some."""
        for field in ("input_layers", "output_layers"):
            for layer in self.table.tables(field):
                numerics = layer.table("numerics")
                if numerics is not None:
                    yield str(layer.vector("name", 1) or b"", "utf-8", "backslashreplace"), numerics

    def names(self) -> Iterator[memoryview]:
        """The places of all names of inputs and outputs: of layers, and of what refers to them."""
        for field in ("input_layers", "output_layers"):
            for layer in self.table.tables(field):
                yield layer.vector("name", 1) or memoryview(b"")
        for chunk in self.table.tables("instruction_bitstreams"):
            for offset in chunk.tables("field_offsets"):
                yield from _name_of(offset)
        hints = self.table.table("dma_hints")
        for hint in hints.tables("hints") if hints else ():
            if place := hint.place("any_hint_type"):
                kind = SCHEMA.members("AnyHint")[self.table.data[place]]
                if kind == "DmaDescriptorHint" and (about := hint.table("any_hint", kind)):
                    yield from _name_of(about)


def _name_of(holder: Table) -> Iterator[memoryview]:
    meta = holder.table("meta")
    name = meta.vector("name", 1) if meta else None
    if name is not None:
        yield name


def programs(data: memoryview, model: Model) -> list[Program]:
    """The executables of every Edge TPU operator in a file that was read as ``model``, as views into ``data``."""
    found: list[Program] = []
    start = Table.root(data, MODEL_SCHEMA, "Model")
    main = next(start.tables("subgraphs"))
    for operator, table in zip(model.main.operators, main.tables("operators"), strict=True):
        options = table.vector("custom_options", 1)
        if operator.custom_code == SILICON and options is not None:
            package = Table.root(package_bytes(options), SCHEMA, "Package")
            multi = package.vector("serialized_multi_executable", 1) or memoryview(b"")
            found += map(_program, Table.root(multi, SCHEMA, "MultiExecutable").strings("serialized_executables"))
    return found


def tensors(data: memoryview) -> Iterator[Table]:
    """The tables of the main subgraph's tensors."""
    main = next(Table.root(data, MODEL_SCHEMA, "Model").tables("subgraphs"))
    yield from main.tables("tensors")


def buffers(data: memoryview) -> list[memoryview]:
    """The model's constants."""
    return [t.vector("data", 1) or memoryview(b"") for t in Table.root(data, MODEL_SCHEMA, "Model").tables("buffers")]


def _program(raw: memoryview) -> Program:
    table = Table.root(raw, SCHEMA, "Executable")
    place = table.place("type")
    return Program(
        type=struct.unpack_from("<h", raw, place)[0] if place else 0,
        parameters=table.vector("parameters", 1) or memoryview(b""),
        bitstreams=tuple(t.vector("bitstream", 1) or memoryview(b"") for t in table.tables("instruction_bitstreams")),
        table=table,
    )

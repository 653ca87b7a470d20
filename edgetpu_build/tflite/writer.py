"""Dicts back to a flatbuffer: the inverse of ``flatbuffer.Decoder``, by the same schema, the same bytes every time.

Written front to back: a table stands before what it refers to, tables of one layout share a vtable, vectors whose
alignment the schema forces (constants: 16 bytes) come last. These may be given in pieces and are left in pieces: files
within files (a model in a program in a package in a model) are copied once, when the outermost is joined.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any

from edgetpu_build.errors import error
from edgetpu_build.tflite.flatbuffer import NUMBERS, Field, Schema, Table

Bytes = bytes | bytearray | memoryview
Pieces = list[Bytes]

_U32 = struct.Struct("<I")
_LIMIT = (1 << 31) - 1  # offsets of flatbuffers are read as signed by some
_ZEROS = bytes(64)


class Layout:
    """A table's layout for one set of fields: made once, used for every table that has just these."""

    __slots__ = ("alignment", "names", "pack", "references", "size", "vtable")

    def __init__(self, fields: tuple[Field, ...], present: frozenset[str], follow: Callable[[Field], Any]) -> None:
        used = sorted((f for f in fields if f.name in present), key=lambda f: (-struct.calcsize("<" + f.code), f.slot))
        code, position, offsets = "<i", 4, [0] * len(fields)
        self.alignment = 4
        for field in used:
            size = struct.calcsize("<" + field.code)
            self.alignment = max(self.alignment, size)
            gap = -position % size
            code += f"{gap}x{field.code}"
            offsets[field.slot] = position + gap
            position += gap + size
        self.size = position
        self.pack = struct.Struct(code).pack
        self.names = tuple(f.name for f in used)
        self.references = tuple(
            (i + 1, offsets[f.slot], follow(f), f) for i, f in enumerate(used) if f.kind not in NUMBERS
        )
        slots = max((f.slot for f in used), default=-1) + 1
        self.vtable = struct.pack(f"<HH{slots}H", 4 + 2 * slots, position, *offsets[:slots])


class Encoder:
    """Owns the bytes that are being written."""

    def __init__(self, schema: Schema, identifier: bytes) -> None:
        self.schema = schema
        self.out = bytearray(4) + identifier
        self._layouts: dict[tuple[str, tuple[str, ...]], Layout] = {}
        self._vtables: dict[bytes, int] = {}
        self._blobs: dict[int, tuple[Bytes | Pieces, Field, list[int]]] = {}

    def finish(self, table: str, root: Table) -> bytes:
        """The whole file; its length is a multiple of 16."""
        return b"".join(self.pieces(table, root))

    def pieces(self, table: str, root: Table) -> Pieces:
        """The whole file, where the large vectors are still the very objects that were given."""
        _U32.pack_into(self.out, 0, self._table(root, table))
        made: Pieces = [self.out]
        position = len(self.out)
        for data, field, places in self._blobs.values():
            parts = data if isinstance(data, list) else [data]
            size = sum(map(len, parts))
            gap = -(position + 4) % field.alignment
            for place in places:
                _U32.pack_into(self.out, place, position + gap - place)
            made += [_ZEROS[:gap], _U32.pack(size), *parts, b"\0" if field.element == "string" else b""]
            position += gap + 4 + size + (field.element == "string")
        made.append(_ZEROS[: -position % 16])
        if position > _LIMIT:
            raise error("ETB302", f"{position} bytes are too many for one TensorFlow Lite file (2 GiB)")
        return made

    def _align(self, alignment: int, ahead: int = 0) -> None:
        """Pads so that the position ``ahead`` bytes from here is a multiple of ``alignment``."""
        self.out += _ZEROS[: -(len(self.out) + ahead) % alignment]

    def _table(self, table: Table, name: str) -> int:
        key = (name, tuple(table))
        layout = self._layouts.get(key)
        if layout is None:
            layout = self._layouts[key] = Layout(self.schema.fields(name), frozenset(table), self._follow)
        vtable = self._vtable(layout.vtable)
        self._align(layout.alignment)
        out = self.out
        at = len(out)
        values: list[Any] = [at - vtable, *[table[field] for field in layout.names]]
        references = layout.references
        for index, *_ in references:
            values[index] = 0
        out += layout.pack(*values)
        for _, offset, follow, field in references:
            if follow is None:
                self._later(table[field.name], field, at + offset)
            else:
                position = follow(table[field.name], field, table)
                _U32.pack_into(out, at + offset, position - at - offset)
        return at

    def _later(self, data: Bytes | Pieces, field: Field, place: int) -> None:
        """A large vector stands behind all tables, once, however many of them refer to the same object."""
        self._blobs.setdefault(id(data), (data, field, []))[2].append(place)

    def _vtable(self, vtable: bytes) -> int:
        known = self._vtables.get(vtable)
        if known is None:
            self._align(2)
            known = self._vtables[vtable] = len(self.out)
            self.out += vtable
        return known

    def _follow(self, field: Field) -> Callable[[Any, Field, Table], int] | None:
        if field.kind == "string":
            return self._string
        if field.kind[0] == "|":
            return self._union
        if field.kind[0] != "[":
            return lambda value, f, _table: self._table(value, f.kind)
        if field.element == "string":
            return self._strings
        if field.forced:
            return None
        return self._vector if field.item else self._tables

    def _vector(self, data: Bytes, field: Field, _table: Table) -> int:
        self._align(field.alignment, ahead=4)
        out = self.out
        at = len(out)
        out += _U32.pack(len(data) // field.item)
        out += data
        return at

    def _string(self, text: Bytes, _field: Field, _table: Table) -> int:
        self._align(4)
        at = len(self.out)
        self.out += _U32.pack(len(text))
        self.out += text
        self.out += b"\0"
        return at

    def _places(self, count: int) -> tuple[int, Iterable[int]]:
        """Room for a vector of ``count`` offsets: its position, and those of the offsets."""
        self._align(4)
        at = len(self.out)
        self.out += _U32.pack(count)
        self.out += bytes(4 * count)
        return at, range(at + 4, at + 4 + 4 * count, 4)

    def _tables(self, tables: list[Table], field: Field, _table: Table) -> int:
        at, places = self._places(len(tables))
        for place, table in zip(places, tables, strict=True):
            _U32.pack_into(self.out, place, self._table(table, field.element) - place)
        return at

    def _strings(self, texts: list[Bytes | Pieces], field: Field, _table: Table) -> int:
        """Strings are texts in a table, files in a file in a vector: so the latter stand with the large vectors."""
        at, places = self._places(len(texts))
        for place, text in zip(places, texts, strict=True):
            self._later(text, field, place)
        return at

    def _union(self, value: Table, field: Field, table: Table) -> int:
        return self._table(value, self.schema.members(field.element)[table[field.name + "_type"]])

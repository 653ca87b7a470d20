"""Flatbuffers by schema: a table becomes a dict of the fields that are present, and nothing is trusted on the way.

A schema is data (see ``schema``). In the dicts numbers are ints and floats, strings and vectors of numbers are views
into the file (little endian), tables are dicts, vectors of tables are lists of dicts; the tag of a union stands in its
own field. Every offset is checked; shared or overlapping tables cannot make the work more than a small multiple of the
file's size; tables nest as deep as the schema does, no deeper. ``writer`` is the way back.
"""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edgetpu_build.errors import EdgeTpuBuildError, error

Table = dict[str, Any]

NUMBERS = {
    "i8": "b",
    "u8": "B",
    "bool": "B",
    "i16": "h",
    "u16": "H",
    "i32": "i",
    "u32": "I",
    "i64": "q",
    "u64": "Q",
    "f32": "f",
    "f64": "d",
}
_U32 = struct.Struct("<I").unpack_from
_I32 = struct.Struct("<i").unpack_from
_U16X2 = struct.Struct("<HH").unpack_from
_TABLE_COST = 16  # bytes of work that a visited table counts for; a real one takes 8 and more
_WORK_FACTOR = 4  # a file may share and nest, so that tables are visited again: so many times its size,
_WORK_LIMIT = 1 << 24  # and never more than this (a million tables); vectors may always be visited once
_MOST_SLOTS = 256  # no schema has tables of so many fields


@dataclass(frozen=True, slots=True)
class Field:
    """``code``: struct's letter of a number, "I" (an offset) for the rest.

    ``element``: what a vector holds; ``item``: its bytes, 0 if not of fixed size. ``forced``: aligned by the schema.
    """

    name: str
    slot: int
    kind: str
    code: str
    element: str = ""
    enum: str = ""
    default: float = 0
    item: int = 0
    alignment: int = 4
    forced: bool = False


class Schema:
    """Tables, enums and unions, parsed from their text form when first asked for."""

    def __init__(self, tables: Mapping[str, str], enums: Mapping[str, str], unions: Mapping[str, str]) -> None:
        self._tables, self._enums, self._unions = tables, enums, unions
        self._fields: dict[str, tuple[Field, ...]] = {}
        self._words: dict[str, tuple[str, ...]] = {}

    def fields(self, table: str) -> tuple[Field, ...]:
        """The table's fields in slot order."""
        known = self._fields.get(table)
        if known is None:
            words = self._tables[table].split()
            known = self._fields[table] = tuple(_field(slot, word) for slot, word in enumerate(words))
        return known

    def values(self, enum: str) -> tuple[str, ...]:
        """The names of an enum's values, by number."""
        known = self._words.get(enum)
        if known is None:
            known = self._words[enum] = tuple(self._enums[enum].split())
        return known

    def members(self, union: str) -> tuple[str, ...]:
        """The tables of a union, by tag; tag 0 is "NONE"."""
        known = self._words.get(union)
        if known is None:
            known = self._words[union] = tuple(self._unions[union].split())
        return known


def _field(slot: int, word: str) -> Field:
    word, _, alignment = word.partition("^")
    word, _, default = word.partition("=")
    name, _, kind = word.partition(":")
    kind, _, enum = kind.partition(":")
    code = NUMBERS.get(kind, "I")
    element = kind.strip("[]|") if kind[0] in "[|" else ""
    number = (float if code in "fd" else int)(default or 0)
    item = _item_size(element)
    return Field(
        name, slot, kind, code, element, enum, number, item, max(int(alignment or 4), min(item, 8)), bool(alignment)
    )


def _item_size(element: str) -> int:
    """``struct8`` is a struct of 8 bytes."""
    if element in NUMBERS:
        return struct.calcsize("<" + NUMBERS[element])
    return int(element.removeprefix("struct")) if element.startswith("struct") else 0


# What a vtable means for a table: how to unpack it, and its references (name, offset, how to follow, field, place).
_Follow = Callable[[int, Field, str, Table], Any]
_Plan = tuple[Callable[..., tuple[Any, ...]], tuple[str, ...], tuple[tuple[str, int, _Follow, Field, str], ...], int]


class Decoder:
    """Owns one walk through a file: its bounds, its budget, and what it met. ``what`` names the file in errors.

    After a walk ``end`` is where the last thing reached ends, ``blobs`` the vectors of forced alignment by (start, end)
    (each one view however often it is referred to), and ``unknown`` the fields ("Tensor slot 12") that hold something
    which the schema does not know: they cannot be carried over into another file.
    """

    def __init__(self, schema: Schema, data: memoryview, what: str) -> None:
        self.schema, self.data, self.what = schema, data, what
        self.size = len(data)
        self.end = 0
        self.unknown: set[str] = set()
        self.blobs: dict[tuple[int, int], memoryview] = {}
        self._work = min(_WORK_FACTOR * self.size + 4096, _WORK_LIMIT) + self.size
        self._plans: dict[tuple[str, int], _Plan] = {}

    def root(self, table: str) -> Table:
        """The table that the file begins with."""
        if self.size < 8:
            raise self.damaged(table, "", 0, f"only {self.size} bytes")
        return self.table(_U32(self.data, 0)[0], table)

    def place(self, table: str, field: str) -> int | None:
        """The byte at which the root table, of this name, holds a field; None if it is absent."""
        self.root(table)
        at = _U32(self.data, 0)[0]
        vtable = at - _I32(self.data, at)[0]
        slot = next(f.slot for f in self.schema.fields(table) if f.name == field)
        if _U16X2(self.data, vtable)[0] < 6 + 2 * slot:
            return None
        offset: int = struct.unpack_from("<H", self.data, vtable + 4 + 2 * slot)[0]
        return at + offset if offset else None

    def damaged(self, table: str, field: str, at: int, why: str) -> EdgeTpuBuildError:
        """The error for a place in the file."""
        where = f"`{table}.{field}`" if field else f"table `{table}`"
        return error("ETB302", f"{self.what} is damaged: {where} at byte {at}: {why}")

    def table(self, at: int, name: str) -> Table:
        """The table ``name`` at byte ``at``."""
        self._work -= _TABLE_COST
        if at + 4 > self.size or self._work < 0:
            raise self.damaged(name, "", at, self._why(at))
        vtable = at - _I32(self.data, at)[0]
        plan = self._plans.get((name, vtable)) or self._plan(name, at, vtable)
        unpack, names, references, size = plan
        end = at + size
        if end > self.size:
            raise self.damaged(name, "", at, f"ends at {end}, behind the end of the file ({self.size})")
        if end > self.end:  # noqa: PLR1730 (max() costs twice as much here, and this is the hot path)
            self.end = end
        table = dict(zip(names, unpack(self.data, at), strict=True))
        for key, offset, follow, field, where in references:
            table[key] = follow(at + offset + table[key], field, where, table)
        return table

    def _why(self, at: int) -> str:
        if self._work < 0:
            return "tables and vectors overlap so much that reading them all would not end"
        return f"outside the file ({self.size} bytes)"

    def _plan(self, name: str, at: int, vtable: int) -> _Plan:
        if vtable < 0 or vtable + 4 > self.size:
            raise self.damaged(name, "", at, f"its vtable would be at {vtable}, outside the file")
        length, size = _U16X2(self.data, vtable)
        if length < 4 or length % 2 or length > 2 * _MOST_SLOTS or vtable + length > self.size or size < 4:
            raise self.damaged(name, "", at, f"its vtable at {vtable} has {length} bytes, the table {size}")
        self.end = max(self.end, vtable + length)
        offsets = struct.unpack_from(f"<{length // 2 - 2}H", self.data, vtable + 4)
        fields = self.schema.fields(name)
        self.unknown |= {f"{name} slot {slot}" for slot in range(len(fields), len(offsets)) if offsets[slot]}
        present = sorted((offset, slot) for slot, offset in enumerate(offsets[: len(fields)]) if offset)
        return self._plans.setdefault(
            (name, vtable), self._layout(name, at, size, [(o, fields[slot]) for o, slot in present])
        )

    def _layout(self, name: str, at: int, size: int, present: list[tuple[int, Field]]) -> _Plan:
        code, position = "<4x", 4
        references = []
        for offset, field in present:
            if offset < position:
                raise self.damaged(name, field.name, at, f"overlaps another field at offset {offset}")
            code += f"{offset - position}x{field.code}"
            position = offset + struct.calcsize("<" + field.code)
            if field.kind not in NUMBERS:
                references.append((field.name, offset, self._follow(field), field, f"{name}.{field.name}"))
        if position > size:
            raise self.damaged(name, "", at, f"its fields end at {position}, the table at {size}")
        names = tuple(field.name for _, field in present)
        return struct.Struct(code).unpack_from, names, tuple(references), size

    def _follow(self, field: Field) -> _Follow:
        if field.kind == "string":
            return self._string
        if field.kind[0] == "|":
            return self._union
        if field.kind[0] != "[":
            return lambda at, field, _where, _table: self.table(at, field.kind)
        if field.element == "string":
            return self._strings
        if field.forced:
            return self._blob
        return self._numbers if field.item else self._tables

    def _vector(self, at: int, item: int, where: str) -> memoryview:
        """The bytes of a vector at ``at`` of elements of ``item`` bytes."""
        start = at + 4
        if start > self.size:
            raise self.damaged(*_split(where), at, self._why(at))
        end = start + _U32(self.data, at)[0] * item
        if end > self.size:
            raise self.damaged(*_split(where), at, f"elements of {item} bytes end at {end}, behind the file's end")
        if end > self.end:  # noqa: PLR1730 (as above)
            self.end = end
        self._work -= end - start
        if self._work < 0:
            raise self.damaged(*_split(where), at, self._why(at))
        return self.data[start:end]

    def _numbers(self, at: int, field: Field, where: str, _table: Table) -> memoryview:
        return self._vector(at, field.item, where)

    def _blob(self, at: int, _field: Field, where: str, _table: Table) -> memoryview:
        """Constants are looked at by nobody here, so they cost no work."""
        work, self._work = self._work, self.size
        view = self._vector(at, 1, where)
        self._work = work
        return self.blobs.setdefault((at + 4, at + 4 + len(view)), view)

    def _string(self, at: int, _field: Field, where: str, _table: Table) -> memoryview:
        text = self._vector(at, 1, where)
        self.end = max(self.end, min(at + 5 + len(text), self.size))  # the NUL behind it
        return text

    def _offsets(self, at: int, where: str) -> Iterable[int]:
        """What a vector of offsets refers to."""
        raw = self._vector(at, 4, where)
        return map(operator.add, struct.unpack(f"<{len(raw) // 4}I", raw), range(at + 4, at + 4 + len(raw), 4))

    def _tables(self, at: int, field: Field, where: str, _table: Table) -> list[Table]:
        return [self.table(place, field.element) for place in self._offsets(at, where)]

    def _strings(self, at: int, field: Field, where: str, table: Table) -> list[memoryview]:
        return [self._string(place, field, where, table) for place in self._offsets(at, where)]

    def _union(self, at: int, field: Field, _where: str, table: Table) -> Table | None:
        tag = table.get(field.name + "_type", 0)
        members = self.schema.members(field.element)
        if 0 < tag < len(members):
            return self.table(at, members[tag])
        self.unknown.add(f"{field.element} {tag}")
        return None


def _split(where: str) -> tuple[str, str]:
    table, _, field = where.partition(".")
    return table, field

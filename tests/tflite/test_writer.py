"""Whatever tables are written can be read back, by us and by LiteRT; equal tables give equal bytes."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.tflite.flatbuffer import NUMBERS, Decoder, Field, Schema, Table
from edgetpu_build.tflite.reader import SCHEMA, read
from edgetpu_build.tflite.writer import Encoder
from tests.support import corpus, models

LIMITS = {"b": (-128, 127), "B": (0, 255), "h": (-(1 << 15), (1 << 15) - 1), "H": (0, (1 << 16) - 1)}
LIMITS |= {"i": (-(1 << 31), (1 << 31) - 1), "I": (0, (1 << 32) - 1)}
LIMITS |= {"q": (-(1 << 63), (1 << 63) - 1), "Q": (0, (1 << 64) - 1)}


def numbers(code: str) -> st.SearchStrategy[Any]:
    if code in "fd":
        return st.floats(allow_nan=False, width=32 if code == "f" else 64)
    return st.integers(*LIMITS[code])


@st.composite
def tables(draw: st.DrawFn, schema: Schema, name: str) -> Table:
    """A table with some of its fields, in any order."""
    table: Table = {}
    fields = draw(st.permutations(schema.fields(name)))
    for field in fields:
        if field.name.endswith("_type") and any(f.name == field.name[:-5] and f.kind[0] == "|" for f in fields):
            continue  # a union brings its tag along
        if draw(st.booleans()):
            table |= draw(values(schema, field))
    return table


@st.composite
def values(draw: st.DrawFn, schema: Schema, field: Field) -> Table:
    if field.kind in NUMBERS:
        return {field.name: draw(numbers(field.code))}
    if field.kind == "string":
        return {field.name: draw(st.binary(max_size=9))}
    if field.kind[0] == "|":
        tag = draw(st.integers(1, len(schema.members(field.element)) - 1))
        return {field.name + "_type": tag, field.name: draw(tables(schema, schema.members(field.element)[tag]))}
    if field.kind[0] != "[":
        return {field.name: draw(tables(schema, field.kind))}
    if field.element == "string":
        return {field.name: draw(st.lists(st.binary(max_size=9), max_size=3))}
    if field.item:
        return {field.name: draw(st.binary(max_size=4).map(lambda data: data * field.item))}
    return {field.name: draw(st.lists(tables(schema, field.element), max_size=2))}


def plain(value: Any) -> Any:
    """Views as bytes, so that tables compare."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return bytes(value) if isinstance(value, memoryview) else value


def written(schema: Schema, name: str, table: Table) -> bytes:
    return Encoder(schema, b"TEST").finish(name, table)


SMALL = Schema(
    {
        "Root": (
            "a:u8 b:f64=2 c:string d:[i64] e:[Leaf] f:Leaf g_type:u8 g:|Any h:[string]^16 i:[u8]^16 j:i16 k:[struct8]"
        ),
        "Leaf": "x:i8 y:u64 z:string",
        "Other": "q:f32 r:bool",
    },
    enums={},
    unions={"Any": "NONE Leaf Other"},
)


@given(tables(SMALL, "Root"))
def test_a_small_schema_goes_round(table: Table) -> None:
    decoder = Decoder(SMALL, memoryview(written(SMALL, "Root", table)), "it")
    assert plain(decoder.root("Root")) == table
    assert not decoder.unknown
    assert decoder.end <= decoder.size < decoder.end + 16


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["Operator", "Tensor", "SignatureDef", "OperatorCode", "Metadata"]).flatmap(
        lambda name: st.tuples(st.just(name), tables(SCHEMA, name))
    )
)
def test_tables_of_the_schema_go_round(case: tuple[str, Table]) -> None:
    name, table = case
    data = written(SCHEMA, name, table)
    assert plain(Decoder(SCHEMA, memoryview(data), "it").root(name)) == table
    assert written(SCHEMA, name, table) == data


@given(tables(SMALL, "Root"), st.data())
def test_damage_ends_in_an_error_or_another_table(table: Table, data: st.DataObject) -> None:
    raw = bytearray(written(SMALL, "Root", table))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(EdgeTpuBuildError):
        Decoder(SMALL, memoryview(raw), "it").root("Root")


def test_large_vectors_are_aligned_and_written_once_if_they_are_one() -> None:
    blob = b"x" * 100
    data = written(SCHEMA, "Model", {"buffers": [{}, {"data": blob}, {"data": blob}, {"data": b"y" * 33}]})
    assert data.count(blob) == 1
    assert data.index(blob) % 16 == 0
    assert data.index(b"y" * 33) % 16 == 0
    assert struct.unpack_from("<I", data, data.index(blob) - 4)[0] == 100


def test_tables_of_one_layout_share_a_vtable() -> None:
    one = written(SCHEMA, "SubGraph", {"tensors": [{"name": b"t", "buffer": 1}]})
    many = written(SCHEMA, "SubGraph", {"tensors": [{"name": b"t", "buffer": 1}] * 11})
    assert len(many) - len(one) <= 10 * (4 + 12 + 8) + 16


def test_unknown_fields_are_reported() -> None:
    newer = Schema({"Root": "a:u8 new:u32"}, {}, {})
    older = Schema({"Root": "a:u8"}, {}, {})
    decoder = Decoder(older, memoryview(written(newer, "Root", {"a": 1, "new": 7})), "it")
    assert decoder.root("Root") == {"a": 1}
    assert decoder.unknown == {"Root slot 1"}


@pytest.mark.parametrize(
    "data",
    [models.branching_net(signatures=["a"], metadata=["m"]), models.mobilenet_like(0.1, 32)]
    + [path.read_bytes() for path in corpus.real(".tflite")[::6]],
)
def test_a_rewritten_model_is_the_same_to_litert(data: bytes) -> None:
    again = Encoder(SCHEMA, b"TFL3").finish("Model", dict(read(data).tree))
    assert same(models.unpack(again), models.unpack(data))


def same(ours: Any, theirs: Any) -> bool:
    """Two objects of LiteRT's classes hold the same."""
    if hasattr(ours, "__dict__"):
        pairs = vars(theirs)
        return type(ours) is type(theirs) and all(same(value, pairs[name]) for name, value in vars(ours).items())
    if hasattr(ours, "tobytes") and hasattr(theirs, "tobytes"):
        return bool(ours.tobytes() == theirs.tobytes())
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return bool(ours == theirs) or (ours is None and theirs is None)

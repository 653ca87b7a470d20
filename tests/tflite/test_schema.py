"""Our words and numbers are the schema's: compared with two packages that were generated from it."""

from __future__ import annotations

import ast
import inspect
import pkgutil
import re

import pytest
import tflite
from ai_edge_litert import schema_py_generated as litert

from edgetpu_build.tflite import schema
from edgetpu_build.tflite.reader import SCHEMA

FLAGS = {
    "Int8": "i8",
    "Uint8": "u8",
    "Bool": "bool",
    "Int16": "i16",
    "Uint16": "u16",
    "Int32": "i32",
    "Uint32": "u32",
    "Int64": "i64",
    "Uint64": "u64",
    "Float32": "f32",
    "Float64": "f64",
}
UNIONS = {"BuiltinOptions", "BuiltinOptions2", "QuantizationDetails", "SparseIndexVector"}


def sources(package: str) -> dict[str, str]:
    """Source of every generated table class."""
    if package == "litert":
        text = inspect.getsource(litert)
    else:
        modules = [info.name for info in pkgutil.iter_modules(tflite.__path__) if info.name != "utils"]
        text = "\n".join(inspect.getsource(getattr(tflite, name)) for name in modules if hasattr(tflite, name))
    classes = re.split(r"^class ", text, flags=re.MULTILINE)[1:]
    return {source.split("(")[0].split(":")[0]: source for source in classes if "GetRootAs" in source}


def accessors(source: str) -> dict[int, tuple[str, str]]:
    """By slot the accessor's name and body; the first one that reads the slot is the field's own."""
    found: dict[int, tuple[str, str]] = {}
    for name, body in re.findall(
        r"    def (\w+)\(self.*?\):\n(.*?)(?=\n    # |\n    def |\ndef |\Z)", source, re.DOTALL
    ):
        offset = re.search(r"self\._tab\.Offset\((\d+)\)", body)
        if offset:
            found.setdefault((int(offset[1]) - 4) // 2, (name, body))
    return found


def camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


@pytest.fixture(scope="module", params=["tflite", "litert"])
def generated(request: pytest.FixtureRequest) -> dict[str, str]:
    return sources(request.param)


def test_every_table_is_known(generated: dict[str, str]) -> None:
    assert generated.keys() <= schema.TABLES.keys()
    assert len(generated) > 150


def test_every_field_has_its_slot_name_kind_and_default(generated: dict[str, str]) -> None:
    checked = 0
    for table, source in generated.items():
        fields = SCHEMA.fields(table)
        for slot, (name, body) in accessors(source).items():
            field = fields[slot]
            assert camel(field.name) == name, f"{table} slot {slot}"
            number = re.search(r"number_types\.(\w+)Flags, [oa]", body)
            if number:
                assert FLAGS[number[1]] == (field.element or field.kind), f"{table}.{field.name}"
            default = re.findall(r"\n        return ([-\w.]+)\s*$", body)
            if number and default and "Vector" not in body:
                assert float(ast.literal_eval(default[-1])) == field.default, f"{table}.{field.name}"
            checked += 1
    assert checked > 250


def test_enums_have_the_same_names_and_numbers() -> None:
    for package in (tflite, litert):
        for enum, text in schema.ENUMS.items():
            values = {k: v for k, v in vars(getattr(package, enum)).items() if isinstance(v, int) and k.isupper()}
            ours = {name: number for number, name in enumerate(text.split())}
            assert values.items() <= ours.items(), enum
        for union in UNIONS:
            values = {k: v for k, v in vars(getattr(package, union)).items() if isinstance(v, int) and k[0] != "_"}
            assert values.items() <= {n: i for i, n in enumerate(schema.UNIONS[union].split())}.items(), union


def test_operators_have_the_same_names_and_numbers() -> None:
    for package in (tflite, litert):
        values = {k: v for k, v in vars(package.BuiltinOperator).items() if isinstance(v, int) and k.isupper()}
        assert all(schema.operator_name(number) == name for name, number in values.items())
        assert all(schema.operator_number(name) == number for name, number in values.items())
    assert schema.operator_name(4711) == "BUILTIN_4711"


def test_a_table_field_leads_to_a_table_that_is_known() -> None:
    for table in schema.TABLES:
        for field in SCHEMA.fields(table):
            if field.enum:
                assert field.enum in schema.ENUMS or field.enum == "BuiltinOperator"
            if field.kind[0] == "|":
                assert set(SCHEMA.members(field.element)[1:]) <= schema.TABLES.keys()
            elif field.code == "I" and field.kind not in {"u32", "string"} and not field.element:
                assert field.kind in schema.TABLES

"""Places of keys: against documents that tomlkit wrote, every leaf a marker that can be found again in the text."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from edgetpu_build.config.lines import KeyPath, key_lines, sections
from edgetpu_build.config.toml import loads

KEYS = st.sampled_from(
    ["a", "b-c", "d_e", "1", "with blank", "do.t", 'qu"ote', "é", "#no", "[x]", "tab\t", "back\\slash"]
)
EVIL = st.sampled_from(
    ["", " # not a comment", ' "', " '", " ]", " }", " = ", ", [", "\n", "\n\n[table]\nkey = 1", '"""', "\\"]
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A text of tables, arrays of tables, inline tables and arrays, one unique marker a leaf."""
    marks = (f"mark{number:04d}" for number in itertools.count())

    def text() -> Any:
        value = next(marks) + draw(EVIL)
        literal = draw(st.booleans()) and "'" not in value
        multiline = "\n" in value or draw(st.booleans())
        return (
            tomlkit.string(value, literal=literal, multiline=multiline)
            if literal
            else tomlkit.string(value, multiline=multiline)
        )

    def array(depth: int) -> Any:
        values = tomlkit.array().multiline(draw(st.booleans()))
        for _ in range(draw(st.integers(0, 3))):
            values.append(inline(depth - 1) if depth and draw(st.booleans()) else text())
        return values

    def inline(depth: int) -> Any:
        table = tomlkit.inline_table()
        for key in draw(st.lists(KEYS, max_size=3, unique=True)):
            table[key] = tomlkit.string(next(marks)) if not depth else inline(depth - 1)
        return table

    def fill(table: Any, depth: int) -> Any:
        for key in draw(st.lists(KEYS, max_size=4, unique=True)):
            kind = draw(st.sampled_from(["text", "array", "inline", "table", "tables"] if depth else ["text", "array"]))
            if kind == "table":
                table[key] = fill(tomlkit.table(is_super_table=False), depth - 1)
            elif kind == "tables":
                table[key] = [fill(tomlkit.table(), depth - 1) for _ in range(draw(st.integers(1, 2)))]
            else:
                table[key] = {"text": text, "array": lambda: array(1), "inline": lambda: inline(1)}[kind]()
            if draw(st.booleans()):
                table.add(tomlkit.comment("a comment = [ { ' \""))
        return table

    return tomlkit.dumps(fill(tomlkit.document(), 3))


def leaves(value: Any, path: KeyPath = ()) -> list[tuple[KeyPath, str]]:
    if isinstance(value, dict):
        return [leaf for key, held in value.items() for leaf in leaves(held, (*path, key))]
    if isinstance(value, list):
        return [leaf for index, held in enumerate(value) for leaf in leaves(held, (*path, index))]
    return [(path, value[:8])]


def tables(value: Any, path: KeyPath = ()) -> list[KeyPath]:
    held = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [inner for key, one in held for inner in [(*path, key), *tables(one, (*path, key))]]


@settings(deadline=None)
@given(text=documents(), crlf=st.booleans())
def test_every_leaf_is_found_on_the_line_that_holds_it(text: str, crlf: bool) -> None:
    document = loads(text)
    text = text.replace("\n", "\r\n") if crlf else text
    rows = text.split("\n")
    lines = key_lines(text)
    for path, mark in leaves(document):
        assert any(mark in row for row in rows[lines[path] - 1 : lines[path] + 1]), (path, lines[path])
        first = next(number for number, row in enumerate(rows, 1) if mark in row)
        assert lines[path] in (first, first - 1)  # a multi-line string may begin below its key


@settings(deadline=None)
@given(text=documents())
def test_every_table_and_array_has_a_line_and_nothing_else_has(text: str) -> None:
    document = loads(text)
    assert set(key_lines(text)) == set(tables(document))


@settings(deadline=None)
@given(text=documents())
def test_sections_end_where_their_last_statement_does(text: str) -> None:
    ends = [end for _, end in sections(text)]
    assert ends == sorted(ends)
    rest = text[ends[-1] :].split("\n")
    assert all(not row.strip() or row.strip().startswith("#") for row in rest[1:])


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("\n\na = 1", ("a",), 3),
        ("[a.b]\n[a]\nc = 1", ("a",), 2),
        ("[a.b]\n[a.c]", ("a",), 1),
        ("[a]\nb.c.d = 1", ("a", "b", "c"), 2),
        ("[ a . 'b' ]\n\"c\\u0041\" = 1", ("a", "b", "cA"), 2),
        ("a = [\n  1, # one\n\n  2,\n]", ("a", 1), 4),
        ("a = [[1,\n2], [\n3]]", ("a", 1, 0), 3),
        ("a = '''\n]'''\nb = 1", ("b",), 3),
        ('a = """x"""""\nb = 1', ("b",), 2),
        ('a = """\\\n  \\""" """\nb = 1', ("b",), 3),
        ("a = 1979-05-27 07:32:00 # then\nb = 1", ("b",), 2),
        ("[[a]]\n[[a]]\n[a.b]\nc = 1", ("a", 1, "b", "c"), 4),
        ("[[a]]\n[[a.b]]\n[[a]]\n[[a.b]]\nc = 1", ("a", 1, "b", 0, "c"), 5),
        ("a = { b = [ { c = 1 } ], d = 2 }\n", ("a", "b", 0, "c"), 1),
        ("a = 1\r\n[b]\r\nc = '''\r\n'''\r\nd = 2", ("b", "d"), 5),
        ("a = [] # x\nb = {}\nc = 1", ("c",), 3),
        ("a = 0x1F\nb = +inf\nc = true\nd = 1", ("d",), 4),
    ],
)
def test_line_of(text: str, path: KeyPath, line: int) -> None:
    loads(text)
    assert key_lines(text)[path] == line

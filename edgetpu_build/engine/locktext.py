"""The text of `edgetpu.lock` <-> nested tables. TOML, of which the writer uses little, so that reading can be quick::

    text   = { comment | key = value | [table] | [[table of a list]] } , one a line
    value  = "string" | integer | float | true | false | [value, ...]

tomllib reads whatever a person or a merge made of it; ``quick`` reads what ``dumps`` wrote, some ten times faster, and
gives up at the first line that it does not expect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

Table = dict[str, Any]
CONFLICT = ("<<<<<<< ", ">>>>>>> ", "=======")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_SPECIAL_IN_ARRAY = frozenset("\\[]{}#'")
_DEPTHS = {  # of each table that we write: how deep it lies, and whether it is one of a list
    "unit": (1, True),
    "unit.options": (2, False),
    "unit.member": (2, True),
    "unit.member.figures": (3, False),
    "unit.member.log": (3, True),
    "unit.member.output": (3, True),
    "unit.member.segment": (3, True),
    "unit.member.segment.figures": (4, False),
}
_HEADERS = {
    (f"[[{name}]]" if kept else f"[{name}]"): (name, *name.rpartition(".")[::2], depth, kept)
    for name, (depth, kept) in _DEPTHS.items()
}
_PLAIN = re.compile(r'([A-Za-z0-9_-]+) = (?:"([ !#-\[\]-~]*)"|(0|[1-9][0-9]*))').fullmatch
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?(e[+-]?[0-9]+)?").fullmatch
_NESTED = frozenset(name.rpartition(".")[2] for name in _DEPTHS)


def dumps(table: Mapping[str, Any], *, within: str = "") -> str:
    """TOML of nested tables, keys in the order given, plain values first. ``within``: what table it is, and a dot."""
    return "\n".join(_lines(table, within))


def _lines(table: Mapping[str, Any], prefix: str) -> Iterator[str]:
    nested: list[tuple[str, Any]] = []
    for key, value in table.items():
        if isinstance(value, Mapping) or (isinstance(value, list) and value and isinstance(value[0], Mapping)):
            nested.append((key, value))
        else:
            yield f"{key} = {format_value(value)}"
    for key, value in nested:
        name = f"{prefix}{key}"
        for entry in value if isinstance(value, list) else (value,):
            yield f"\n[[{name}]]" if isinstance(value, list) else f"\n[{name}]"
            yield from _lines(entry, f"{name}.")


def format_value(value: object) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(format_value, value)) + "]"
    return repr(value)


def _quoted(text: str) -> str:
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join(_ESCAPES.get(c) or (c if c.isprintable() else f"\\U{ord(c):08x}") for c in text) + '"'


def loads(text: str) -> Table:
    """The nested tables. Raises ValueError (tomllib's) for what is no TOML."""
    found = quick(text)
    return found if found is not None else slow(text)


def slow(text: str) -> Table:
    from edgetpu_build.config import toml

    return toml.loads(text)


def quick(text: str) -> Table | None:
    """What ``dumps`` wrote, as tomllib reads it; None for anything else."""
    top: Table = {}
    path: list[tuple[str, Table]] = [("", top)]  # the open table of each depth, with its name
    table = top
    seen: dict[str, tuple[str, Any]] = {}  # most lines stand there once a unit
    try:
        for line in filter(None, text.split("\n")):
            if line[0] == "[":
                table = _open(line, path)
                continue
            pair = seen.get(line)
            if pair is None:
                if line[0] == "#":
                    continue
                seen[line] = pair = _pair(line)
            key, value = pair
            if key in table:
                return None
            table[key] = value
    except (ValueError, IndexError, KeyError):
        return None
    return top


def _pair(line: str) -> tuple[str, Any]:
    if (plain := _PLAIN(line)) and plain[1] not in _NESTED:  # nearly all lines
        return plain[1], plain[2] if plain[3] is None else int(plain[3])
    key, _, value = line.partition(" = ")
    if not _is_key(key):
        raise ValueError(line)
    return key, _scalar(value) if value[0] != "[" else _array(value)


@lru_cache(maxsize=64)
def _is_key(key: str) -> bool:
    return key not in _NESTED and key.isascii() and key.replace("-", "").replace("_", "").isalnum()


def _scalar(value: str) -> str | int | float | bool:
    inner = value[1:-1]
    if (
        value[0] == '"' == value[-1]
        and len(value) > 1
        and "\\" not in value
        and '"' not in inner
        and inner.isprintable()
    ):
        return inner
    if number := _NUMBER(value):
        return float(value) if number.lastindex else int(value)
    found = slow(f"x = {value}")
    if list(found) != ["x"] or not isinstance(found["x"], str | int | float | bool):
        raise ValueError(value)
    return found["x"]


def _array(value: str) -> list[Any]:
    if value[-1] != "]" or _SPECIAL_IN_ARRAY & set(value[1:-1]) or ",," in value:
        items: list[Any] = slow(f"x = {value}")["x"]
        return items
    return [_scalar(item) for item in value[1:-1].split(", ")] if len(value) > 2 else []


def _open(line: str, path: list[tuple[str, Table]]) -> Table:
    name, owner, key, depth, kept = _HEADERS[line]
    found, parent = path[depth - 1]
    if found != owner:
        raise ValueError(line)
    table: Table = {}
    if kept:
        parent.setdefault(key, []).append(table)
    elif key in parent:
        raise ValueError(line)
    else:
        parent[key] = table
    path[depth:] = [(name, table)]
    return table

"""What a value may be: each kind is its parser, its words for messages and docs, and its JSON Schema, side by side.

A parser takes what TOML gave and returns what `config.model` holds, or raises Unfit with the code of the message.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from edgetpu_build.units import DURATIONS, SIZES, parse_duration, parse_size


class Unfit(ValueError):  # noqa: N818 - a verdict on a value, turned into a diagnostic by `load`
    """The value is not of this kind. ``hint``: the way out, where there is one to name."""

    def __init__(self, code: str = "ETB205", hint: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.hint = hint


class Kind(NamedTuple):  # a dataclass takes six times as long to define, and this is on the path of every command
    """``allowed`` completes "allowed: ..."; ``choices`` are for did-you-mean; ``item``: the kind of a list's elements.

    ``from_env`` turns an environment variable's text into what TOML would have given.
    """

    allowed: str
    parse: Callable[[Any], Any]
    schema: Mapping[str, Any]
    choices: tuple[str, ...] = ()
    item: Kind | None = None
    from_env: Callable[[str], Any] = str


def choice(*words: str) -> Kind:
    """One of a few words, kept as they are."""

    def parse(value: Any) -> str:
        if _typed(value, str) not in words:
            raise Unfit
        return str(value)

    return Kind(allowed=_or(f'`"{w}"`' for w in words), parse=parse, schema={"enum": list(words)}, choices=words)


def integer(low: int, high: int | None = None, *, auto: bool = False) -> Kind:
    """A whole number within bounds; with ``auto`` also the word "auto", which becomes 0."""

    def parse(value: Any) -> int:
        if auto and value == "auto":
            return 0
        if auto and isinstance(value, str):
            raise Unfit
        if _typed(value, int) < low or (high is not None and value > high):
            raise Unfit
        return int(value)

    bounds = {"minimum": low} | ({} if high is None else {"maximum": high})
    number = {"type": "integer"} | bounds
    words = f"a whole number of at least {low}" if high is None else f"a whole number from {low} to {high}"
    return Kind(
        allowed=words + (' or `"auto"`' if auto else ""),
        parse=parse,
        schema={"anyOf": [number, {"const": "auto"}]} if auto else number,
        from_env=lambda text: int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else text,
    )


def list_of(item: Kind, *, at_least: int = 0, unique: bool = False) -> Kind:
    """A list, its elements judged one by one."""

    def parse(value: Any) -> tuple[Any, ...]:
        parsed = tuple(item.parse(element) for element in _typed(value, list))
        if len(parsed) < at_least or (unique and len(set(parsed)) < len(parsed)):
            raise Unfit
        return parsed

    schema: dict[str, Any] = {"type": "array", "items": item.schema}
    schema |= {"minItems": at_least} if at_least else {}
    schema |= {"uniqueItems": True} if unique else {}
    count = f" of {at_least} or more" if at_least else ""
    return Kind(
        allowed=f"a list{count}, each {item.allowed}" + (", none twice" if unique else ""),
        parse=parse,
        schema=schema,
        item=item,
        from_env=_shell_split,
    )


def or_none(kind: Kind) -> Kind:
    """The same, or the word "none", which lifts what was inherited."""
    return Kind(
        allowed=f'{kind.allowed}, or `"none"`',
        parse=lambda value: None if value == "none" else kind.parse(value),
        schema={"anyOf": [kind.schema, {"const": "none"}]},
        choices=(*kind.choices, "none"),
    )


def _typed(value: Any, wanted: type) -> Any:
    if type(value) is not wanted:  # exactly: TOML's true is not a number
        raise Unfit("ETB204")
    return value


def _or(words: Any) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else str(last)


def _shell_split(text: str) -> list[str]:
    import shlex

    try:
        return shlex.split(text)
    except ValueError as problem:
        raise Unfit(hint=f"the shell's rules for quotes apply: {str(problem).lower()}") from None


def _flag_from_env(text: str) -> Any:
    return {"1": True, "true": True, "0": False, "false": False}.get(text.lower(), text)


def _text(value: Any) -> str:
    if not _typed(value, str).strip() or "\0" in value:
        raise Unfit
    return str(value)


def _size(value: Any) -> int:
    if type(value) is int:
        if value < 0:
            raise Unfit
        return value
    try:
        return parse_size(_typed(value, str))
    except Unfit:
        raise
    except ValueError:
        raise Unfit from None


def _positive_size(value: Any) -> int:
    size = _size(value)
    if not size:
        raise Unfit
    return size


def _duration(value: Any) -> float:
    if type(value) in (int, float):
        raise Unfit("ETB204", f'write `"{value}s"` for seconds')
    try:
        seconds = parse_duration(_typed(value, str))
    except Unfit:
        raise
    except ValueError:
        raise Unfit from None
    if not seconds:
        raise Unfit
    return seconds


def _specifier(value: Any) -> str:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    text = _text(value)
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        raise Unfit(hint=f'write `"=={text}"` for exactly that one' if re.fullmatch(r"[0-9.]+", text) else "") from None
    return text


def _inside(value: Any) -> str:
    """A path that by its text stays within the project, normalised. Where symlinks lead is the plan's to see."""
    path = _text(value)
    if path.startswith("/"):
        raise Unfit("ETB210", "write it relative to the folder of `pyproject.toml`")
    if ".." in path.split("/"):
        raise Unfit("ETB210", "outputs stay inside the project")
    return posixpath.normpath(path)


PLACEHOLDERS = ("stem", "index", "count")


def _output(value: Any) -> str:
    path = _text(value)
    unknown = [name for name in re.findall(r"\{([^{}]*)\}", path) if name not in PLACEHOLDERS]
    if unknown or path.endswith("/"):
        raise Unfit(hint=f"`{{{unknown[0]}}}` is not a placeholder" if unknown else "it names a file, not a folder")
    inside = _inside(path)
    if inside == ".":
        raise Unfit(hint="it names a file, not a folder")
    return inside


def _source(value: Any) -> str:
    path = _text(value)
    return path if ".." in path.split("/") else posixpath.normpath(path)


def _search(value: Any) -> int:
    if type(value) is bool:
        return int(value)
    if _typed(value, int) < 1:
        raise Unfit
    return int(value)


def _operators(value: Any) -> int:
    if set(_typed(value, dict)) != {"min"}:
        raise Unfit
    return int(integer(0).parse(value["min"]))


def _calls(value: Any) -> dict[str, float]:
    for rate in _typed(value, dict).values():
        if type(rate) not in (int, float):
            raise Unfit("ETB204")
        if not 0 <= rate < float("inf"):
            raise Unfit
    return {name: float(rate) for name, rate in value.items()}


_URL = r"^(s3|gs|az|file|http|https)://."


def _url(value: Any) -> str:
    if not re.match(_URL, _text(value)):
        raise Unfit
    return str(value)


def _amount(units: Mapping[str, float]) -> dict[str, Any]:
    return {"type": "string", "pattern": rf"^\s*[0-9]+(\.[0-9]+)?\s*({'|'.join(units)})\s*$"}


_FILLED = {"type": "string", "pattern": r"\S"}
_STAYS = {"type": "string", "pattern": r"\S", "not": {"pattern": r"^/|(^|/)\.\.(/|$)"}}
_SIZES = [{"type": "integer", "minimum": 0}, _amount(SIZES)]

BOOLEAN = Kind(
    allowed="`true` or `false`",
    parse=lambda value: _typed(value, bool),
    schema={"type": "boolean"},
    from_env=_flag_from_env,
)
TEXT = Kind(allowed="a string that is not empty", parse=_text, schema=_FILLED)
SIZE = Kind(
    allowed='bytes as a whole number, or a string such as `"64 KiB"` (B, KB, KiB, MB, MiB)',
    parse=_size,
    schema={"anyOf": _SIZES},
)
POSITIVE_SIZE = Kind(
    allowed='bytes as a whole number of at least 1, or a string such as `"8 MiB"` (B, KB, KiB, MB, MiB)',
    parse=_positive_size,
    schema={"anyOf": [{"type": "integer", "minimum": 1}, {**_amount(SIZES), "allOf": [{"pattern": "[1-9]"}]}]},
)
DURATION = Kind(
    allowed='a string such as `"180s"` or `"2.5 ms"` (ns, us, ms, s, min), more than nothing',
    parse=_duration,
    schema={**_amount(DURATIONS), "allOf": [{"pattern": "[1-9]"}]},
)
SPECIFIER = Kind(allowed='a PEP 440 version specifier such as `">=16"`', parse=_specifier, schema=_FILLED)
FOLDER = Kind(allowed="a path inside the project", parse=_inside, schema=_STAYS)
OUTPUT = Kind(
    allowed="the path of a file inside the project, with `{stem}`, `{index}` and `{count}` as placeholders",
    parse=_output,
    schema={
        **_STAYS,
        "allOf": [{"not": {"pattern": r"/$|^(\./)*\.$"}}, {"not": {"pattern": r"\{(?!(stem|index|count)\})[^{}]*\}"}}],
    },
)
SOURCE = Kind(allowed="the path of a model, or a glob", parse=_source, schema=_FILLED)
SEARCH = Kind(
    allowed="`true`, `false`, or a step as a whole number of at least 1",
    parse=_search,
    schema={"anyOf": [{"type": "boolean"}, {"type": "integer", "minimum": 1}]},
)
OPERATORS = Kind(
    allowed="a table `{ min = n }`",
    parse=_operators,
    schema={
        "type": "object",
        "properties": {"min": {"type": "integer", "minimum": 0}},
        "required": ["min"],
        "additionalProperties": False,
    },
)
CALLS = Kind(
    allowed="a table of model names, each with its calls per second, such as `{ detector = 30 }`",
    parse=_calls,
    schema={"type": "object", "additionalProperties": {"type": "number", "minimum": 0}},
)
URL = Kind(
    allowed="a URL that begins with s3://, gs://, az://, file://, http:// or https://",
    parse=_url,
    schema={"type": "string", "pattern": _URL},
)

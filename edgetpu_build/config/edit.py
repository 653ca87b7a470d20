"""pyproject.toml written for the user: `init` and `add`. Every line that is not ours stays as it is, byte for byte.

A new table or key is inserted as text where its like stands; where a file's style does not allow that (inline or dotted
tables) tomlkit edits in place. Whichever way, the result counts only if it says exactly what was meant.
"""

from __future__ import annotations

import copy
import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from edgetpu_build.config.findings import dotted
from edgetpu_build.config.lines import KeyPath, sections, spans
from edgetpu_build.config.toml import TOMLDecodeError, loads
from edgetpu_build.errors import error

Edit = Callable[[], str]

TABLE: KeyPath = ("tool", "edgetpu")
HOOK: KeyPath = ("tool", "hatch", "build", "hooks", "edgetpu")
CACHE_KEYS: KeyPath = ("tool", "uv", "cache-keys")
LOCK = "edgetpu.lock"

_NEW = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.10"
"""


def init(text: str, *, name: str = "my-package", uv: bool = False) -> str:
    """The text with all that a build needs: the two tables, the requirement, and with uv its cache keys.

    An empty text becomes a whole project called ``name``. What is there already is left alone.
    """
    text = text if text.strip() else _NEW.format(name=name)
    return _with_newlines_of(text, lambda plain: _init(plain, uv=uv))


def add(text: str, sources: Iterable[str], *, name: str = "my-package", uv: bool = False) -> str:
    """The text with a model for each source (POSIX, relative to the project) that none has yet; ``init`` included."""
    text = init(text, name=name, uv=uv)
    return _with_newlines_of(text, lambda plain: _add(plain, sources))


def uses_hatchling(text: str) -> bool:
    """Whether a build of this project would run the hook at all."""
    return bool(_get(loads(text), ("build-system", "build-backend")) == "hatchling.build")


def _init(text: str, *, uv: bool) -> str:
    document = _parse(text)
    if uses_hatchling(text):
        if not any(_is_ours(requirement) for requirement in _get(document, ("build-system", "requires")) or ()):
            text = _append(text, ("build-system", "requires"), ["edgetpu-build"])
        text = _with_tables(text, {HOOK: {}})
    if (uv or _get(document, ("tool", "uv")) is not None) and _get(document, CACHE_KEYS) is None:
        sources = (model.get("source") for model in (_get(document, (*TABLE, "models")) or {}).values())
        text = _with_key(text, CACHE_KEYS, [{"file": file} for file in ("pyproject.toml", LOCK, *sources) if file])
    return _with_tables(text, {TABLE: {}})


def _add(text: str, sources: Iterable[str]) -> str:
    document = _parse(text)
    table = _get(document, TABLE)
    models = dict(table.get("models", {}))
    known = {model.get("source") for model in models.values()}
    new: dict[KeyPath, Mapping[str, Any]] = {}
    for source in dict.fromkeys(sources):
        if source not in known:
            name = _free_name(PurePosixPath(source).stem, {*models, *table.get("groups", {})})
            models[name] = new[(*TABLE, "models", name)] = {"source": source}
    text = _with_tables(text, new)
    keys = _get(document, CACHE_KEYS)
    if not isinstance(keys, list):
        return text
    unseen = [values["source"] for values in new.values() if not any(_covers(key, values["source"]) for key in keys)]
    return _append(text, CACHE_KEYS, [{"file": source} for source in unseen])


def _is_ours(requirement: str) -> bool:
    return bool(re.match(r"edgetpu[-_.]+build(?![A-Za-z0-9._-])", requirement.strip(), re.IGNORECASE))


def _covers(key: Any, source: str) -> bool:
    pattern = key.get("file", "") if isinstance(key, Mapping) else key
    return isinstance(pattern, str) and fnmatch.fnmatch(source, pattern)


def _free_name(stem: str, taken: set[str]) -> str:
    folded = {name.lower() for name in taken}
    base = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-") or "model"
    names = [base, *(f"{base}-{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name.lower() not in folded)


def _with_tables(text: str, tables: Mapping[KeyPath, Mapping[str, Any]]) -> str:
    """The text with each of the tables, all of one kind, that is not there yet."""
    document = _parse(text)
    new = {path: dict(values) for path, values in tables.items() if _get(document, path) is None}
    if not new:
        return text
    fragment = "\n".join(
        f"[{dotted(path)}]\n" + "".join(f"{key} = {_written(value)}\n" for key, value in values.items())
        for path, values in new.items()
    )
    return _meaning(
        _changed(document, new),
        lambda: _inserted(text, _end_of_kin(text, next(iter(new))), f"\n{fragment}"),
        lambda: _inserted(text, len(text), f"\n{fragment}"),
        lambda: _assigned(text, new),
    )


def _with_key(text: str, path: KeyPath, value: Any) -> str:
    """The text with ``path`` set in its table, which is made if it is missing."""
    line = f"{path[-1]} = {_written(value)}\n"
    ends = [end for table, end in sections(text) if table == path[:-1]]
    return _meaning(
        _changed(_parse(text), {path: value}),
        *([lambda: _inserted(text, ends[0], line)] if ends else []),
        lambda: _inserted(text, len(text), f"\n[{dotted(path[:-1])}]\n{line}"),
        lambda: _assigned(text, {path: value}),
    )


def _append(text: str, path: KeyPath, values: list[Any]) -> str:
    """The text with more elements in the array at ``path``."""
    document = _parse(text)
    held = _get(document, path)
    if held is None:
        return _with_key(text, path, values)
    return _meaning(
        _changed(document, {path: held + values}),
        lambda: _grown(text, path, len(held), [_written(value) for value in values]),
        lambda: _appended(text, path, values),
    )


def _meaning(wanted: Mapping[str, Any], *edits: Edit) -> str:
    """The first edit whose result says what is wanted; a file that none fits is left to its owner."""
    for edit in edits:
        try:
            text = edit()
            if loads(text) == wanted:
                return text
        except Exception:  # noqa: BLE001, S112 - tomlkit has errors of many kinds; each means: not this way
            continue
    hint = "write `[tool.edgetpu]` by hand; `edgetpu-build schema` and the reference page name its keys"
    raise error("ETB201", "`pyproject.toml` is laid out in a way that cannot be edited safely", hint)


def _changed(document: Mapping[str, Any], changes: Mapping[KeyPath, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = copy.deepcopy(dict(document))
    for path, value in changes.items():
        table: Any = changed
        for key in path[:-1]:
            table = table.setdefault(key, {})
        table[path[-1]] = value
    return changed


def _inserted(text: str, offset: int, addition: str) -> str:
    """The addition on lines of its own, after the line that ``offset`` is on."""
    end = text.find("\n", offset)
    head, tail = (text, "") if end < 0 else (text[: end + 1], text[end + 1 :])
    head += "" if not head or head.endswith("\n") else "\n"
    if addition.startswith("\n") and (not head or head.endswith("\n\n") or head == "\n"):
        addition = addition[1:]
    if addition.lstrip().startswith("[") and tail and not tail.startswith("\n"):
        addition += "\n"
    return head + addition + tail


def _grown(text: str, path: KeyPath, count: int, elements: list[str]) -> str:
    """More elements after those of the array, in its own layout: on its line, or each on a line."""
    found = spans(text)
    closing = found[path][1] - 1
    if not count:
        return text[:closing] + ", ".join(elements) + text[closing:]
    start, last = found[(*path, count - 1)]
    tail = text[last:closing]
    if "\n" not in tail:
        return text[:last] + "".join(f", {element}" for element in elements) + text[last:]
    line = text[text.rfind("\n", 0, start) + 1 : start]
    indent = line[: len(line) - len(line.lstrip())]
    comma = "" if tail.lstrip().startswith(",") else ","
    end = text.index("\n", last)
    return text[:last] + comma + text[last:end] + "".join(f"\n{indent}{e}," for e in elements) + text[end:]


def _end_of_kin(text: str, path: KeyPath) -> int:
    """Where the last table ends that shares most of the path: a model goes after the other models."""

    def shared(table: KeyPath) -> int:
        same = [a == b for a, b in zip(table, path, strict=False)]
        return same.index(False) if False in same else len(same)

    tables = sections(text)
    most = max(shared(table) for table, _ in tables)
    if most < len(TABLE):
        return len(text)
    return next(end for table, end in reversed(tables) if shared(table) == most)


def _assigned(text: str, changes: Mapping[KeyPath, Any]) -> str:
    import tomlkit
    from tomlkit.items import InlineTable

    document = tomlkit.parse(text)
    for path, value in changes.items():
        table: Any = document
        for key in path[:-1]:
            if key not in table:
                table[key] = tomlkit.inline_table() if isinstance(table, InlineTable) else tomlkit.table()
            table = table[key]
        table[path[-1]] = tomlkit.value(_written(value))
    return tomlkit.dumps(document)


def _appended(text: str, path: KeyPath, values: Iterable[Any]) -> str:
    import tomlkit

    document = tomlkit.parse(text)
    array: Any = document
    for key in path:
        array = array[key]
    for value in values:
        array.append(tomlkit.value(_written(value)))
    return tomlkit.dumps(document)


def _written(value: Any) -> str:
    import tomlkit

    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_written(held)}" for key, held in value.items()) + " }" if value else "{}"
    if isinstance(value, list):
        return "[\n" + "".join(f"    {_written(held)},\n" for held in value) + "]"
    return str(tomlkit.item(value).as_string())


def _get(document: Mapping[str, Any], path: KeyPath) -> Any:
    found: Any = document
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _parse(text: str) -> dict[str, Any]:
    try:
        return loads(text)
    except TOMLDecodeError as problem:
        raise error("ETB201", f"`pyproject.toml` is not TOML: {problem}", file="pyproject.toml") from None


def _with_newlines_of(text: str, edit: Callable[[str], str]) -> str:
    """Edits see LF alone; a text that has CRLF throughout gets it back."""
    if "\r\n" in text and text.count("\r\n") == text.count("\n"):
        return edit(text.replace("\r\n", "\n")).replace("\n", "\r\n")
    return edit(text)

"""JSON Schema (draft-07) of `[tool.edgetpu]`, made from the keys: for editors and validate-pyproject.

It accepts what the reader accepts and refuses what it refuses, but for what a schema cannot see: whether a name is
known or taken, what a PEP 440 specifier is, whether a size is a whole number of bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgetpu_build.config.keys import KEYS, NAME, Key, Scope

ID = "https://raw.githubusercontent.com/edgetpu-build/edgetpu-build/main/edgetpu.schema.json"
_SEGMENTED = {
    "anyOf": [
        {"required": ["cuts"]},
        {"required": ["segments"], "properties": {"segments": {"not": {"const": 1}}}},
    ]
}


def schema() -> dict[str, Any]:
    """The schema of the table `[tool.edgetpu]`."""
    scopes: tuple[Scope, ...] = ("model", "group", "budget", "device", "remote")
    definitions = {scope: _table(scope) for scope in scopes}
    definitions["model"]["allOf"] = _between_model_keys()
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": ID,
        "title": "[tool.edgetpu]",
        "description": "Edge TPU models that are compiled as part of the package's build",
        **_table("project"),
        "definitions": definitions,
    }


def tool_schema(tool_name: str) -> dict[str, Any]:
    """What validate-pyproject's entry point asks for."""
    return schema()


def _table(scope: Scope) -> dict[str, Any]:
    keys = KEYS[scope]
    table: dict[str, Any] = {
        "type": "object",
        "properties": {name: _property(key) for name, key in keys.items()},
        "additionalProperties": False,
    }
    required = [name for name, key in keys.items() if key.required]
    return table | ({"required": required} if required else {})


def _property(key: Key) -> dict[str, Any]:
    described = {"description": f"{key.doc}\n\nExample: {key.example}"}
    if key.kind:
        return described | dict(key.kind.schema)
    reference = {"$ref": f"#/definitions/{key.table}"}
    if key.table in ("model", "group"):
        names = {"pattern": f"^{NAME}$"}
        return described | {"type": "object", "propertyNames": names, "additionalProperties": reference}
    if key.table == "remote":
        url = KEYS["remote"]["url"].kind
        one: Mapping[str, Any] = {"anyOf": [url.schema if url else {}, reference]}
        return described | {"anyOf": [*one["anyOf"], {"type": "array", "items": one}]}
    return described | {"allOf": [reference]}


def _between_model_keys() -> list[dict[str, Any]]:
    """The rules between keys of one model (`rules` has them in Python)."""
    output_of_segments = {"properties": {"output": {"pattern": r"\{index\}"}}}
    output_of_one = {"properties": {"output": {"not": {"pattern": r"\{(index|count)\}"}}}}
    return [
        {"not": {"required": ["cuts", "balance"]}},
        {"not": {"required": ["cuts", "segments"], "properties": {"segments": {"const": 1}}}},
        {"if": {"required": ["balance"]}, "then": _SEGMENTED},
        {"if": _SEGMENTED, "then": {"not": {"required": ["intermediate-tensors"]}}},
        {"if": _SEGMENTED, "then": output_of_segments, "else": output_of_one},
    ]

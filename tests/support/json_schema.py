"""JSON Schema of what `--format json` prints, written from the contract and not from the code."""

from __future__ import annotations

from typing import Any

_NUMBER = {
    "type": "object",
    "required": ["value", "confidence"],
    "properties": {
        "value": {"type": ["number", "null"]},
        "confidence": {"enum": ["exact", "estimated", "unknown"]},
        "range": {"type": "array", "minItems": 2, "maxItems": 2},
    },
    "additionalProperties": False,
}
_MEASURES = ["on_chip_available", "on_chip_used", "off_chip", "cached_bytes", "streamed_bytes", "subgraphs"]
_MEASURES += ["runtime_version", "latency_ms"]
_FIGURES = {
    "type": "object",
    "required": [*_MEASURES, "operators"],
    "properties": {
        **dict.fromkeys(_MEASURES, _NUMBER),
        "operators": {
            "type": "object",
            "required": ["edgetpu", "cpu"],
            "properties": {"edgetpu": _NUMBER, "cpu": _NUMBER},
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}
_OUTPUTS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["path", "sha256", "size"],
        "properties": {
            "path": {"type": "string"},
            "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "size": {"type": "integer", "minimum": 0},
        },
        "additionalProperties": False,
    },
}
_TEXTS = ("name", "rule", "status", "reason", "hint")
_OPERATOR = {
    "type": "object",
    "required": ["index", "target", *_TEXTS],
    "properties": {
        "index": {"type": "integer", "minimum": 0},
        "target": {"enum": ["edgetpu", "cpu"]},
        **{name: {"type": "string"} for name in _TEXTS},
    },
    "additionalProperties": False,
}
_SEGMENT = {
    "type": "object",
    "required": ["index", "outputs", "operators", "figures"],
    "properties": {
        "index": {"type": "integer", "minimum": 0},
        "outputs": _OUTPUTS,
        "operators": {"type": "array", "items": {"anyOf": [{"type": "integer"}, _OPERATOR]}},
        "figures": _FIGURES,
    },
}
_MEMBER = {
    "type": "object",
    "required": ["name", "source", "outputs", "figures", "operators"],
    "properties": {
        "name": {"type": "string"},
        "source": {"type": "string"},
        "outputs": _OUTPUTS,
        "figures": _FIGURES,
        "operators": {"type": "array", "items": _OPERATOR},
        "segments": {"type": "array", "items": _SEGMENT},
    },
}
_UNIT = {
    "type": "object",
    "required": ["name", "kind", "state", "why", "seconds", "members"],
    "properties": {
        "name": {"type": "string"},
        "kind": {"enum": ["model", "group", "segments"]},
        "state": {"enum": ["fresh", "cached", "compiled", "failed", "stale"]},
        "why": {"type": "string"},
        "seconds": {"type": "number", "minimum": 0},
        "members": {"type": "array", "items": _MEMBER},
    },
}
_PLACE = ("message", "hint", "file", "key", "unit", "rule")
_DIAGNOSTIC = {
    "type": "object",
    "required": ["code", "line", *_PLACE],
    "properties": {
        "code": {"type": "string", "pattern": "^ETB[0-9]{3}$"},
        "line": {"type": "integer", "minimum": 0},
        **{name: {"type": "string"} for name in _PLACE},
    },
    "additionalProperties": False,
}
ANSWER: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "required": ["schema", "command", "ok", "units", "errors", "warnings"],
    "properties": {
        "schema": {"const": 1},
        "command": {"type": "string"},
        "ok": {"type": "boolean"},
        "units": {"type": "array", "items": _UNIT},
        "errors": {"type": "array", "items": _DIAGNOSTIC},
        "warnings": {"type": "array", "items": _DIAGNOSTIC},
    },
}


def validate(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer itself, after it was held against the schema; raises where it does not fit."""
    import fastjsonschema

    fastjsonschema.validate(ANSWER, answer)
    return answer

"""The table of keys is whole, and agrees with the values that it is parsed into."""

from __future__ import annotations

from dataclasses import fields

import pytest

from edgetpu_build.config import reference
from edgetpu_build.config.keys import ENVIRONMENT, KEYS, Key, Scope
from edgetpu_build.config.load import parse
from edgetpu_build.config.model import Budget, Config, DeviceConfig, GroupConfig, ModelConfig, RemoteCache
from edgetpu_build.config.toml import loads

VALUES: dict[Scope, type] = {
    "project": Config,
    "model": ModelConfig,
    "group": GroupConfig,
    "budget": Budget,
    "device": DeviceConfig,
    "remote": RemoteCache,
}
NOT_KEYS = {
    *("name", "lines", "warnings"),
    *("frozen", "write_errors", "from_env", "hook_enabled", "uses_hatchling", "uses_uv", "uv_cache_keys"),
}
EVERY = [(scope, key) for scope, keys in KEYS.items() for key in keys.values()]


@pytest.mark.parametrize("scope", KEYS)
def test_each_field_has_a_key_and_each_key_a_field(scope: Scope) -> None:
    assert {key.attribute for key in KEYS[scope].values()} == {f.name for f in fields(VALUES[scope])} - NOT_KEYS


@pytest.mark.parametrize(("scope", "key"), EVERY, ids=lambda part: getattr(part, "name", part))
def test_the_default_that_is_told_is_the_default_that_is_used(scope: Scope, key: Key) -> None:
    if key.default and key.kind and key.name not in ("output", "cuts", "intermediate-tensors", "calls"):
        told = key.kind.parse(loads(f"key = {key.default}")["key"])
        used = next(
            f.default if not callable(f.default_factory) else f.default_factory()
            for f in fields(VALUES[scope])
            if f.name == key.attribute
        )
        assert told == used


OTHERS = '[tool.edgetpu.models.detector]\nsource = "d"\n[tool.edgetpu.models.classifier]\nsource = "c"\n'
TABLES = {
    "project": ("[tool.edgetpu]", {}),
    "model": ("[tool.edgetpu.models.x]", {"source": 'source = "x"', "segments": "segments = 2"}),
    "group": ("[tool.edgetpu.groups.x]", {"models": 'models = ["detector", "classifier"]'}),
    "budget": ("[tool.edgetpu.budget]", {}),
    "device": ("[tool.edgetpu.device]", {}),
    "remote": ("[tool.edgetpu.remote-cache]", {"url": 'url = "s3://x"'}),
}


@pytest.mark.parametrize(("scope", "key"), EVERY, ids=lambda part: getattr(part, "name", part))
def test_examples_are_accepted(scope: Scope, key: Key) -> None:
    header, needed = TABLES[scope]
    without = {key.name} | (set() if key.name == "balance" else {"segments"})
    lines = [header, *(line for name, line in needed.items() if name not in without), key.example]
    parse("\n".join([*lines, "" if (scope, key.name) == ("project", "models") else OTHERS]), {})


def test_the_page_tells_of_every_key_and_variable() -> None:
    page = reference.page()
    for _, key in EVERY:
        assert f"### `{key.name}`" in page
        assert key.doc in page
    assert all(f"| `{name}` |" in page for name in ENVIRONMENT)
    assert page.endswith("\n")
    assert page == reference.page()


def test_the_page_has_no_loose_braces() -> None:
    assert "{options}" not in reference.page()

"""Whatever stands in `[tool.edgetpu]`: a Config or messages with places, and never a refusal that the schema lacks."""

from __future__ import annotations

import json
from typing import Any

import fastjsonschema
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from edgetpu_build.config.keys import KEYS
from edgetpu_build.config.load import parse
from edgetpu_build.config.schema import schema
from edgetpu_build.config.toml import loads
from edgetpu_build.errors import EdgeTpuBuildError

VALIDATE = fastjsonschema.compile(schema())
WORDS = ["", " ", "a", "b", "auto", "none", "google", "latency", "64 KiB", "1.5 B", "8 ms", "0s", ">=16", "16", "../x"]
WORDS += ["/x", "x/", ".", "a//b", "{index}.tflite", "{stem}", "{x}", "*.tflite", "s3://x", "é", "a\0b", "a\nb", "read"]
SCALARS = st.one_of(
    st.sampled_from(WORDS), st.booleans(), st.integers(-2, 20), st.floats(allow_nan=False), st.datetimes(), st.none()
)
NAMES = st.one_of(
    st.sampled_from([name for keys in KEYS.values() for name in keys]), st.sampled_from(["a", "b", "A", "min", "x y"])
)
VALUES = st.recursive(
    SCALARS.filter(lambda value: value is not None),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=12,
)


def mostly(scope: str, name: str) -> st.SearchStrategy[Any]:
    """The value of the key's own example; now and then another one."""
    example = loads(KEYS[scope][name].example)[name]
    return st.integers(0, 11).flatmap(lambda number: VALUES if number == 11 else st.just(example))


def table(scope: str) -> st.SearchStrategy[dict[str, Any]]:
    names = [name for name in KEYS[scope] if name not in ("models", "groups")]
    required = {name: mostly(scope, name) for name in names if KEYS[scope][name].required}
    return st.fixed_dictionaries(
        required, optional={name: mostly(scope, name) for name in names if name not in required}
    )


MODELS = st.dictionaries(st.sampled_from(["detector", "classifier", "c", "C"]), table("model"), max_size=3)
GROUPS = st.dictionaries(
    st.sampled_from(["g", "c"]),
    table("group").map(lambda group: {"models": ["detector", "classifier"], **group}),
    max_size=2,
)
TABLES = st.tuples(table("project"), MODELS, st.one_of(st.just({}), GROUPS)).map(
    lambda parts: {**parts[0], "models": parts[1], "groups": parts[2]}
)


@settings(deadline=None, max_examples=150)
@given(found=st.one_of(TABLES, st.dictionaries(NAMES, VALUES, max_size=5)))
def test_gives_a_config_or_messages_with_places(found: dict[str, Any]) -> None:
    text = tomlkit.dumps({"tool": {"edgetpu": found}})
    try:
        parse(text, {})
    except EdgeTpuBuildError as problem:
        last = text.count("\n") + 1
        for told in problem.diagnostics:
            assert told.code[:4] == "ETB2"
            assert 1 <= told.line <= last
            assert told.key.startswith("tool.edgetpu")
            assert told.message[0] in "`mnu"  # a key, `members`, `model`, `name`, `unknown`
            assert not told.message.endswith(".")
    else:
        VALIDATE(json.loads(json.dumps(loads(text)["tool"]["edgetpu"])))

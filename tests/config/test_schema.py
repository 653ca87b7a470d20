"""The schema agrees with the parser, document by document."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest

from edgetpu_build.config.keys import KEYS
from edgetpu_build.config.schema import schema, tool_schema
from edgetpu_build.config.toml import loads
from tests.config.cases import BAD, GOOD, Bad


@pytest.fixture(scope="module")
def validate() -> Any:
    return fastjsonschema.compile(schema())


@pytest.mark.parametrize("body", GOOD)
def test_accepts_what_the_parser_accepts(body: str, validate: Any) -> None:
    validate(loads(body)["tool"]["edgetpu"])


@pytest.mark.parametrize("bad", [bad for bad in BAD if bad.seen], ids=lambda bad: bad.body.replace("\n", " ")[-60:])
def test_refuses_what_the_parser_refuses(bad: Bad, validate: Any) -> None:
    with pytest.raises(fastjsonschema.JsonSchemaException):
        validate(json.loads(json.dumps(loads(bad.body)["tool"]["edgetpu"], default=lambda _: {"a": "date"})))


@pytest.mark.parametrize("bad", [bad for bad in BAD if not bad.seen], ids=lambda bad: bad.body.replace("\n", " ")[-60:])
def test_what_it_is_said_not_to_see_it_does_not_see(bad: Bad, validate: Any) -> None:
    validate(loads(bad.body)["tool"]["edgetpu"])


def test_is_draft_07_and_plain_json() -> None:
    made = schema()
    assert json.loads(json.dumps(made)) == made
    assert made["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert tool_schema("edgetpu") == made


def test_every_key_is_described() -> None:
    made = schema()
    tables = {"project": made, **made["definitions"]}
    assert {scope: set(table["properties"]) for scope, table in tables.items()} == {
        scope: set(keys) for scope, keys in KEYS.items()
    }
    assert all(held["description"] for table in tables.values() for held in table["properties"].values())


@pytest.mark.parametrize(("line", "code"), [("jobs = 2", 0), ("job = 2", 1)])
def test_validate_pyproject_finds_it(line: str, code: int, tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(f'[project]\nname = "x"\nversion = "1"\n[tool.edgetpu]\n{line}\n')
    done = subprocess.run(
        [sys.executable, "-m", "validate_pyproject", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert ("tool.edgetpu" in done.stdout + done.stderr) == bool(code)

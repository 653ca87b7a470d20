"""`edgetpu-build ops`: one table for people, one for programs, both from the rules themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edgetpu_build.chip.operators import OPERATORS
from edgetpu_build.chip.rules import RULES

Edgetpu = Callable[..., Any]


def test_everything_that_is_known_is_listed(edgetpu: Edgetpu) -> None:
    run = edgetpu("ops")
    assert run.code == 0
    assert "Compiler 16.0, runtime 14: 42 operators" in run.out
    for name in (*OPERATORS, *(rule.id for rule in RULES)):
        assert name in run.out
    assert "Not yet" not in run.out


@pytest.mark.parametrize(
    ("asked", "gone"), [(("-m", "12"), "PRELU"), (("--emulate-compiler", "15.0"), "TRANSPOSE"), (("-m", "13"), "RSQRT")]
)
def test_what_is_not_there_yet_is_named(edgetpu: Edgetpu, asked: tuple[str, ...], gone: str) -> None:
    run = edgetpu("ops", *asked)
    (later,) = [line for line in run.out.splitlines() if line.startswith("Not yet: ")]
    assert gone in later.removeprefix("Not yet: ").split(", ")
    assert not any(line.split()[:1] == [gone] for line in run.out.splitlines())


def test_json(edgetpu: Edgetpu) -> None:
    answer = edgetpu("ops", "--format", "json", "--min-runtime-version", "12").json
    operators = {operator["name"]: operator for operator in answer["operators"]}
    assert answer["runtime_version"] == 12
    assert operators["PRELU"]["available"] is False
    assert operators["CONV_2D"] == {
        "name": "CONV_2D",
        "since": 10,
        "available": True,
        "version": 5,
        "rules": ["computed-weights", "dilation"],
        "note": "",
        "source": "files",
    }
    assert [rule["id"] for rule in answer["rules"]] == [rule.id for rule in RULES]


@pytest.mark.parametrize(("argument", "code"), [(("-m", "15"), 2), (("--emulate-compiler", "3.0"), 4)])
def test_what_nobody_knows_is_refused(edgetpu: Edgetpu, argument: tuple[str, ...], code: int) -> None:
    run = edgetpu("ops", *argument)
    assert run.code == code
    assert run.out == ""

"""The real command, in this process: `edgetpu(...)` gives exit code, stdout and stderr."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from edgetpu_build.cli import main
from tests.support.json_schema import validate


@dataclass(frozen=True)
class Run:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout, held against the contract's schema."""
        assert self.err == ""
        return validate(json.loads(self.out))


@pytest.fixture
def edgetpu(capsys: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    def run(*argv: str) -> Run:
        code = main(list(argv))
        out, err = capsys.readouterr()
        return Run(code, out, err)

    return run

"""Versions: what people call a compiler, and what each can be asked for."""

from __future__ import annotations

import pytest

from edgetpu_build.chip.generations import GENERATIONS, LATEST, NAMES, generation
from edgetpu_build.errors import EdgeTpuBuildError

TABLE_3 = {  # the manual's: runtime required by default
    "16.0": 14,
    "15.0": 13,
    "14.1": 13,
    "2.1.302470888": 13,
    "2.0.291256449": 13,
    "2.0.267685300": 12,
    "1.0": 10,
}


@pytest.mark.parametrize(("version", "runtime"), TABLE_3.items())
def test_table_3(version: str, runtime: int) -> None:
    assert generation(version).rules == runtime


@pytest.mark.parametrize(
    ("asked", "version"),
    [
        ("16.0", "16.0.384591198"),
        ("16", "16.0.384591198"),
        ("16.0.385455049", "16.0.384591198"),
        ("2.0", "2.0.291256449"),
        ("2.0.267685300", "2.0.267685300"),
        ("1", "1.0.249710469"),
    ],
)
def test_names(asked: str, version: str) -> None:
    assert generation(asked).version == version


def test_every_name_and_version_finds_itself() -> None:
    for known in GENERATIONS:
        assert generation(known.version) is known
        assert generation(known.name).name == known.name
    assert generation(NAMES[-1]) is LATEST


@pytest.mark.parametrize(("asked", "near"), [("17.0", "16.0"), ("14.2", "14.1"), ("0.9", "1.0"), ("vela", "1.0")])
def test_unknown_ones_name_the_nearest(asked: str, near: str) -> None:
    with pytest.raises(EdgeTpuBuildError) as caught:
        generation(asked)
    (problem,) = caught.value.diagnostics
    assert problem.code == "ETB402"
    assert f"`{asked}`" in problem.message
    assert f"`{near}`" in problem.hint


def test_what_dash_m_can_ask_for() -> None:
    assert generation("16.0").runtimes == (10, 11, 12, 13, 14)
    assert generation("15.0").runtimes == (10, 11, 12, 13)
    assert generation("1.0").runtimes == (10,)


def test_the_runtime_in_the_file_is_never_above_what_was_asked_for() -> None:
    assert LATEST.writes_for(14) == 14
    assert LATEST.writes_for(13) == 13
    assert generation("15.0").writes_for(14) == 12
    assert generation("15.0").rules_for(14) == 13

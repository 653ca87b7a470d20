from __future__ import annotations

import pytest

from edgetpu_build.chip import rules
from edgetpu_build.errors import CATALOGUE


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_code_of_an_error(edgetpu, code):
    run = edgetpu("explain", code)
    assert run.code == 0
    assert run.out.startswith(f"{code}: {CATALOGUE[code]}")


def test_codes_may_be_small(edgetpu):
    assert edgetpu("explain", "etb101").out == edgetpu("explain", "ETB101").out


@pytest.mark.parametrize("rule", [rule.id for rule in rules.RULES])
def test_every_placement_rule(edgetpu, rule):
    run = edgetpu("explain", rule)
    assert run.code == 0
    assert rule in run.out


def test_the_page_is_in_the_json(edgetpu):
    run = edgetpu("explain", "ETB101", "--format", "json")
    assert run.json["page"].startswith("ETB101")


def test_what_nobody_knows_has_a_likely_meaning(edgetpu):
    run = edgetpu("explain", "EBT101")
    assert run.code == 2
    assert "`EBT101` is no model, group, rule or error code [ETB209]" in run.err
    assert "did you mean `ETB101`?" in run.err

"""The builtin compiler against Google's, on every public compile that we hold facts of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from tests.fidelity import models, page, score
from tests.fidelity.score import Verdict


@pytest.fixture(scope="module")
def verdicts() -> Sequence[Verdict]:
    return score.verdicts()


@pytest.mark.parametrize(
    ("name", "rows", "families"),
    [
        ("placement", 0.995, 0.995),
        ("log", 0.98, 0.98),
        ("memory", 0.97, 0.955),
        ("printed", 0.995, 0.995),
        ("segments", 1.0, 1.0),
    ],
)
def test_shares_of_right_rows_do_not_fall(verdicts: Sequence[Verdict], name: str, rows: float, families: float) -> None:
    right, count, by_family = score.share(verdicts, name)
    assert right >= rows * count
    assert by_family >= families


def test_what_we_call_exact_is(verdicts: Sequence[Verdict]) -> None:
    right, made = score.claims(verdicts)
    assert made > 850
    assert right >= 0.995 * made


def test_activation_memory_does_not_fall_and_is_exact_where_we_say_so(verdicts: Sequence[Verdict]) -> None:
    counts = Counter(verdict.activation for verdict in verdicts)
    assert counts["exact"] >= 0.86 * (counts["exact"] + counts["near"] + counts["off"])
    assert counts["outside"] == 0
    right, made = score.activation_claims(verdicts)
    assert made >= 79
    assert right >= 0.995 * made


def test_the_facts_cover_every_generation_and_kind_of_compile() -> None:
    graphs, rows = models.facts()
    assert {row["compiler"] for row in rows} == {"1.0", "2.0", "2.1", "14.1", "15.0", "16.0"}
    assert {row["kind"] for row in rows} == {"whole", "segment", "cocompiled"}
    assert {row["graph"] for row in rows} <= set(graphs)


def test_wrong_answers_are_counted_as_wrong() -> None:
    """The scorer bites: a row whose truth is changed is a miss."""
    _, rows = models.facts()
    row = next(row for row in rows if row["kind"] == "whole" and row.get("cached") and row["compiler"] == "2.1")
    (verdict,) = score.judge([row | {"cached": row["cached"] + 64, "tpu_ops": row["tpu_ops"][1:]}], complete=True)
    assert verdict.right["memory"] is False
    assert verdict.right["placement"] is False
    assert "cached" in verdict.note


def test_the_page_tells_what_was_measured(verdicts: Sequence[Verdict]) -> None:
    """If this fails: `python -m tests.fidelity.page`."""
    assert page.PAGE.read_text(encoding="utf-8") == page.text(verdicts)

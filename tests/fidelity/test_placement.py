"""Where Google's compiler put each operator of public models, and what it said of those it left: we say the same."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from edgetpu_build.chip.generations import generation
from edgetpu_build.chip.rules import RULES
from edgetpu_build.compiler.diagnosis import examine
from edgetpu_build.compiler.placement import Placement, place
from tests.fidelity import models

CLAIM = re.compile(r"(\d+) operators of (\d+) models")


def compiles() -> list[dict[str, Any]]:
    """Every compile whose operators are known."""
    return [row for row in models.facts()[1] if "tpu_ops" in row and (row["kind"] != "segment" or not row.get("set"))]


def placed(row: dict[str, Any]) -> Placement:
    model = models.model(models.facts()[0][row["graph"]])
    return place(
        model.main,
        generation=generation(row["compiler"]),
        min_runtime_version=13 if row["runtime"] == 13 else 14,
        multiple_subgraphs=row.get("n_custom_ops", 1) > 1,
    )


@pytest.fixture(scope="module")
def placements() -> list[tuple[dict[str, Any], Placement]]:
    return [(row, placed(row)) for row in compiles()]


def test_every_operator_of_every_model(placements: list[tuple[dict[str, Any], Placement]]) -> None:
    judged = [(row, mine) for row, mine in placements if not row.get("placement_doubtful")]
    wrong = [
        row["row"]
        for row, mine in judged
        if {o.index for o in mine.operators if o.target == "edgetpu"} != set(row["tpu_ops"])
    ]
    assert wrong == []
    assert len(judged) >= 490


def test_status_texts_are_those_of_the_logs(placements: list[tuple[dict[str, Any], Placement]]) -> None:
    logged = [(row, mine) for row, mine in placements if row.get("log")]
    wrong = [
        row["row"]
        for row, mine in logged
        if Counter((o.name, o.status) for o in mine.operators) != Counter({(n, s): c for n, c, s in row["log"]})
    ]
    assert wrong == []
    assert len(logged) >= 220


def test_no_model_that_google_compiled_is_refused() -> None:
    graphs, rows = models.facts()
    for key, compiler in {(row["graph"], row["compiler"]) for row in rows}:
        examine(models.model(graphs[key]), key, generation=generation(compiler))


def test_what_rules_say_of_their_evidence(placements: list[tuple[dict[str, Any], Placement]]) -> None:
    """Each compile counts once, however often it was published; only rules that decide are counted."""
    operators: Counter[str] = Counter()
    graphs: dict[str, set[str]] = {}
    distinct = {
        (row["graph"], row["compiler"], row["runtime"], row.get("n_custom_ops", 1) > 1): mine
        for row, mine in placements
    }
    for (graph, *_), mine in distinct.items():
        for operator in mine.operators:
            if operator.target == "cpu":
                operators[operator.rule] += 1
                graphs.setdefault(operator.rule, set()).add(graph)
    told = {rule.id: CLAIM.match(rule.known) for rule in RULES}
    said = {rule: (int(claim[1]), int(claim[2])) for rule, claim in told.items() if claim}
    assert said == {rule: (count, len(graphs[rule])) for rule, count in operators.items()}

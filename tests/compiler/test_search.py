"""The delegate search and the search for a count of segments."""

from __future__ import annotations

import pickle

import pytest

from edgetpu_build.compiler.search import VainSearchError, search
from edgetpu_build.compiler.segments_auto import smallest
from edgetpu_build.errors import EdgeTpuBuildError, error
from edgetpu_build.tflite.model import Subgraph
from tests.support.graphs import Graph


def chain(length: int) -> Subgraph:
    graph = Graph()
    x = graph.input(1, 8, 8, 4)
    for _ in range(length):
        x = graph.op("RELU", x)
    return graph.subgraph(x)


def test_the_first_try_takes_everything() -> None:
    result, tries = search(chain(5), 1, lambda left_out: (left_out, ""))
    assert result == frozenset()
    assert [(t.operators, t.intermediate_tensors, t.failed) for t in tries] == [(5, (), False)]


def test_each_failure_steps_back_and_names_where_it_cuts() -> None:
    subgraph = chain(6)
    result, tries = search(subgraph, 2, lambda left_out: (left_out, "too large" if len(left_out) < 4 else ""))
    assert result == frozenset({2, 3, 4, 5})
    assert [(t.operators, t.failed, t.reason) for t in tries] == [
        (6, True, "too large"),
        (4, True, "too large"),
        (2, False, ""),
    ]
    assert tries[-1].intermediate_tensors == (subgraph.tensors[subgraph.operators[1].outputs[0]].name,)


def test_a_vain_search_ends_with_an_error() -> None:
    with pytest.raises(EdgeTpuBuildError) as caught:
        search(chain(3), 2, lambda _: (None, "too large"))
    assert caught.value.diagnostics[0].code == "ETB312"
    assert "2 tries of step 2" in caught.value.diagnostics[0].message


def test_the_smallest_count_with_nothing_off_chip_is_taken_and_no_larger_one_is_tried() -> None:
    asked: list[int] = []

    def off_chip(count: int) -> float:
        asked.append(count)
        return max(0, 3 - count)

    assert smallest(off_chip, 8) == (3, 0)
    assert asked == [1, 2, 3]


def test_counts_that_cannot_be_cut_are_passed_over_and_the_least_off_chip_wins() -> None:
    def off_chip(count: int) -> float:
        if count in (2, 5):
            raise error("ETB311", "cannot be cut")
        return {1: 10, 3: 4, 4: 4}[count]

    assert smallest(off_chip, 5) == (3, 4)


def test_other_errors_end_the_search() -> None:
    def off_chip(count: int) -> float:
        raise error("ETB302", "damaged")

    with pytest.raises(EdgeTpuBuildError):
        smallest(off_chip, 5)


def test_a_vain_search_carries_its_tries_through_another_process() -> None:
    with pytest.raises(VainSearchError) as caught:
        search(chain(3), 2, lambda _: (None, "too large"))
    there = pickle.loads(pickle.dumps(caught.value))
    assert there.diagnostics == caught.value.diagnostics
    assert [(t.operators, t.failed) for t in there.attempts] == [(3, True), (1, True)]

"""The partition, the reasons, and the cost of both."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.chip.generations import LATEST
from edgetpu_build.chip.rules.rule import MAPPED, ONE_SUBGRAPH
from edgetpu_build.compiler.placement import Placement, consumers, place
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.tflite.model import Operator, Subgraph
from tests.support.graphs import Graph

ABLE, UNABLE = "RELU", "GATHER"


def wired(*operators: tuple[str, tuple[int, ...]]) -> Subgraph:
    """Operators of a kind, each reading the results of those with the given positions (none: the model's input)."""
    graph = Graph()
    start = graph.input(1, 4)
    first = len(graph.tensors)
    for position in range(len(operators)):
        graph.tensor((1, 4), name=f"made{position}")
    graph.operators = [
        Operator(kind=kind, inputs=tuple(first + r for r in reads) or (start,), outputs=(first + i,))
        for i, (kind, reads) in enumerate(operators)
    ]
    return graph.subgraph(len(graph.tensors) - 1)


def on(subgraph: Subgraph, *, multiple: bool = False, stop_at: tuple[int, ...] = ()) -> Placement:
    return place(subgraph, generation=LATEST, multiple_subgraphs=multiple, stop_at=stop_at)


def test_all_of_a_chain() -> None:
    placed = on(wired((ABLE, ()), (ABLE, (0,)), (ABLE, (1,))))
    assert placed.partitions == ((0, 1, 2),)
    assert {operator.status for operator in placed.operators} == {MAPPED}
    assert {operator.rule for operator in placed.operators} == {""}
    assert placed.mapped == 3


def test_what_follows_an_unable_operator_stays() -> None:
    placed = on(wired((ABLE, ()), (UNABLE, (0,)), (ABLE, (1,)), (ABLE, (2,))))
    assert placed.partitions == ((0,),)
    blocker, *followers = placed.operators[1:]
    assert blocker.rule == "kind"
    assert blocker.follows == -1
    assert "would bring 3 more" in blocker.reason
    for follower in followers:
        assert (follower.status, follower.rule, follower.follows) == (ONE_SUBGRAPH, "one-subgraph", 1)
        assert "operator 1 (GATHER)" in follower.reason


def test_an_able_operator_after_an_unable_one_is_mapped_if_it_does_not_depend_on_it() -> None:
    placed = on(wired((ABLE, ()), (UNABLE, (0,)), (ABLE, (0,)), (ABLE, (1, 2))))
    assert placed.partitions == ((0, 2),)
    assert placed.operators[3].follows == 1


def test_an_unable_entry_costs_nothing() -> None:
    placed = on(wired((UNABLE, ()), (ABLE, (0,)), (ABLE, (1,))))
    assert placed.partitions == ((1, 2),)
    assert "more to the Edge TPU" not in placed.operators[0].reason


def test_the_first_epoch_is_taken_not_the_largest() -> None:
    placed = on(wired((ABLE, ()), (UNABLE, (0,)), *((ABLE, (i,)) for i in range(1, 9))))
    assert placed.partitions == ((0,),)


def test_a_second_blocker_does_not_take_the_blame_of_the_first() -> None:
    placed = on(wired((ABLE, ()), (UNABLE, (0,)), (ABLE, (1,)), (UNABLE, (2,)), (ABLE, (3,))))
    assert [operator.follows for operator in placed.operators] == [-1, -1, 1, -1, 1]
    assert "would bring 2 more" in placed.operators[1].reason


def test_with_several_subgraphs_every_able_epoch_is_one() -> None:
    subgraph = wired((ABLE, ()), (UNABLE, (0,)), (ABLE, (1,)), (UNABLE, (2,)), (ABLE, (3,)), (ABLE, (0,)))
    placed = on(subgraph, multiple=True)
    assert placed.partitions == ((0, 5), (2,), (4,))
    assert ONE_SUBGRAPH not in {operator.status for operator in placed.operators}


def test_order_in_the_file_need_not_be_the_order_of_running() -> None:
    placed = on(wired((ABLE, (1,)), (ABLE, ()), (UNABLE, (0,))))
    assert placed.partitions == ((0, 1),)


def test_what_else_an_operator_breaks_is_told() -> None:
    graph = Graph()
    graph.op("GATHER", graph.input(2, 4, 4, 4), dtype="INT32")
    (operator,) = on(graph.subgraph()).operators
    assert operator.rule == "rank"
    assert operator.reason.endswith("; it also breaks `output-type`, `kind`")


def test_stopping() -> None:
    subgraph = wired((ABLE, ()), (ABLE, (0,)), (ABLE, (1,)), (ABLE, (0,)))
    placed = on(subgraph, stop_at=(1,))
    assert placed.partitions == ((0, 3),)
    assert [operator.status for operator in placed.operators[1:3]] == [ONE_SUBGRAPH] * 2
    assert {operator.rule for operator in placed.operators[1:3]} == {"stop"}
    assert on(subgraph, multiple=True, stop_at=(1,)).partitions == ((0, 3),)


def test_consumers_of_named_tensors() -> None:
    subgraph = wired((ABLE, ()), (ABLE, (0,)), (ABLE, (1,)), (ABLE, (0,)))
    assert consumers(subgraph, ["made0"]) == {1, 3}
    assert consumers(subgraph, ["made1", "made2"]) == {2}
    with pytest.raises(EdgeTpuBuildError) as caught:
        consumers(subgraph, ["made7"])
    assert caught.value.diagnostics[0].code == "ETB310"
    assert "did you mean `made" in caught.value.diagnostics[0].hint


def test_nothing_able() -> None:
    placed = on(wired((UNABLE, ()), (UNABLE, (0,))))
    assert placed.partitions == ()
    assert placed.mapped == 0


def test_no_operators() -> None:
    assert on(wired()) == Placement(operators=(), partitions=())


@pytest.mark.parametrize("operators", [[(ABLE, (0,))], [(ABLE, ()), (ABLE, (2,)), (ABLE, (1,))]])
def test_circles_are_refused(operators: list[tuple[str, tuple[int, ...]]]) -> None:
    with pytest.raises(EdgeTpuBuildError) as caught:
        on(wired(*operators))
    assert caught.value.diagnostics[0].code == "ETB302"


def by_the_book(subgraph: Subgraph, able: list[bool]) -> list[list[int]]:
    """The epochs as they are defined: walk the file again and again, quadratic and plain."""
    made_by = {t: i for i, operator in enumerate(subgraph.operators) for t in operator.outputs}
    left = list(range(len(able)))
    epochs: list[list[int]] = []
    while left:
        ready = [i for i in left if all(made_by.get(t) not in left for t in subgraph.operators[i].inputs)]
        sort, epoch = able[ready[0]], []
        while taken := [
            i for i in left if able[i] == sort and all(made_by.get(t) not in left for t in subgraph.operators[i].inputs)
        ]:
            epoch += taken
            left = [i for i in left if i not in taken]
        epochs.append(sorted(epoch))
    return epochs


@st.composite
def graphs(draw: st.DrawFn) -> Subgraph:
    size = draw(st.integers(0, 14))
    operators = [
        (
            draw(st.sampled_from([ABLE, UNABLE])),
            tuple(draw(st.lists(st.integers(0, i - 1), max_size=3))) if i else (),
        )
        for i in range(size)
    ]
    return wired(*operators)


@given(graphs())
def test_epochs_are_those_of_the_definition(subgraph: Subgraph) -> None:
    able = [operator.kind == ABLE for operator in subgraph.operators]
    expected = [tuple(epoch) for epoch in by_the_book(subgraph, able) if able[epoch[0]]]
    assert list(on(subgraph, multiple=True).partitions) == expected
    assert list(on(subgraph).partitions) == expected[:1]


@given(graphs())
def test_gains_and_blame_are_true(subgraph: Subgraph) -> None:
    placed = on(subgraph)
    for operator in placed.operators:
        if operator.follows >= 0:
            assert placed.operators[operator.follows].rule == "kind"
        elif operator.target == "cpu":
            assert operator.rule == "kind"
        if "would bring" in operator.reason:
            told = int(operator.reason.split("would bring ")[1].split()[0])
            kinds = [o.kind for o in subgraph.operators]
            kinds[operator.index] = ABLE
            mended = wired(
                *(
                    (kind, tuple(t - 1 for t in o.inputs if t))
                    for kind, o in zip(kinds, subgraph.operators, strict=True)
                )
            )
            assert on(mended).mapped - placed.mapped == told


def steps(subgraph: Subgraph) -> int:
    """Bytecode instructions that a placement takes: a cost that no other process can change."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        count += event == "opcode"
        frame.f_trace_opcodes = True
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        on(subgraph)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("every", [2, 10_000])
def test_cost_is_linear(every: int) -> None:
    def chain(length: int) -> Subgraph:
        return wired(*((UNABLE if i % every == 1 else ABLE, (i - 1,) if i else ()) for i in range(length)))

    assert steps(chain(400)) < 2.1 * steps(chain(200))


def test_cost_of_a_wide_concatenation_is_linear() -> None:
    def wide(width: int) -> Subgraph:
        return wired(*((ABLE, ()) for _ in range(width)), ("CONCATENATION", tuple(range(width))))

    assert steps(wide(400)) < 2.1 * steps(wide(200))


def test_a_chain_of_20000() -> None:
    assert on(wired(*((ABLE, (i - 1,) if i else ()) for i in range(20_000)))).mapped == 20_000

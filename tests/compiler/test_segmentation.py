"""Where models are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.compiler.segmentation import Segments, by_parameters, by_tensors, constant_bytes, consumers, schedule
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.tflite.model import Operator, Subgraph, Tensor


def graph(sizes: list[int], wires: list[list[int]], kinds: dict[int, str] | None = None) -> Subgraph:
    """Operator k has ``sizes[k]`` bytes of constants and reads the results of ``wires[k]``; tensor k is its result."""
    count = len(sizes)
    results = [Tensor(name=f"r{k}", shape=(1,)) for k in range(count)]
    constants = [Tensor(name=f"c{k}", shape=(size,), data=memoryview(bytes(size))) for k, size in enumerate(sizes)]
    source = Tensor(name="in", shape=(1,))
    operators = tuple(
        Operator(
            kind=(kinds or {}).get(k, "CONV_2D"),
            inputs=(*(wires[k] or [2 * count]), count + k, -1),
            outputs=(k,),
        )
        for k in range(count)
    )
    used = {index for wire in wires for index in wire}
    return Subgraph(
        name="",
        tensors=(*results, *constants, source),
        inputs=(2 * count,),
        outputs=tuple(k for k in range(count) if k not in used),
        operators=operators,
    )


def chain(*sizes: int) -> Subgraph:
    return graph(list(sizes), [[k - 1] if k else [] for k in range(len(sizes))])


def test_a_segment_is_closed_before_it_passes_the_average() -> None:
    assert by_parameters(chain(10, 10, 10, 10), 2) == ((0, 1), (2, 3))
    assert by_parameters(chain(10, 20, 10, 10), 2) == ((0,), (1, 2, 3))
    assert by_parameters(chain(5, 5, 5, 5, 5, 5), 3) == ((0, 1), (2, 3), (4, 5))


def test_an_operator_stays_for_each_later_segment() -> None:
    assert by_parameters(chain(1, 0, 0), 3) == ((0,), (1,), (2,))


def test_an_operator_above_the_average_cannot_start_a_segment() -> None:
    with pytest.raises(EdgeTpuBuildError) as caught:
        by_parameters(chain(90, 1, 1, 1), 3)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "ETB311"
    assert "operator 0 (CONV_2D) alone holds 90 B" in diagnostic.message
    assert diagnostic.hint


def test_the_hint_names_the_largest_count_that_works() -> None:
    with pytest.raises(EdgeTpuBuildError) as caught:
        by_parameters(chain(10, 10, 10), 5)
    assert "at most 3" in caught.value.diagnostics[0].hint


def test_constants_of_custom_operators_do_not_count() -> None:
    assert constant_bytes(graph([10, 20], [[], [0]], {1: "CUSTOM"})) == [10, 0]


def test_the_trunk_comes_first_and_outputs_last() -> None:
    """0 feeds a head (1) and the trunk (2, 3, 4); 1 and 4 are outputs."""
    headed = graph([1, 1, 1, 1, 1], [[], [0], [0], [2], [3]])
    assert schedule(consumers(headed)) == [0, 2, 3, 1, 4]


def test_the_newest_ready_operator_comes_next() -> None:
    forked = graph([1] * 5, [[], [0], [0], [1, 2], [3]])
    assert schedule(consumers(forked)) == [0, 2, 1, 3, 4]


def test_cuts_by_name_take_all_that_the_tensor_needs() -> None:
    forked = graph([1] * 5, [[], [0], [0], [1, 2], [3]])
    assert by_tensors(forked, ["r2"]) == ((0, 2), (1, 3, 4))
    assert by_tensors(forked, ["r3", "r2"]) == ((0, 2), (1, 3), (4,))


@pytest.mark.parametrize(
    ("names", "code"), [(["nowhere"], "ETB310"), (["in"], "ETB310"), (["r2"], "ETB311"), (["r1", "r2"], "ETB311")]
)
def test_cuts_that_leave_a_segment_empty_are_refused(names: list[str], code: str) -> None:
    with pytest.raises(EdgeTpuBuildError) as caught:
        by_tensors(chain(1, 1, 1), names)
    assert caught.value.diagnostics[0].code == code


@st.composite
def graphs(draw: st.DrawFn) -> Subgraph:
    count = draw(st.integers(1, 14))
    wires = [draw(st.lists(st.integers(0, k - 1), max_size=2, unique=True)) if k else [] for k in range(count)]
    return graph(draw(st.lists(st.integers(0, 50), min_size=count, max_size=count)), wires)


def cut(subgraph: Subgraph, count: int) -> Segments | None:
    """The segments, None where the rule refuses."""
    try:
        return by_parameters(subgraph, count)
    except EdgeTpuBuildError as problem:
        return None if problem.exit_code == 3 else pytest.fail(str(problem))


@given(graphs(), st.integers(2, 6))
def test_segments_hold_every_operator_once_and_read_only_from_earlier_ones(subgraph: Subgraph, count: int) -> None:
    segments = cut(subgraph, count)
    if segments is None:
        return
    assert sorted(position for segment in segments for position in segment) == list(range(len(subgraph.operators)))
    assert len(segments) == count
    assert all(segments)
    done: set[int] = set()
    for segment in segments:
        done |= set(segment)
        read = {index for position in segment for index in subgraph.operators[position].inputs}
        assert {index for index in read if 0 <= index < len(subgraph.operators)} <= done


def test_a_chain_of_twenty_thousand_operators_is_cut() -> None:
    segments = by_parameters(chain(*[3] * 20_000), 4)
    assert [len(segment) for segment in segments] == [5000, 5000, 5000, 5000]
    assert len(by_tensors(chain(*[3] * 20_000), ["r9999"])[0]) == 10_000

"""The search of the profiling partitioner, on made-up times."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.compiler.partition import Search, divided, find, on_target
from edgetpu_build.errors import EdgeTpuBuildError


def each(start: int, end: int) -> int:
    """The original's test: a thousand nanoseconds an operator."""
    return 1000 * (end - start)


def quiet(_text: str) -> None:
    pass


@pytest.mark.parametrize(
    ("segments", "target", "lengths"),
    [(2, 50_000, [50, 82]), (4, 30_000, [30, 30, 30, 42]), (3, 500, None)],
)
def test_the_originals_vectors(segments: int, target: int, lengths: list[int] | None) -> None:
    places = on_target(Search(operators=132, segments=segments), target, each)
    assert (places and [end - start for start, end in pairwise(places)]) == lengths


@pytest.mark.parametrize("segments", [2, 3, 4, 5, 6, 8])
@pytest.mark.parametrize("step", [1, 3])
def test_any_number_of_segments(segments: int, step: int) -> None:
    search = Search(operators=132, segments=segments, threshold=10, step=step)
    first = (0, *range(1, segments), 132)
    best = find(search, each, first, quiet).best
    assert best.slowest <= 1000 * (-(-132 // segments) + segments * step)
    assert best.places[0] == 0
    assert best.places[-1] == 132
    assert len(best.times) == segments


def test_bounds_that_are_near_enough_give_the_division_that_they_came_from() -> None:
    found = find(Search(operators=10, segments=2), each, (0, 5, 10), quiet)
    assert found.best == found.first
    assert found.best.places == (0, 5, 10)
    assert not found.targets


def test_equal_bounds_are_no_failure() -> None:
    assert find(Search(operators=10, segments=2, threshold=0), each, (0, 5, 10), quiet).best.times == (5000, 5000)


@given(
    times=st.lists(st.integers(1, 50), min_size=4, max_size=30), segments=st.integers(2, 4), step=st.integers(1, 2),
    data=st.data(),
)  # fmt: skip
def test_the_answer_is_never_worse_than_what_it_began_with(
    times: list[int], segments: int, step: int, data: st.DataObject
) -> None:
    def measure(start: int, end: int) -> int:
        return sum(times[start:end])

    if len(times) < segments * step:
        return
    inner = data.draw(
        st.lists(st.integers(1, len(times) - 1), min_size=segments - 1, max_size=segments - 1, unique=True)
    )
    first = (0, *sorted(inner), len(times))
    found = find(Search(operators=len(times), segments=segments, threshold=0, step=step), measure, first, quiet)
    start = divided(first, measure)
    assert start
    assert found.best.slowest <= start.slowest
    assert all(end > begin for begin, end in pairwise(found.best.places))


def test_without_a_division_to_begin_with_it_finds_one() -> None:
    found = find(Search(operators=20, segments=4, threshold=500), each, None, quiet)
    assert found.first is None
    assert found.best.slowest == 5000


def test_what_has_nothing_for_the_edge_tpu_is_no_segment() -> None:
    def measure(start: int, end: int) -> int | None:
        return None if end <= 5 else 1000 * (end - max(start, 5))

    best = find(Search(operators=15, segments=2, threshold=10), measure, None, quiet).best
    assert best.places == (0, 10, 15)


def test_bounds_the_wrong_way_round_and_too_many_segments_are_refused() -> None:
    with pytest.raises(EdgeTpuBuildError, match="above the upper"):
        find(Search(operators=9, segments=2, lower=5, upper=4), each, None, quiet)
    with pytest.raises(EdgeTpuBuildError, match="the model has 9"):
        find(Search(operators=9, segments=5, step=2), each, None, quiet)

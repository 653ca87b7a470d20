"""Buffers in one memory: never less than what is alive at once, and no two at one place at one time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.compiler.packing import WORK_LIMIT, Buffer, alive, packed

STEPS = 12
BUFFERS = st.lists(
    st.tuples(st.integers(1, 90), st.integers(0, STEPS - 1), st.integers(0, STEPS - 1)).map(
        lambda found: Buffer(found[0], min(found[1:]), max(found[1:]))
    ),
    max_size=12,
)


def test_what_is_alive_is_counted_in_its_first_and_last_step() -> None:
    assert alive([Buffer(5, 0, 1), Buffer(7, 1, 2)], 4) == [5, 12, 7, 0]


def test_one_place_serves_buffers_that_never_meet() -> None:
    assert packed([Buffer(8, 0, 1), Buffer(6, 2, 3)], 4) == 8


def test_a_gap_that_is_too_small_is_not_used() -> None:
    """MobileNet v1 0.25 at 128 x 128: 8,996 bytes in Google's files, 6,948 alive."""
    chain = [Buffer(4356, 0, 1), Buffer(2592, 1, 3), Buffer(2048, 3, 5), Buffer(4624, 5, 7)]
    assert max(alive(chain, 8)) == 6948
    assert packed(chain, 8) == 8996


def test_too_much_work_is_left() -> None:
    assert packed([Buffer(1, 0, WORK_LIMIT)], WORK_LIMIT + 1) is None


@given(BUFFERS)
def test_packing_takes_at_least_what_is_alive_and_at_most_everything(buffers: list[Buffer]) -> None:
    found = packed(buffers, STEPS)
    assert found is not None
    assert max(alive(buffers, STEPS)) <= found <= sum(buffer.size for buffer in buffers)

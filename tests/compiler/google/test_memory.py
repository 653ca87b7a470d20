from __future__ import annotations

import pytest

from edgetpu_build.compiler.google.memory import NEEDED, TIMES, available, fitting


@pytest.mark.parametrize(
    ("sizes", "free", "count"),
    [
        ([0, 0, 0, 0], 2 * NEEDED, 2),
        ([NEEDED // TIMES], 4 * NEEDED, 2),
        ([1 << 30], NEEDED, 1),
        ([], NEEDED, 1),
        ([5, 5], 0, 2),
    ],
)
def test_as_many_as_there_is_room_for(sizes: list[int], free: int, count: int) -> None:
    assert fitting(sizes, free) == count


def test_what_is_left_is_known_on_linux() -> None:
    assert available() > 0

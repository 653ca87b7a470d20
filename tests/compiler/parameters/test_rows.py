"""Runs filled up to a multiple of four, and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.compiler.parameters import rows

RUNS = st.lists(st.integers(1, 9), min_size=1, max_size=6).map(tuple) | st.tuples(st.integers(1, 9)).map(
    lambda r: r * 5
)


@given(RUNS, st.integers(1, 9), st.randoms(use_true_random=False))
def test_padding_fills_and_stripping_takes_it_away(runs, count, random) -> None:
    data = random.randbytes(sum(runs) * count)
    fill = [random.randrange(256) for _ in range(count)]
    padded = bytes(rows.pad(data, runs, fill))
    assert len(padded) == count * rows.padded_length(runs)
    assert rows.strip(padded, runs, count) == data
    expected, at = b"", 0
    for row in range(count):
        for run in runs:
            expected += data[at : at + run] + bytes([fill[row]]) * (-run % 4)
            at += run
    assert padded == expected


@given(RUNS, st.integers(1, 5), st.data())
def test_kept_runs_come_back_and_dropped_ones_hold_the_filler(runs, count, draw) -> None:
    kept = sorted(draw.draw(st.sets(st.integers(0, len(runs) - 1), min_size=1)))
    data = bytes(range(sum(runs))) * count
    restored = rows.restore(rows.keep(data, runs, kept, count), runs, kept, [255] * count)
    starts = [sum(runs[:tap]) for tap in range(len(runs))]
    for row in range(count):
        for tap, run in enumerate(runs):
            at = row * sum(runs) + starts[tap]
            assert restored[at : at + run] == (data[at : at + run] if tap in kept else b"\xff" * run)

"""Spans tell what the totals tell, and nothing happens twice at once."""

from __future__ import annotations

import itertools

import pytest

from edgetpu_build.latency import work
from edgetpu_build.latency.constants import FITTED
from edgetpu_build.latency.model import Device, Latency, Traffic, predict
from edgetpu_build.latency.timeline import TRACKS, spans


def latency(streamed: int = 0) -> Latency:
    works = [work.work("CONV_2D", (32, 32, 32), (32, 32, 64), (3, 3)), work.work("ADD", (32, 32, 64), (32, 32, 64))]
    traffic = Traffic(inputs=32 * 32 * 32, outputs=32 * 32 * 64, positions=1024, instructions=9000)
    return predict(works, traffic, Device(), streamed=[streamed, 0], cached=100_000)


@pytest.mark.parametrize("streamed", [0, 20_000, 5_000_000])
def test_an_inference_ends_when_its_total_says(streamed: int) -> None:
    one = latency(streamed)
    assert max(span.end for span in spans([[one]], 1, loaded=True)) == pytest.approx(one.total)
    assert max(span.end for span in spans([[one]], 1)) == pytest.approx(one.first)
    assert max(span.end for span in spans([[one]], 3)) == pytest.approx(one.first + 2 * one.total)


def test_a_device_does_one_thing_at_a_time_on_each_track() -> None:
    found = list(spans([[latency(30_000)], [latency()]], 4))
    for device, track in itertools.product(range(2), TRACKS):
        mine = sorted((s.start, s.end) for s in found if (s.device, s.track) == (device, track))
        assert mine
        assert all(before[1] <= after[0] + 1e-9 for before, after in itertools.pairwise(mine))


def test_the_next_segment_begins_after_the_hand_over() -> None:
    found = list(spans([[latency()], [latency()]], 1, loaded=True))
    first = max(span.end for span in found if span.device == 0)
    second = min(span.start for span in found if span.device == 1)
    assert second == pytest.approx(first + FITTED.hop)

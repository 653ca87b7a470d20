"""Devices in a row."""

from __future__ import annotations

import pytest

from edgetpu_build.latency.constants import FITTED
from edgetpu_build.latency.pipeline import per_input, pipeline


def test_the_slowest_segment_sets_the_pace_and_all_of_them_the_latency() -> None:
    flow = pipeline([2.0, 5.0, 3.0])
    assert (flow.pace, flow.slowest) == (5.0, 1)
    assert flow.latency == pytest.approx(10.0 + 3 * FITTED.hop)
    assert per_input(flow, 1) == flow.latency
    assert per_input(flow, 1000) == pytest.approx(5.0, rel=0.01)


def test_handing_tensors_over_bounds_the_pace() -> None:
    assert pipeline([0.01] * 4).pace == 4 * FITTED.hop


def test_a_single_device_hands_nothing_over() -> None:
    assert pipeline([2.0]).latency == 2.0

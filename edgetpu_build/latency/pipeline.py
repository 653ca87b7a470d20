"""Several devices in a row, one segment each: how long one input takes, and how often a result comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgetpu_build.latency.constants import FITTED, Constants


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Milliseconds. ``latency``: of one input through all segments. ``pace``: between results of a stream."""

    latency: float
    pace: float
    slowest: int


def pipeline(segments: Sequence[float], constants: Constants = FITTED) -> Pipeline:
    """``segments``: milliseconds of each. The host hands tensors over one after another, which bounds the pace, too."""
    hand_over = len(segments) * constants.hop if len(segments) > 1 else 0.0
    slowest = max(range(len(segments)), key=segments.__getitem__)
    return Pipeline(latency=sum(segments) + hand_over, pace=max(segments[slowest], hand_over), slowest=slowest)


def per_input(flow: Pipeline, inputs: int) -> float:
    """Milliseconds an input when ``inputs`` of them go through, the first waiting for nothing."""
    return (flow.latency + (inputs - 1) * flow.pace) / inputs

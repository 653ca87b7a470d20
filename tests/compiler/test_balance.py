"""Balanced cuts are as good as the best that trying everything finds, and never worse than Google's."""

from __future__ import annotations

import itertools
import random

import pytest

from edgetpu_build.compiler import balance, segmentation
from edgetpu_build.compiler.interface import Options
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.tflite.model import Model
from tests.support.graphs import Graph, model


def made(seed: int, size: int = 9) -> Model:
    """Convolutions of all sizes, with sums of branches in between; odd seeds have a tail that stays on the CPU."""
    rng = random.Random(seed)
    net = Graph()
    side = rng.choice([8, 16, 32])
    x = net.input(1, side, side, 16)
    while len(net.operators) < size:
        y = net.conv(x, 16, rng.choice([(1, 1), (3, 3), (5, 5)]), padding="SAME")
        if rng.random() < 0.4:
            z = net.conv(x, 16, padding="SAME")
            y = net.op("ADD", y, z)
        x = y
    if seed % 2:
        x = net.op("ADD", net.op("LEAKY_RELU", x, alpha=0.1), net.conv(x, 16, padding="SAME"))
    return model(net.subgraph(x))


def everything(found: Model, count: int, options: Options) -> float:
    """The least bottleneck over all cuts of Google's order and of the file's."""
    cost = balance.predicted(found, options)
    size = len(found.main.operators)
    orders = [segmentation.schedule(segmentation.consumers(found.main)), list(range(size))]
    best = float("inf")
    for order in orders:
        for cuts in itertools.combinations(range(1, size), count - 1):
            ends = (0, *cuts, size)
            segments = tuple(tuple(sorted(order[a:b])) for a, b in itertools.pairwise(ends))
            best = min(best, balance.bottleneck(segments, cost))
    return best


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("link", ["usb3", "usb2"])
def test_nothing_beats_it(seed: int, count: int, link: str) -> None:
    found, options = made(seed), Options(segments=count, balance="latency", link=link)  # type: ignore[arg-type]
    cuts = balance.by_latency(found, count, options)
    slowest = balance.bottleneck(cuts, balance.predicted(found, options))
    assert slowest == pytest.approx(everything(found, count, options), abs=2e-3)
    assert sorted(itertools.chain(*cuts)) == list(range(len(found.main.operators)))
    assert len(cuts) == count


@pytest.mark.parametrize("seed", range(4))
def test_it_is_never_worse_than_googles_cut(seed: int) -> None:
    found, options = made(seed, 25), Options(segments=4, balance="latency")
    cost = balance.predicted(found, options)
    google = balance.googles(found.main, 4)
    assert balance.bottleneck(balance.by_latency(found, 4, options), cost) <= balance.bottleneck(google, cost)


def test_more_segments_than_operators_are_refused() -> None:
    with pytest.raises(EdgeTpuBuildError, match="12 segments"):
        balance.by_latency(made(1, 9), 12, Options())


def test_divide_finds_the_least_largest_cost() -> None:
    table = [[1, 3, 6, 10], [2, 5, 9], [3, 7], [4]]  # costs 1, 2, 3, 4 in a row
    assert balance.divide([[float(v) for v in row] for row in table], 2) == (6.0, [0, 3, 4])

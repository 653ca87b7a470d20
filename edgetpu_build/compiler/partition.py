"""The profiling partitioner's search: segments whose measured latencies are near each other.

After libcoral's `partition_with_profiling`, whose options these are: a target between the fastest and the slowest
segment is halved until no better division is found; for a target, every segment but the last is as long as it may be
without exceeding it. Measuring is somebody else's business. What it did wrong is put right: any number of segments;
bounds that are equal or already near each other give the division that they came from; the length that keeps a target
is found by halving instead of one by one; outputs may come early; and the answer is never worse than the division that
it began with. Times are nanoseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from edgetpu_build.errors import error

Measure = Callable[[int, int], int | None]
"""Nanoseconds of the operators from one place to another of an order; None where they make no segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is asked for. ``threshold``: bounds closer than that end the search. ``step``: operators added or removed at
    a time. ``lower`` and ``upper``: the bounds to begin with, None for those of the division to begin with.
    """

    operators: int
    segments: int
    threshold: int = 1_000_000
    step: int = 1
    lower: int | None = None
    upper: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """``places``: where segments begin, and the end. ``times``: what was measured of each."""

    places: tuple[int, ...]
    times: tuple[int, ...]

    @property
    def slowest(self) -> int:
        return max(self.times)

    @property
    def spread(self) -> int:
        return self.slowest - min(self.times)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """``best``: the answer. ``first``: the division that it began with, None if that could not be measured."""

    best: Division
    first: Division | None
    targets: int


def find(search: Search, measure: Measure, first: tuple[int, ...] | None, say: Callable[[str], None]) -> Found:
    """The best division. ``first``: places of the division to begin with, Google's own, None where it cannot cut.

    Raises ETB311 where no division can be measured.
    """
    _check(search)
    start = divided(first, measure) if first else None
    best = start
    lower, upper = _bounds(search, start, measure)
    targets = 0
    while upper - lower > max(search.threshold, 1):
        target = (lower + upper) // 2
        targets += 1
        places = on_target(search, target, measure)
        division = divided(places, measure) if places else None
        say(f"target {target / 1e6:.3f} ms: {_told(division)}")
        last = division.times[-1] if division else None
        if division and (best is None or division.slowest < best.slowest):
            best = division
        if last is None:
            lower = target
        elif last <= target:
            upper = target
        else:
            lower, upper = target, min(upper, last)
    if best is None:
        raise error("ETB311", "no division into segments keeps the bounds", "raise `--initial_upper_bound_ns`")
    return Found(best=best, first=start, targets=targets)


def divided(places: tuple[int, ...], measure: Measure) -> Division | None:
    """A division with its times; None if one of its segments has none."""
    times = [measure(start, end) for start, end in pairwise(places)]
    return None if None in times else Division(places=places, times=tuple(time for time in times if time is not None))


def on_target(search: Search, target: int, measure: Measure) -> tuple[int, ...] | None:
    """Places at which no segment but the last takes more than ``target``, each as long as can be; None if there are
    none.
    """
    hopeless: set[tuple[int, int]] = set()

    def rest(number: int, start: int) -> tuple[int, ...] | None:
        left = search.segments - number - 1  # segments behind this one
        if not left:
            return (search.operators,) if measure(start, search.operators) is not None else None
        if (number, start) in hopeless:
            return None
        for end in _ends(start, search.operators - left * search.step, search.step, target, measure):
            behind = rest(number + 1, end)
            if behind:
                return (end, *behind)
        hopeless.add((number, start))
        return None

    found = rest(0, 0)
    return (0, *found) if found else None


def _ends(start: int, last: int, step: int, target: int, measure: Measure) -> Iterator[int]:
    """Where a segment may end that keeps the target, the latest first. Longer ones are taken to be slower."""
    low, high = 0, (last - start) // step  # steps that keep it, steps that are possible
    while low < high:
        middle = (low + high + 1) // 2
        time = measure(start, start + middle * step)
        if time is None or time <= target:  # nothing for the Edge TPU yet: longer
            low = middle
        else:
            high = middle - 1
    for steps in range(low, 0, -1):
        if measure(start, start + steps * step) is not None:
            yield start + steps * step


def _check(search: Search) -> None:
    if search.operators < search.segments * search.step:
        told = f"{search.segments} segments of {search.step} operators and more need {search.segments * search.step}"
        raise error("ETB311", f"{told}, the model has {search.operators}", "lower `--partition_search_step`")


def _bounds(search: Search, start: Division | None, measure: Measure) -> tuple[int, int]:
    """Those given, else of the division to begin with, else nothing and the whole model."""
    if start:
        lower, upper = min(start.times), start.slowest
    else:
        lower, upper = 0, measure(0, search.operators) or 0
    lower = lower if search.lower is None else search.lower
    upper = upper if search.upper is None else search.upper
    if lower > upper:
        told = f"the lower bound ({lower} ns) is above the upper one ({upper} ns)"
        raise error("ETB205", told, "leave the bounds out and they are found", key="initial_lower_bound_ns")
    return lower, upper


def _told(division: Division | None) -> str:
    return "no division" if division is None else f"slowest segment {division.slowest / 1e6:.3f} ms"

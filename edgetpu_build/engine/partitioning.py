"""One model divided by profile: measure, search, compile what was found. What was measured outlives an interruption.

Measurements lie beside the outputs in `.STEM.partition.json`: ``{"format": 1, "of": digest of what they depend on,
"times": {"FIRST:END": nanoseconds or null}}``, places in the order of the operators. A file that cannot be read, or is
of something else, counts as none. It is removed when the outputs are there.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from edgetpu_build import files
from edgetpu_build.compiler import balance, partition, segmentation
from edgetpu_build.compiler.builtin import Builtin
from edgetpu_build.compiler.interface import Options, Request, Result, Source
from edgetpu_build.compiler.partition import Division, Found, Search
from edgetpu_build.compiler.segmentation import Segments
from edgetpu_build.tflite import reader, surgery
from edgetpu_build.tflite.model import Model

FORMAT = 1
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Partitioned:
    """``found``: divisions with their times. ``measured``: how many segments were; ``kept``: how many of an earlier
    run were used.
    """

    found: Found
    segments: Segments
    result: Result
    measured: int
    kept: int


@dataclass(slots=True)
class Times:
    """Nanoseconds by run of the order, None where it makes no segment. Owns the file that they are kept in."""

    path: str
    of: str
    known: dict[tuple[int, int], int | None] = field(default_factory=dict)
    new: int = 0

    def load(self) -> int:
        """Takes what an interrupted run left; answers how many."""
        with suppress(OSError, ValueError, TypeError, AttributeError, KeyError):
            document: dict[str, Any] = json.loads(files.read_stable(self.path)[0])
            if document["format"] == FORMAT and document["of"] == self.of:
                for run, time in document["times"].items():
                    first, _, end = run.partition(":")
                    self.known[int(first), int(end)] = None if time is None else int(time)
        return len(self.known)

    def save(self) -> None:
        times = {f"{first}:{end}": time for (first, end), time in sorted(self.known.items())}
        document = {"format": FORMAT, "of": self.of, "times": times}
        files.write_atomic(self.path, json.dumps(document, indent=0).encode())

    def forget(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self.path)


Profiler = Callable[[bytes], float]
"""Milliseconds of an uncompiled segment, measured."""


def by_profile(
    source: Source,
    options: Options,
    search: Search,
    folder: str,
    *,
    resume: bool,
    say: Say,
    profiler: Profiler | None = None,
) -> Partitioned:
    """The best division by profile, compiled by builtin. ``search.operators`` is filled in here. Without a ``profiler``
    segments take what is predicted.

    Raises ETB311 where there is no division. Interrupted, it leaves what it measured for ``resume``.
    """
    model = reader.read(source.data, label=source.label)
    order = segmentation.schedule(segmentation.consumers(model.main))
    name = os.path.basename(source.label).removesuffix(".tflite")
    times = Times(
        os.path.join(folder, f".{name}.partition.json"), _digest(source, options, measured=profiler is not None)
    )
    kept = times.load() if resume else 0
    cost = balance.predicted(model, options) if profiler is None else _measured(model, profiler)

    def measure(start: int, end: int) -> int | None:
        run = (start, end)
        if run not in times.known:
            milliseconds = cost(tuple(sorted(order[start:end])))
            times.known[run] = None if milliseconds == balance.NEVER else round(milliseconds * 1e6)
            times.new += 1
            say(f"{len(times.known)} segments measured")
        return times.known[run]

    asked = Search(
        operators=len(order),
        segments=search.segments,
        threshold=search.threshold,
        step=search.step,
        lower=search.lower,
        upper=search.upper,
    )
    with _kept(times):
        found = partition.find(asked, measure, _first(model, search.segments, order), say)
        segments = tuple(tuple(sorted(order[a:b])) for a, b in pairwise(found.best.places))
        if profiler is None and found.targets and search.step == 1:
            found, segments = _better(found, segments, model, options, cost)
        say("compiling what was found")
        result = Builtin(segments).compile(Request(sources=(source,), options=options), timeout=0, progress=say)
    return Partitioned(found=found, segments=segments, result=result, measured=times.new, kept=kept)


def forget(folder: str, path: str) -> None:
    """Removes what was kept of the measurements for a model: its outputs are there."""
    name = os.path.basename(path).removesuffix(".tflite")
    Times(os.path.join(folder, f".{name}.partition.json"), "").forget()


def _measured(model: Model, profiler: Profiler) -> balance.Cost:
    def cost(operators: tuple[int, ...]) -> float:
        return profiler(surgery.extract(model, operators, *surgery.boundary(model.main, operators)))

    return cost


def _better(
    found: Found, segments: Segments, model: Model, options: Options, cost: balance.Cost
) -> tuple[Found, Segments]:
    """The optimum where the search passed it over: with predicted times it can be had outright."""
    optimum = balance.by_latency(model, len(segments), options)
    times = tuple(round(cost(segment) * 1e6) for segment in optimum)
    if max(times) >= found.best.slowest:
        return found, segments
    return replace(found, best=Division(places=(), times=times)), optimum


@contextmanager
def _kept(times: Times) -> Iterator[None]:
    try:
        yield
    except BaseException:
        if times.new:
            times.save()
        raise


def _first(model: Model, count: int, order: list[int]) -> tuple[int, ...] | None:
    """Places of Google's own cut in the order."""
    cuts = balance.googles(model.main, count)
    if not cuts:
        return None
    places = [0]
    for segment in cuts:
        places.append(places[-1] + len(segment))
    return tuple(places)


def _digest(source: Source, options: Options, *, measured: bool) -> str:
    how = "measured" if measured else "predicted"
    facts = (how, options.link, options.clock, options.generation, options.min_runtime_version)
    return hashlib.sha256(source.data + repr(facts).encode()).hexdigest()

"""A workload over devices: requests come in, wait, swap parameters, run. Deterministic; every time is predicted.

A device keeps the parameters of one caching token. A model of another token wipes it, and the first inference of a
model after that loads its own. Requests wait in the order in which they are ready; of several routes a request takes
the one that would be done first.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Request = tuple[float, str]
"""When (milliseconds), and which model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a device does for a request. ``run``: milliseconds once loaded, ``load``: before that. ``token`` 0: it keeps
    nothing.
    """

    name: str
    run: float
    load: float
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A task on a device, and milliseconds to hand over to the next step."""

    device: int
    task: Task
    hand_over: float = 0.0


Routes = Mapping[str, Sequence[Sequence[Step]]]
"""Model -> the ways that a request can take, each a row of steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Milliseconds from request to result of one model."""

    count: int
    median: float
    p95: float
    p99: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a workload. ``busy``: share of the time by device. ``swaps``: loads that displaced something.

    ``loading``: milliseconds spent on loads. ``behind``: by how much the last result comes after the last request.
    """

    waits: Mapping[str, Waits]
    busy: tuple[float, ...]
    loads: int
    swaps: int
    loading: float
    seconds: float
    behind: float

    @property
    def keeps_up(self) -> bool:
        """Whether no device was busy all the time."""
        return max(self.busy, default=0.0) < 0.995


@dataclass(slots=True)
class _Memory:
    """What a device holds, and when it is free."""

    free: float = 0.0
    used: float = 0.0
    token: int = 0
    loaded: set[str] = field(default_factory=set)
    loads: int = 0
    swaps: int = 0
    loading: float = 0.0

    def needs(self, task: Task) -> float:
        """Milliseconds of loading before the task can run."""
        there = not task.token or (self.token == task.token and task.name in self.loaded)
        return 0.0 if there else task.load

    def take(self, task: Task, ready: float) -> float:
        """Runs the task; answers when it is done."""
        needs = self.needs(task)
        if task.token and self.token != task.token:
            self.swaps += bool(self.loaded)
            self.token, self.loaded = task.token, set()
        if task.token and task.name not in self.loaded:
            self.loaded.add(task.name)
            self.loads += 1
            self.loading += needs
        self.used += needs + task.run
        self.free = max(ready, self.free) + needs + task.run
        return self.free


def run(requests: Iterable[Request], routes: Routes, devices: int) -> Outcome:
    """The outcome of requests, in any order. A model without a route is a KeyError."""
    came = sorted(requests)
    memories = [_Memory() for _ in range(devices)]
    queue: list[tuple[float, int, int, Sequence[Step]]] = []  # ready, request, step, route
    waits: dict[str, list[float]] = {}
    end = 0.0
    for number, (at, model) in enumerate(came):
        heapq.heappush(queue, (at, number, 0, ()))
        waits.setdefault(model, [])
    while queue:
        ready, number, place, route = heapq.heappop(queue)
        arrived, model = came[number]
        if not place:
            route = min(routes[model], key=lambda way: _done(way[0], memories, ready))
        step = route[place]
        done = memories[step.device].take(step.task, ready)
        if place + 1 < len(route):
            heapq.heappush(queue, (done + step.hand_over, number, place + 1, route))
        else:
            waits[model].append(done - arrived)
            end = max(end, done)
    whole = max(end, came[-1][0] if came else 0.0) or 1.0
    return Outcome(
        waits={model: _waits(found) for model, found in sorted(waits.items())},
        busy=tuple(memory.used / whole for memory in memories),
        loads=sum(memory.loads for memory in memories),
        swaps=sum(memory.swaps for memory in memories),
        loading=sum(memory.loading for memory in memories),
        seconds=whole / 1000,
        behind=max(0.0, end - came[-1][0]) if came else 0.0,
    )


def periodic(rates: Mapping[str, float], seconds: float) -> list[Request]:
    """Each model at its rate a second, evenly; models begin one after another within the shortest period."""
    longest = min((1000 / rate for rate in rates.values() if rate > 0), default=1.0)
    found = []
    for number, (model, rate) in enumerate(rates.items()):
        offset = longest * number / max(1, len(rates))
        count = math.floor(seconds * rate)
        found += [(offset + 1000 * k / rate, model) for k in range(count)]
    return sorted(found)


def at_random(rates: Mapping[str, float], seconds: float, seed: int = 0) -> list[Request]:
    """Each model at its rate a second on average, at times that know nothing of each other."""
    found = []
    for model, rate in sorted(rates.items()):
        source, at = random.Random(f"{seed} {model}"), 0.0  # noqa: S311 no secret
        while rate > 0:
            at += source.expovariate(rate / 1000)
            if at >= seconds * 1000:
                break
            found.append((at, model))
    return sorted(found)


def _done(step: Step, memories: Sequence[_Memory], ready: float) -> tuple[float, bool]:
    """When a device would be done, and whether it would lose parameters of something else by it."""
    memory, task = memories[step.device], step.task
    displaces = bool(task.token and memory.loaded and memory.token != task.token)
    return max(ready, memory.free) + memory.needs(task) + task.run, displaces


def _waits(found: Sequence[float]) -> Waits:
    ordered = sorted(found)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]

    return Waits(count=len(ordered), median=at(0.5), p95=at(0.95), p99=at(0.99), most=ordered[-1])

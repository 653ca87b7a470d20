"""Where to cut so that the slowest segment is as fast as it can be, by predicted latency.

A cut set divides an order of the operators into runs; which tensors cross does not matter, so branches are cut like
anything else. Two orders are searched: Google's depth-first one, in which its own ``-n`` cuts, and the file's. The
optimum over all cut sets of both is found by dynamic programming over bounds that cost next to nothing, which are
replaced by whole forecasts where the best cut set rests on them, until it rests on forecasts alone. Google's own cut is
one of those compared, so the result is never worse by the same prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from operator import add

from edgetpu_build.chip.facts import SRAM_BYTES
from edgetpu_build.chip.generations import generation
from edgetpu_build.compiler import segmentation, timing
from edgetpu_build.compiler.capacity import POOL_BYTES
from edgetpu_build.compiler.footprint import tile_bytes
from edgetpu_build.compiler.forecast import Forecast, predict, predict_segment
from edgetpu_build.compiler.instructions import instruction_bytes
from edgetpu_build.compiler.interface import Options
from edgetpu_build.compiler.segmentation import Segments
from edgetpu_build.errors import EdgeTpuBuildError, error
from edgetpu_build.latency.constants import FITTED
from edgetpu_build.latency.model import IMAGE, Device
from edgetpu_build.latency.work import shape
from edgetpu_build.tflite.model import Model, Subgraph

NEVER = float("inf")
ROUNDS = 400  # of dynamic programming; what is best by then is taken
_SHARED = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "QUANTIZE", "PAD")  # may leave their result where it was
_CLOSE = 1e-6  # milliseconds that do not matter

Cost = Callable[[tuple[int, ...]], float]
"""Milliseconds of a segment, given by its operators in file order."""


def by_latency(model: Model, count: int, options: Options) -> Segments:
    """The cuts into ``count`` segments whose slowest one is fastest. ETB311 if there are not that many operators."""
    subgraph = model.main
    if count > len(subgraph.operators):
        told = f"cannot be cut into {count} segments: it has {len(subgraph.operators)} operators"
        raise error("ETB311", told, "set fewer `segments`")
    cost = predicted(model, options)
    best = googles(subgraph, count)
    limit = bottleneck(best, cost) if best else NEVER
    (whole,) = predict([model], options)
    for order in _orders(subgraph):
        found, slowest = _optimum(order, count, _bounds(whole, order, options), cost, limit)
        if found:
            best, limit = found, slowest
    if not best:
        raise error("ETB311", f"cannot be cut into {count} segments that each have something for the Edge TPU")
    return best


def googles(subgraph: Subgraph, count: int) -> Segments:
    """Google's own cut, () where it cannot cut."""
    try:
        return segmentation.by_parameters(subgraph, count)
    except EdgeTpuBuildError:
        return ()


def bottleneck(segments: Segments, cost: Cost) -> float:
    """Milliseconds of the slowest segment."""
    return max(map(cost, segments))


def predicted(model: Model, options: Options) -> Cost:
    """Predicted milliseconds of segments, each asked for once; ``NEVER`` where nothing runs on the Edge TPU."""
    known: dict[tuple[int, ...], float] = {}

    def cost(operators: tuple[int, ...]) -> float:
        if operators not in known:
            try:
                value = predict_segment(model, operators, options).figures.latency_ms.value
            except EdgeTpuBuildError:
                value = None
            known[operators] = NEVER if value is None else value
        return known[operators]

    return cost


def _orders(subgraph: Subgraph) -> Iterator[list[int]]:
    depth_first = segmentation.schedule(segmentation.consumers(subgraph))
    in_file = list(range(len(subgraph.operators)))
    yield depth_first
    if depth_first != in_file and _in_order(subgraph):
        yield in_file


def _in_order(subgraph: Subgraph) -> bool:
    """Whether every operator of the file stands behind those that it reads from."""
    makers = {index: place for place, op in enumerate(subgraph.operators) for index in op.outputs}
    return all(makers.get(index, -1) < place for place, op in enumerate(subgraph.operators) for index in op.inputs)


Table = list[list[float]]
"""``table[start][end - start - 1]``: milliseconds, at least, of the operators from ``start`` to ``end`` of an order."""


def _optimum(order: Sequence[int], count: int, table: Table, cost: Cost, limit: float) -> tuple[Segments, float]:
    """The best cut set of an order if its slowest segment is faster than ``limit``, else ()."""
    best: Segments = ()
    for _ in range(ROUNDS):
        bound, cuts = divide(table, count)
        if bound >= limit - _CLOSE:
            break
        found, slowest = _asked(order, cuts, table, cost)
        if slowest < limit - _CLOSE:
            best, limit = found, slowest
    return (_shortest(best, order, table, cost, limit) if best else best), limit


def _shortest(best: Segments, order: Sequence[int], table: Table, cost: Cost, limit: float) -> Segments:
    """Of the cut sets with no segment slower than ``limit`` the one through which an input passes fastest."""
    most = limit + _CLOSE
    within = [[value if value <= most else NEVER for value in row] for row in table]
    least = sum(map(cost, best))
    for _ in range(ROUNDS):
        bound, cuts = divide(within, len(best), add)
        if bound >= least - _CLOSE:
            break
        found, slowest = _asked(order, cuts, within, cost)
        for start, end in pairwise(cuts):
            if within[start][end - start - 1] > most:
                within[start][end - start - 1] = NEVER
        if slowest <= most and sum(map(cost, found)) < least:
            best, least = found, sum(map(cost, found))
    return best


def _asked(order: Sequence[int], cuts: Sequence[int], table: Table, cost: Cost) -> tuple[Segments, float]:
    """The segments and the slowest one's milliseconds, now by forecast, which the table then has, too."""
    found = tuple(tuple(sorted(order[start:end])) for start, end in pairwise(cuts))
    for segment, (start, end) in zip(found, pairwise(cuts), strict=True):
        table[start][end - start - 1] = cost(segment)
    return found, bottleneck(found, cost)


def divide(table: Table, count: int, join: Callable[[float, float], float] = max) -> tuple[float, list[int]]:
    """(cost, places) of the division into ``count`` runs that is cheapest when their costs are joined: by default the
    one whose largest is least. Places begin with 0.
    """
    size = len(table)
    best = [NEVER, *table[0]]
    came: list[list[int]] = []
    for number in range(1, count):
        after, back = [NEVER] * (size + 1), [0] * (size + 1)
        for start in range(number, size):
            before = best[start]
            for end, value in enumerate(table[start], start + 1):
                joined = join(before, value)
                if joined < after[end]:
                    after[end], back[end] = joined, start
        best = after
        came.append(back)
    places = [size]
    for back in reversed(came):
        places.append(back[places[-1]])
    return best[size], [0, *reversed(places)]


def _bounds(whole: Forecast, order: Sequence[int], options: Options) -> Table:
    """What every run of the order takes at least: what must be sent, and computing or streaming what does not fit."""
    runs = _Runs(whole, order, options)
    return [list(runs.from_place(start)) for start in range(len(order))]


class _Runs:
    """Sums over runs of an order, each found from the one before it."""

    def __init__(self, whole: Forecast, order: Sequence[int], options: Options) -> None:
        subgraph, device = whole.model.main, timing.device_of(options)
        self._operators = [subgraph.operators[index] for index in order]
        self._rate = FITTED.bandwidth[device.link] * 1e3
        self._fixed = FITTED.fixed[device.link]
        self._room = POOL_BYTES if options.generation == "16.0" else SRAM_BYTES
        compute = {time.index: time.compute for found in timing.times(whole, device) for time in found.operators}
        stored: dict[int, int] = {}
        for decision in whole.decisions:
            layer = decision.candidate.layer
            stored[layer.index] = stored.get(layer.index, 0) + layer.size
        self._compute = [compute.get(index, 0.0) for index in order]
        self._stored = [stored.get(index, 0) for index in order]
        new = generation(options.generation).writes_for(options.min_runtime_version) >= 13
        start = instruction_bytes(subgraph, (), (), new=new).value or 0
        self._start = start / self._rate
        self._told = [
            ((instruction_bytes(subgraph, (index,), (_held(subgraph, index),), new=new).value or 0) - start)
            / self._rate
            if index in compute
            else 0.0
            for index in order
        ]
        self._made = {tensor: place for place, op in enumerate(self._operators) for tensor in op.outputs}
        self._last: dict[int, int] = {tensor: len(order) for tensor in subgraph.outputs}
        self._mapped = [index in compute for index in order]
        for place, op in enumerate(self._operators):
            for tensor in op.inputs:  # what the CPU reads leaves the Edge TPU, wherever the cut is
                until = place if self._mapped[place] else len(order)
                self._last[tensor] = max(self._last.get(tensor, 0), until)
        self._ends: list[list[int]] = [[] for _ in range(len(order) + 1)]
        for tensor, place in self._last.items():
            self._ends[place].append(tensor)
        self._sent = _sizes(subgraph, self._rate)
        self._given = _costs_of_outputs(subgraph, device, self._rate)
        self._fed = frozenset(subgraph.inputs)

    def from_place(self, start: int) -> Iterator[float]:
        """Milliseconds of the runs that begin at ``start``, shortest first."""
        entering: set[int] = set()
        sent = self._fixed + self._start
        compute = given = 0.0
        stored = 0
        for place in range(start, len(self._operators)):
            op, mapped = self._operators[place], self._mapped[place]
            for tensor in op.inputs if mapped else ():
                if tensor not in entering and (tensor in self._fed or self._made.get(tensor, place) < start):
                    entering.add(tensor)
                    sent += self._sent[tensor]
            if mapped:
                given += sum(self._given[tensor] for tensor in op.outputs if self._last.get(tensor, -1) > place)
                given -= sum(self._given[tensor] for tensor in self._ends[place] if self._inside(tensor, start, place))
            sent += self._told[place]
            compute += self._compute[place]
            stored += self._stored[place]
            streams = max(0, stored - self._room) / self._rate
            yield sent + given + max(compute, streams)

    def _inside(self, tensor: int, start: int, place: int) -> bool:
        """Whether the Edge TPU made it since ``start``."""
        made = self._made.get(tensor, -1)
        return start <= made < place and self._mapped[made]


def _held(subgraph: Subgraph, index: int) -> int:
    """Bytes of a tile that an operator needs at least: its own maps, where it gives a map of its own."""
    op = subgraph.operators[index]
    if op.kind in _SHARED:
        return 0
    maps = [subgraph.tensors[i] for i in (*op.inputs, *op.outputs) if i >= 0]
    return sum(tile_bytes(t.shape) for t in maps if t.data is None)


def _sizes(subgraph: Subgraph, rate: float) -> list[float]:
    sizes = (shape(tensor) for tensor in subgraph.tensors)
    return [rows * columns * channels / rate for rows, columns, channels in sizes]


def _costs_of_outputs(subgraph: Subgraph, device: Device, rate: float) -> list[float]:
    """Milliseconds that each tensor costs as an output."""
    costs = []
    for tensor in subgraph.tensors:
        rows, columns, channels = shape(tensor)
        positions = rows * columns if rows * columns > IMAGE else 0
        size = rows * columns * channels
        in_order = size * FITTED.output_mb[device.host] * 1e-6
        costs.append(in_order + size / rate + positions * FITTED.output_pixel_us[device.host] * 1e-3)
    return costs

"""``order = "auto"``: the order of a co-compile group that leaves least off-chip, weighted by calls per second."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations

from edgetpu_build.compiler.caching import IN_ORDER, POLICIES, allocate
from edgetpu_build.compiler.forecast import predict
from edgetpu_build.compiler.interface import Options
from edgetpu_build.tflite.model import Model

TRIED = 5  # models of which every order is tried; of more, each is first in turn and the others follow by their calls

Order = tuple[int, ...]


def best_order(models: Sequence[Model], options: Options, calls: Sequence[float]) -> Order:
    """Positions of the models in the order in which to name them. ``calls``: calls per second of each.

    The order given wins a tie, and always with 16.0, which pools the layers of all models whatever their order.
    """
    given = tuple(range(len(models)))
    if POLICIES.get(options.generation, IN_ORDER).pooled:
        return given
    forecasts = predict(models, options)
    asking = [[decision.candidate for decision in forecast.decisions] for forecast in forecasts]

    def streamed(order: Order) -> float:
        """Bytes a second that come from off-chip memory."""
        dealt = allocate([asking[k] for k in order], forecasts[0].room, options.generation).decisions
        bytes_of = (sum(d.candidate.layer.size for d in mine if not d.cached) for mine in dealt)
        return sum(calls[k] * size for k, size in zip(order, bytes_of, strict=True))

    return min(_orders(given, calls), key=streamed)


def _orders(given: Order, calls: Sequence[float]) -> Iterable[Order]:
    """The order given first: ``min`` keeps the first of equals."""
    if len(given) <= TRIED:
        return permutations(given)
    often = sorted(given, key=lambda k: -calls[k])
    return (given, tuple(often), *((first, *(k for k in often if k != first)) for first in given))

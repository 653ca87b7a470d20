"""Parameters of an artifact: found by making them from the old model, replaced by those made from the new one.

Nothing is taken for parameters that is not: every byte of every executable's parameters must be the layout of an
operator, and every layout must be there.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgetpu_build.compiler.reweight.graphs import Graph
from edgetpu_build.errors import EdgeTpuBuildError, error

HINT = "compile the new model with Google's compiler"


@dataclass(frozen=True, slots=True)
class Place:
    """The layer at position ``layer`` of the graph's lies in executable ``executable`` from byte ``start`` on."""

    layer: int
    executable: int
    start: int


def refused(what: str) -> EdgeTpuBuildError:
    """The error of everything that cannot be proven."""
    return error("ETB323", f"not proven: {what}", HINT)


def blobs_of(graph: Graph) -> list[bytes]:
    """The bytes of every layer."""
    return [layer.blob() for layer in graph.layers]


def places(made: list[bytes], stored: list[memoryview]) -> list[Place] | None:
    """Where every layer lies; None if they do not tile the parameters without gap."""
    free, found = dict(enumerate(made)), []
    for number, view in enumerate(stored):
        start, parameters = 0, bytes(view)  # comparing views is slow
        while start < len(parameters):
            layer = _at(free, parameters, start)
            if layer is None:
                return None
            found.append(Place(layer, number, start))
            start += len(free.pop(layer))
    return None if free else found


def replaced(
    old: Graph, new: Graph, data: tuple[list[bytes], list[bytes]], found: list[Place]
) -> list[tuple[Place, bytes]]:
    """The new bytes for every place, from ``data`` of the old and of the new.

    ETB323 where a layer has another layout, or could as well lie elsewhere.
    """
    twins: dict[bytes, bytes] = {}
    result = []
    made, fresh = data
    if len(fresh) != len(made):
        raise refused("the new model has parameters for other operators than the old one")
    for place in found:
        before, after = old.layers[place.layer], new.layers[place.layer]
        if before.index != after.index or [p.size for p in before.pieces] != [p.size for p in after.pieces]:
            raise refused(
                f"{old.name(before.index)} takes {before.size} bytes of parameters, with the new numbers {after.size}: "
                "a bias that is all equal, or scales that are, change the layout"
            )
        new_bytes = fresh[place.layer]
        if twins.setdefault(made[place.layer], new_bytes) != new_bytes:
            raise refused(f"the parameters of {old.name(before.index)} could be another operator's: they are equal")
        result.append((place, new_bytes))
    return result


def _at(free: dict[int, bytes], parameters: bytes, start: int) -> int | None:
    """The layer that lies here: the longest that fits."""
    fitting = [layer for layer, data in free.items() if parameters.startswith(data, start)]
    return max(fitting, key=lambda layer: len(free[layer]), default=None)

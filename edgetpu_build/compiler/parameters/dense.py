"""FULLY_CONNECTED: a convolution with one tap over everything that comes in."""

from __future__ import annotations

from math import prod

from edgetpu_build.compiler.parameters import header, joint
from edgetpu_build.compiler.parameters.convolution import constant, of_matrix
from edgetpu_build.compiler.parameters.layer import Draft
from edgetpu_build.compiler.parameters.matrix import Matrix
from edgetpu_build.compiler.parameters.site import Site, positions


def dense(site: Site) -> Draft | None:
    """Constant weights. The input keeps the gaps of what made it: the cells of a flattened map, or the parts of a
    CONCATENATION, each filled up to four channels."""
    source, weights = site.input(0), site.input(1)
    if source is None or weights is None or not constant(weights) or len(weights.shape) != 2:
        return None
    outputs, depth = weights.shape
    piece = Matrix(
        what="weights",
        tensor=site.number(1),
        data=weights.data,
        outputs=outputs,
        runs=_runs(site, depth),
        header=header.of(source, weights, (site.number(2), site.input(2)), site.output, outputs, site.generation),
        zero_points=header.stored_zero_points(weights, outputs),
        flip=weights.type == "INT8",
        repeats_lane=site.generation.repeats_lane,
    )
    return of_matrix(piece)


def _runs(site: Site, depth: int) -> tuple[int, ...]:
    parts = joint.parts_behind(site, site.number(0))
    if parts and sum(parts) == depth:
        return parts
    shape = _map(site, site.number(0))
    if shape and prod(shape) == depth and shape[1] % 4:
        return (shape[1],) * shape[0]
    return (depth,)


def _map(site: Site, tensor: int) -> tuple[int, int] | None:
    """(cells, channels) of the map that was flattened into ``tensor``; None if it is none."""
    found = site.subgraph.tensors[tensor]
    while not (len(found.shape) == 4 and positions(found) > 1):
        maker = site.before(tensor)
        if maker is None or maker.kind != "RESHAPE":
            return None
        tensor = maker.number(0)
        found = site.subgraph.tensors[tensor]
    return positions(found), found.shape[3]

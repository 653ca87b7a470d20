"""What a CONCATENATION of channels off the grid of four leaves to the operators behind it."""

from __future__ import annotations

from edgetpu_build.compiler.parameters.site import Site, channels


def parts_behind(site: Site, tensor: int) -> tuple[int, ...]:
    """Channel counts of a mapped CONCATENATION that makes ``tensor`` with gaps; empty if there is none."""
    maker = site.before(tensor) if tensor >= 0 else None
    if maker is None or maker.kind != "CONCATENATION":
        return ()
    parts = parts_of(maker)
    return parts if any(part % 4 for part in parts[:-1]) else ()


def parts_of(site: Site) -> tuple[int, ...]:
    """Channel counts of a CONCATENATION's inputs; empty if it joins along another axis."""
    parts = tuple(channels(site.subgraph.tensors[tensor]) for tensor in site.operator.inputs)
    return parts if sum(parts) == channels(site.output) else ()

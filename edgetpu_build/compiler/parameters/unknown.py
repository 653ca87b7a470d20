"""Operators that are known to take parameter bytes sometimes, but not how many: counted as none, and said so.

Two attention nets and a net of padded average pools have totals that these do not explain; of L2_NORMALIZATION and
SPACE_TO_DEPTH no compile is at hand.
"""

from __future__ import annotations

from edgetpu_build.compiler.parameters.layer import Draft
from edgetpu_build.compiler.parameters.site import Site, integers


def unknown(site: Site) -> Draft:
    """Nothing is stored as far as anybody knows; the figure is a guess."""
    return Draft(
        pieces=(), confidence="estimated", reason=f"what {site.kind} takes here is not known, counted as nothing"
    )


def average_pool(site: Site) -> Draft | None:
    """A window that reaches over the rim: a mean over fewer values there."""
    source, options = site.input(0), site.operator.options
    if source is None or options.get("padding") != "SAME" or len(source.shape) != 4 or len(site.output.shape) != 4:
        return None
    reached = (
        (site.output.shape[1 + axis] - 1) * options.get(f"stride_{letter}", 1)
        + options.get(f"filter_{'height' if letter == 'h' else 'width'}", 1)
        - source.shape[1 + axis]
        for axis, letter in enumerate("hw")
    )
    return unknown(site) if max(reached) > 0 else None


def turned(site: Site) -> Draft | None:
    """A TRANSPOSE that changes the order of dimensions larger than 1."""
    source, order = site.input(0), integers(site.input(1))
    if source is None or len(order) != len(source.shape) or sorted(order) != list(range(len(order))):
        return None
    moved = [axis for axis in order if source.shape[axis] > 1]
    return unknown(site) if moved != sorted(moved) else None

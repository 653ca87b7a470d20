"""What differs between generations of Google's compiler in the parameters that they write, as data.

Found by regenerating the blobs of public artifacts whose compiler is known: 1.0 (runtime 10), 2.0 to 15.0 (runtime 12),
16.0 (runtime 14, and 13 when asked for).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """Which biases move into the instructions instead of being stored, and what else differs.

    ``folds``: equal values over whole groups of four channels, and zeros whatever their number. ``folding_seen``: files
    show it, else it is a guess. ``folds_depthwise``: in depthwise convolutions too (41 of 15.0 with zeros keep them).
    ``folds_single_zero``: a lone zero (six convolutions of 14.1 with one output). ``softmax_planes``: of a table of
    SOFTMAX.
    """

    name: str
    folds: bool = False
    folding_seen: bool = True
    folds_depthwise: bool = False
    folds_single_zero: bool = False
    softmax_planes: int = 0


GENERATIONS: dict[str, Generation] = {
    generation.name: generation
    for generation in (
        Generation(name="1.0"),
        Generation(name="2.0"),
        Generation(name="2.1"),
        Generation(name="14.1", folds_single_zero=True),
        Generation(name="15.0", folds=True, folding_seen=False, folds_single_zero=True, softmax_planes=2),
        Generation(name="16.0", folds=True, folds_depthwise=True, folds_single_zero=True, softmax_planes=3),
    )
}

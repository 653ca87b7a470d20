"""What differs between generations of Google's compiler in the parameters that they write, as data.

Found by regenerating the blobs of public artifacts whose compiler is known: 1.0 (runtime 10), 2.0 to 15.0 (runtime 12),
16.0 (runtime 14, and 13 when asked for).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """``folds_bias``: an array of equal biases moves into the instructions. ``softmax_planes``: of a table of SOFTMAX.

    ``repeats_lane``: lanes that fill up a group of four repeat channel 0 (else they are zero).
    """

    name: str
    folds_bias: bool
    softmax_planes: int
    repeats_lane: bool = True


GENERATIONS: dict[str, Generation] = {
    generation.name: generation
    for generation in (
        Generation(name="1.0", folds_bias=False, softmax_planes=0, repeats_lane=False),
        Generation(name="2.0", folds_bias=False, softmax_planes=0),
        Generation(name="2.1", folds_bias=False, softmax_planes=0),
        Generation(name="14.1", folds_bias=False, softmax_planes=0),
        Generation(name="15.0", folds_bias=True, softmax_planes=2),
        Generation(name="16.0", folds_bias=True, softmax_planes=3),
    )
}

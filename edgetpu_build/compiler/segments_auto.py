"""``segments = "auto"``: the smallest count with nothing off-chip."""

from __future__ import annotations

from collections.abc import Callable

from edgetpu_build.errors import EdgeTpuBuildError


def smallest(off_chip: Callable[[int], float], most: int) -> tuple[int, float]:
    """(count, bytes off-chip): the first count from 1 to ``most`` that leaves nothing off-chip, else the one that
    leaves least.

    ``off_chip`` compiles (or predicts) for a count. A count into which the model cannot be cut (ETB311) is passed over.
    """
    best: tuple[int, float] = (1, float("inf"))
    for count in range(1, most + 1):
        try:
            left = off_chip(count)
        except EdgeTpuBuildError as problem:
            if count == 1 or any(d.code != "ETB311" for d in problem.diagnostics):
                raise
            continue
        if left < best[1]:
            best = count, left
        if not left:
            break
    return best

"""A picture of the counter in, its reading out: cut into cells, leave out the unreadable, ask twice where in doubt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meter_reader.models import Network

CELL = 16
READABLE = 0.5
SURE = 0.8


@dataclass(frozen=True)
class Reading:
    """One character a cell, ``?`` where it cannot be read; ``asked_twice``: positions that went to ``judge``."""

    text: str
    asked_twice: tuple[int, ...]


def cells(picture: np.ndarray) -> np.ndarray:
    """Grey picture [16, 16 * n] in 0..1 -> float32 cells [n, 16, 16, 1]."""
    height, width = picture.shape
    if height != CELL or width % CELL:
        raise ValueError(f"the picture is {height} x {width}; expected {CELL} x a multiple of {CELL}")
    return np.stack(np.split(picture.astype("float32"), width // CELL, axis=1))[..., None]


def read(picture: np.ndarray, finder: Network, digits: Network, judge: Network) -> Reading:
    """Reads every cell that ``finder`` finds readable with ``digits``, and again with ``judge`` where unsure."""
    parts = cells(picture)
    readable = finder(parts)[:, 1] >= READABLE
    guesses = digits(parts)
    doubtful = np.flatnonzero(readable & (guesses.max(axis=1) < SURE))
    if len(doubtful):
        guesses[doubtful] += judge(parts[doubtful])
    text = "".join(str(g.argmax()) if ok else "?" for g, ok in zip(guesses, readable, strict=True))
    return Reading(text, tuple(int(i) for i in doubtful))

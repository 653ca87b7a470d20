"""Sizes and durations as people write them: "6.5 MiB", "180s". Bytes are ints, seconds are floats."""

from __future__ import annotations

import re

SIZES = {"B": 1, "KB": 1000, "KiB": 1 << 10, "MB": 1000**2, "MiB": 1 << 20}
DURATIONS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0}
_AMOUNT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)\s*")


def parse_size(text: str) -> int:
    """Bytes of "64 KiB", "1.5MB", "12 B"; ValueError for anything else, fractions of a byte included."""
    amount, unit = _split(text, SIZES)
    size = amount * SIZES[unit]
    if size != int(size):
        raise ValueError(f"`{text}` is not a whole number of bytes")
    return int(size)


def parse_duration(text: str) -> float:
    """Seconds of "180s", "15 ms", "3 min"; ValueError for anything else."""
    amount, unit = _split(text, DURATIONS)
    return amount * DURATIONS[unit]


def _split(text: str, units: dict[str, int] | dict[str, float]) -> tuple[float, str]:
    match = _AMOUNT.fullmatch(text)
    if not match or match[2] not in units:
        raise ValueError(f"`{text}` is not a number followed by one of {', '.join(units)}")
    return float(match[1]), match[2]


def format_size(size: float) -> str:
    """Two decimals and a binary unit without a blank, as Google's compiler prints it: "6.50MiB", "0.00B"."""
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if abs(size) >= unit:
            return f"{size / unit:.2f}{name}"
    return f"{size:.2f}B"


def format_duration(seconds: float) -> str:
    """Three figures at most and a unit: "812 ms", "1.4 s", "2 min 5 s"."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"

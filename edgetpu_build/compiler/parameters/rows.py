"""Rows of bytes cut into runs, each filled up to a multiple of four: the shape in which the chip reads input
channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from edgetpu_build.compiler.parameters.layer import up

Runs = tuple[int, ...]


Bytes = bytes | bytearray | memoryview


def padded_length(runs: Runs, multiple: int = 4) -> int:
    return sum(up(run, multiple) for run in runs)


def pad(data: Bytes, runs: Runs, fill: Sequence[int], multiple: int = 4) -> Bytes:
    """``len(fill)`` rows of ``sum(runs)`` bytes each, every run filled up with its row's ``fill`` byte."""
    if all(run % multiple == 0 for run in runs):
        return data
    target = _filled(padded_length(runs, multiple), fill)
    for there, here in _places(len(fill), runs, multiple):
        target[there] = data[here]
    return target


def strip(data: Bytes, runs: Runs, count: int, multiple: int = 4) -> bytes | bytearray:
    """The inverse of ``pad`` for ``count`` rows."""
    if all(run % multiple == 0 for run in runs):
        return bytes(data)
    target = bytearray(count * sum(runs))
    for there, here in _places(count, runs, multiple):
        target[here] = data[there]
    return target


def _filled(length: int, fill: Sequence[int]) -> bytearray:
    if len(set(fill)) < 2:
        return bytearray(bytes(fill[:1])) * (length * len(fill))
    return bytearray().join(bytes([value]) * length for value in fill)


def _places(count: int, runs: Runs, multiple: int) -> list[tuple[slice, slice]]:
    """Slices of the padded and of the plain bytes that hold the same values: few and strided, or one for each run."""
    width = runs[0]
    if len(set(runs)) == 1 and width <= count * len(runs):
        wide = up(width, multiple)
        return [(slice(byte, None, wide), slice(byte, None, width)) for byte in range(width)]
    plain, padded = sum(runs), padded_length(runs, multiple)
    starts = list(
        zip(runs, accumulate((0, *runs)), accumulate((0, *(up(run, multiple) for run in runs))), strict=False)
    )
    return [
        (slice(row * padded + wide, row * padded + wide + run), slice(row * plain + narrow, row * plain + narrow + run))
        for row in range(count)
        for run, narrow, wide in starts
    ]


def keep(data: Bytes, lengths: Sequence[int], kept: Sequence[int], count: int) -> bytes:
    """Of ``count`` rows, cut into runs of ``lengths``, only the runs whose positions are ``kept``."""
    view, row = memoryview(data), sum(lengths)
    starts = [0, *accumulate(lengths)]
    return b"".join(
        view[base + starts[run] : base + starts[run + 1]] for base in range(0, count * row, row) for run in kept
    )


def restore(data: Bytes, lengths: Sequence[int], kept: Sequence[int], fill: Sequence[int]) -> bytearray:
    """The inverse of ``keep``: dropped runs hold their row's ``fill`` byte."""
    view, row = memoryview(data), sum(lengths)
    starts, target, at = [0, *accumulate(lengths)], _filled(row, fill), 0
    for base in range(0, len(fill) * row, row):
        for run in kept:
            target[base + starts[run] : base + starts[run + 1]] = view[at : at + lengths[run]]
            at += lengths[run]
    return target

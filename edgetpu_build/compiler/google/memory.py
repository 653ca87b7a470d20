"""How many of Google's compilers fit into memory at once, so that the system need not kill one.

What one takes is not documented; ``NEEDED`` and ``TIMES`` are guesses on the safe side. `jobs = N` overrules them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NEEDED = 512 << 20
"""Bytes that a compile takes whatever the model."""
TIMES = 32
"""Bytes that it takes for each byte of the model."""

_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def fitting(sizes: Sequence[int], free: int | None = None) -> int:
    """How many may run at once, at least 1. ``sizes``: bytes of the models of each; ``free``: found out if None."""
    free = available() if free is None else free
    if not free or not sizes:
        return max(1, len(sizes))
    return max(1, free // (NEEDED + TIMES * max(sizes)))


def available() -> int:
    """Bytes that this machine, or the container that we are in, has left; 0 where that cannot be told."""
    found = [*_of_machine(), *_of_container()]
    return min(found, default=0)


def _of_machine() -> Iterable[int]:
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) << 10


def _of_container() -> Iterable[int]:
    for limit, used in _LIMITS:
        most, now = _read(limit).strip(), _read(used).strip()
        if most.isdigit() and now.isdigit() and int(most) < 1 << 60:
            yield max(0, int(most) - int(now))


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except (OSError, ValueError):
        return ""

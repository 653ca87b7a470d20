"""The on-chip memory of a simulated Edge TPU: bytes at addresses, a scratchpad that compilers lay out.

Nothing here knows models: who loads where is written in the artifact, and two models that say the same address get in
each other's way, as on silicon.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgetpu_build.runtime.refusal import refuse
from edgetpu_build.units import format_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What some range held when ``generation`` was the memory's. ``data`` stays the same object while it is equal."""

    generation: int
    data: bytes | bytearray | memoryview = field(repr=False)


class Memory:
    """Owns ``size`` bytes, zero at first. ``generation`` counts the writes. Pages take room once they are written."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.generation = 0
        self._bytes: NDArray[np.uint8] = np.zeros(size, np.uint8)

    def write(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Puts ``data`` at ``address``; RuntimeError where that is not inside the memory."""
        self._check(address, len(data))
        self._bytes[address : address + len(data)] = np.frombuffer(data, np.uint8)
        self.generation += 1

    def read(self, address: int, size: int) -> bytes:
        self._check(address, size)
        return self._bytes[address : address + size].tobytes()

    def holds(self, address: int, data: bytes | bytearray | memoryview) -> bool:
        """Whether these bytes stand at ``address``."""
        return np.array_equal(self._bytes[address : address + len(data)], np.frombuffer(data, np.uint8))

    def contents(self, address: int, size: int, last: Contents) -> Contents:
        """What stands there now; free while nobody writes, and the very ``last`` bytes where they are equal."""
        if last.generation == self.generation:
            return last
        data = last.data if len(last.data) == size and self.holds(address, last.data) else self.read(address, size)
        return Contents(generation=self.generation, data=data)

    def _check(self, address: int, size: int) -> None:
        if not 0 <= address <= self.size - size:
            raise refuse(
                f"parameters at bytes {address} to {address + size} do not fit into {format_size(self.size)} on-chip",
                "compile for the memory that the device has",
            )

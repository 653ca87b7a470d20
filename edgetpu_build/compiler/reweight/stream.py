"""The constants in an instruction stream: where they stand, found by the form of the words alone, never by value.

A stream is a row of 16-byte words, little endian. What a model's numbers leave in it, besides parameters:

    requantisation   words n-2 to n+1: n-2 is zero, n-1 has no bit below 48 but some of 48 to 61, n+1 none above 46.
                     From bit 0 of n on: 14 bits that say nothing here, 2 that are set, 4 of groups of lanes, 6 bits
                     lanes - 1, 3 bits function, 32 bits multiplier, high and low clamp (floats) and addend (integer)
                     each, 8 bits output zero point, 2 bits arrays in the parameters (1 bias, 2 multiplier). Zero
                     points of weights and input are bits 62 to 69 and 78 to 85 of n-1, where bit 55 says that two maps
                     come in, bit 61 that the weights' zero points are an array in the parameters
    immediate        bit 87 alone, and 32 bits from 88 on: the byte that fills padding, four times, or a factor of ADD
    scalar           the lower 12 bits are 0x800: an instruction of the scalar core, its operand the 32 bits from 70 on

Found in the executables of compilers from 1.0 to 16.0 by comparing compiles of equal graphs: nothing else differs but
the placement of parameters.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

WORD = 16
_MASK = (1 << 64) - 1
_SMALLEST = 0x00800000  # the smallest normal float
_ALIVE = 1 << 23  # bit 87: the immediate is valid


_KINDS = frozenset({0x10, 0x18, 0x30, 0x38, 0xB0, 0xF0, 0x1870, 0x1890, 0x1C30, 0x2018, 0x2038})  # bits 48 to 61
_CLAMPS = (1 << 61) - 1  # bits 64 to 124
_REPEATED = frozenset(byte * 0x01010101 for byte in range(1, 256))


@dataclass(frozen=True, slots=True)
class Constants:
    """What a requantisation holds: floats as their 32 bits, the addend as 32 bits, zero points of stored bytes."""

    multiplier: int
    high: int
    low: int
    addend: int = 0
    output: int = 0
    weights: int = 0
    input: int = 0


@dataclass(frozen=True, slots=True)
class Requantisation:
    """One at word ``at``. ``lanes`` computed together; ``function``: 1 if a table follows; ``arrays``: 1 for a bias, 2
    for multipliers, 4 for zero points of the weights in the parameters. ``paired``: two maps come in. ``regular``: all
    else is as in every known word.
    """

    at: int
    constants: Constants
    lanes: int
    function: int
    arrays: int
    paired: bool
    regular: bool = True

    @property
    def foreign(self) -> bool:
        """Other words of the same form, of operators that pick cells (RESIZE): where clamps would be, they have
        addresses, which read as floats are next to nothing; they hold no number of the model.
        """
        constants = self.constants
        return 0 < constants.high < _SMALLEST and 0 < constants.low < _SMALLEST


def _key(constants: Constants) -> tuple[int, int]:
    """Multiplier and clamps as they stand in the two halves of a word."""
    wide = constants.multiplier | constants.high << 32 | constants.low << 64
    return wide & (1 << 35) - 1, wide >> 35


class Stream:
    """Owns the words of an executable while constants in them are replaced."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        count = len(data) // WORD
        words = struct.unpack(f"<{2 * count}Q", bytes(data[: count * WORD]))
        self._low, self._high = list(words[::2]), list(words[1::2])
        self.count = count
        self._found: list[Requantisation] | None = None

    def requantisations(self) -> list[Requantisation]:
        """All, in the order of the stream, as they were in the beginning."""
        if self._found is None:
            self._found = list(self._requantisations())
        return self._found

    def _requantisations(self) -> Iterator[Requantisation]:
        low, high = self._low, self._high
        for n in range(2, self.count - 1):
            if low[n - 2] or high[n - 2] or high[n + 1] or low[n + 1] >> 47:
                continue
            if low[n - 1] & 0xFFFF_FFFF_FFFF or not low[n - 1] >> 48 & 0x3FFF or low[n] >> 14 & 3 != 3:
                continue
            yield self._requantisation(n)

    def immediates(self) -> Iterator[tuple[int, int]]:
        """(word, value) of every immediate."""
        for n in range(2, self.count - 1):
            high = self._high[n]
            if not self._low[n] and high & 0xFF_FFFF == _ALIVE and not high >> 56:
                yield n, high >> 24

    def lookalikes(self, known: Iterable[Constants]) -> Iterator[int]:
        """Words that hold the multiplier and clamps of one of ``known``, or a byte four times where an immediate has
        its value, and yet have not the form: something about them is not understood, or was damaged.
        """
        wanted = {_key(c) for c in known}
        formed = {found.at for found in self.requantisations()} | {at for at, _ in self.immediates()}
        for n, (low, high) in enumerate(zip(self._low, self._high, strict=True)):
            alike = (low >> 29, high & _CLAMPS) in wanted or high >> 24 & 0xFFFF_FFFF in _REPEATED
            if alike and n not in formed:
                yield n

    def scalars(self) -> Iterator[tuple[int, int]]:
        """(word, operand) of every instruction of the scalar core."""
        for n in range(self.count):
            if self._low[n] & 0xFFF == 0x800:
                yield n, self._high[n] >> 6 & 0xFFFF_FFFF

    def put(self, found: Requantisation, new: Constants) -> None:
        """Replaces the constants of a requantisation."""
        at = found.at
        wide = self._low[at] | self._high[at] << 64 | self._low[at + 1] << 128
        wide &= (1 << 29) - 1 | ~((1 << 165) - 1)
        for bit, value in zip(
            (29, 61, 93, 125, 157),
            (new.multiplier, new.high, new.low, new.addend, new.output),
            strict=True,
        ):
            wide |= value << bit
        self._low[at], self._high[at], self._low[at + 1] = wide & _MASK, wide >> 64 & _MASK, wide >> 128
        before = self._low[at - 1] | self._high[at - 1] << 64
        before &= ~(0xFF << 62 | 0xFF << 78)
        before |= new.weights << 62 | new.input << 78
        self._low[at - 1], self._high[at - 1] = before & _MASK, before >> 64

    def put_immediate(self, at: int, value: int) -> None:
        self._high[at] = value << 24 | _ALIVE

    def put_scalar(self, at: int, operand: int) -> None:
        self._high[at] = self._high[at] & ~(0xFFFF_FFFF << 6) | operand << 6

    def data(self) -> bytes:
        words = [0] * (2 * self.count)
        words[::2], words[1::2] = self._low, self._high
        return struct.pack(f"<{len(words)}Q", *words)

    def _requantisation(self, n: int) -> Requantisation:
        wide = self._low[n] | self._high[n] << 64 | self._low[n + 1] << 128
        before = self._low[n - 1] | self._high[n - 1] << 64
        return Requantisation(
            n,
            Constants(
                wide >> 29 & 0xFFFF_FFFF,
                wide >> 61 & 0xFFFF_FFFF,
                wide >> 93 & 0xFFFF_FFFF,
                wide >> 125 & 0xFFFF_FFFF,
                wide >> 157 & 0xFF,
                before >> 62 & 0xFF,
                before >> 78 & 0xFF,
            ),
            lanes=(wide >> 20 & 0x3F) + 1,
            function=wide >> 26 & 7,
            arrays=(wide >> 173 & 3) | (before >> 61 & 1) << 2,
            paired=bool(before >> 55 & 1),
            regular=(before >> 48 & 0x3FFF) in _KINDS
            and not (before >> 70 & 0xFF or before >> 86 & 3 or wide >> 165 & 0xFF)
            and (wide >> 20 & 3) == 3
            and (wide >> 16 & 15) <= (wide >> 22 & 15),
        )

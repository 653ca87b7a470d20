from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.compiler.reweight.stream import Constants, Stream
from tests.support import silicon

WORD32, BYTE = st.integers(0, (1 << 32) - 1), st.integers(0, 255)
CONSTANTS = st.builds(
    Constants,
    multiplier=WORD32,
    high=WORD32,
    low=WORD32,
    addend=WORD32,
    output=BYTE,
    weights=BYTE,
    input=BYTE,
)


def stream(*words: int) -> Stream:
    return Stream(b"".join(word.to_bytes(16, "little") for word in (7, 7, *words, 7, 7)))


def test_reads_what_the_documentation_says() -> None:
    words = silicon.requantisation(
        0.5, 255.0, -3.0, lanes=16, arrays=5, kind=0x38, addend=-2, output=9, weights=8, input=7, function=1
    )
    (found,) = stream(*words).requantisations()
    assert found.constants == Constants(0x3F000000, 0x437F0000, 0xC0400000, 0xFFFFFFFE, 9, 8, 7)
    assert (found.lanes, found.arrays, found.function, found.paired, found.regular) == (16, 5, 1, False, True)


@given(CONSTANTS, CONSTANTS)
def test_replaces_constants_and_nothing_else(first: Constants, second: Constants) -> None:
    words = stream(*silicon.requantisation(1.0, 1.0, 0.0, lanes=64, arrays=7, kind=0x38))
    (found,) = words.requantisations()
    words.put(found, first)
    once = Stream(words.data())
    (read,) = once.requantisations()
    assert read.constants == first
    assert (read.lanes, read.arrays, read.function) == (64, 7, 0)
    once.put(read, second)
    twice = Stream(once.data())
    twice.put(next(iter(twice.requantisations())), found.constants)
    assert twice.data() == stream(*silicon.requantisation(1.0, 1.0, 0.0, lanes=64, arrays=7, kind=0x38)).data()


@given(st.binary(max_size=400))
def test_any_bytes_can_be_read_and_come_back(data: bytes) -> None:
    words = Stream(data)
    for found in words.requantisations():
        words.put(found, found.constants)
    for at, value in words.immediates():
        words.put_immediate(at, value)
    for at, operand in words.scalars():
        words.put_scalar(at, operand)
    assert words.data() == data[: len(data) // 16 * 16]


@given(WORD32, WORD32)
def test_immediates_and_operands(first: int, second: int) -> None:
    words = stream(silicon.immediate(first), silicon.scalar(second))
    assert [value for _, value in words.immediates()] == [first]
    assert [operand for _, operand in words.scalars()] == [second]
    ((at, _),) = words.immediates()
    words.put_immediate(at, second)
    assert [value for _, value in Stream(words.data()).immediates()] == [second]


def test_an_unknown_form_is_told() -> None:
    zero, before, word, after = silicon.requantisation(0.5, 255.0, 0.0, kind=0x38)
    assert not next(iter(stream(zero, before | 1 << 71, word, after).requantisations())).regular
    assert not next(iter(stream(zero, before, word, after | 1 << 38).requantisations())).regular
    known = [Constants(0x3F000000, 0x437F0000, 0)]
    assert [*stream(zero, before, word, after).lookalikes(known)] == []
    assert [*stream(1, before, word, after).lookalikes(known)] == [4]
    assert [*stream(0x07070707 << 88 | 1 << 86).lookalikes([])] == [2]


def test_addresses_are_no_clamps() -> None:
    words = silicon.requantisation(1.0, 1e-40, 1e-40)
    (found,) = stream(*words).requantisations()
    assert found.foreign

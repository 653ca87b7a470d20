"""Our maps are flexbuffers to Google's own reader, and its maps are to us."""

from __future__ import annotations

import contextlib

import pytest
from flatbuffers import flexbuffers
from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.tflite.flexbuffer import read_map, replace_string, write_map

keys = st.text("0123456789abcxyz", min_size=1, max_size=5)
numbers = st.integers(-(1 << 31), (1 << 31) - 1)


@given(st.dictionaries(keys, numbers | st.text(max_size=300).map(str.encode), max_size=6))
def test_what_is_written_is_read_by_both(values: dict[str, int | bytes]) -> None:
    data = b"".join(write_map(values))
    assert {k: v if isinstance(v, int) else bytes(v) for k, v in read_map(memoryview(data)).items()} == values
    theirs = flexbuffers.GetRoot(data).AsMap
    for key, value in values.items():
        found = theirs[key]
        assert (found.AsInt if isinstance(value, int) else found.AsString.encode()) == value


@given(st.dictionaries(keys, st.integers(-(1 << 63), (1 << 63) - 1) | st.text(max_size=300), max_size=6))
def test_what_google_writes_is_read(values: dict[str, int | str]) -> None:
    data = flexbuffers.Dumps(values)
    found = read_map(memoryview(data))
    assert {k: v if isinstance(v, int) else bytes(v).decode() for k, v in found.items()} == values


def test_vectors_are_left_out() -> None:
    found = read_map(memoryview(flexbuffers.Dumps({"6": [1, 2], "7": ["a"], "8": 1.5, "1": 4})))
    assert found == {"1": 4}


@pytest.mark.parametrize("data", [b"", b"\1", b"\0\0\0", flexbuffers.Dumps([1, 2]), flexbuffers.Dumps("text")])
def test_what_is_no_map_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        read_map(memoryview(data))


@given(st.data())
def test_damage_is_refused_or_harmless(data: st.DataObject) -> None:
    raw = bytearray(b"".join(write_map({"1": 0, "4": b"x" * 40, "5": -1})))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError):
        read_map(memoryview(raw))


@given(st.binary(max_size=200), st.integers(0, 4))
def test_a_string_is_replaced_and_the_rest_stays(text: bytes, grown: int) -> None:
    longer = text + bytes(16 * grown)
    whole = b"".join(write_map({"1": 7, "2": b"beagle", "4": text, "5": -1}))
    found = read_map(memoryview(replace_string(memoryview(whole), "4", longer)))
    assert {key: value if isinstance(value, int) else bytes(value) for key, value in found.items()} == {
        "1": 7,
        "2": b"beagle",
        "4": longer,
        "5": -1,
    }


def test_only_a_string_of_the_right_length_is_replaced() -> None:
    whole = memoryview(b"".join(write_map({"1": 7, "4": b"text"})))
    for key, value in (("1", b"text"), ("4", b"longer"), ("9", b"text")):
        with pytest.raises(ValueError, match="whose length can become"):
            replace_string(whole, key, value)

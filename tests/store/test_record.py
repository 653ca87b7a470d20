"""A record is what was put into it or nothing, whatever happens to its bytes."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.store.layout import is_plain_name
from edgetpu_build.store.record import Blob, DamagedError, Record, decode, encode

DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1).filter(is_plain_name)
BLOBS = st.builds(Blob, NAMES, DIGESTS, st.integers(0, 1 << 40))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
RECORDS = st.builds(Record, DIGESTS, st.lists(BLOBS, max_size=4).map(tuple), st.dictionaries(st.text(), JSON))
KEY = "ab" * 32
GOLDEN = Record(KEY, (Blob("0/model.tflite", "cd" * 32, 7),), {"b": 1, "a": "é"})


@given(RECORDS)
def test_comes_back_as_it_was(record: Record) -> None:
    assert decode(encode(record), record.fingerprint) == record


@given(st.dictionaries(st.text(), JSON))
def test_equal_records_are_equal_bytes(facts: dict[str, Any]) -> None:
    backwards = dict(reversed(facts.items()))
    assert encode(Record(KEY, (), facts)) == encode(Record(KEY, (), backwards))


def test_the_bytes_of_format_1_stay_what_they_are() -> None:
    body = b'{"blobs":[["0/model.tflite","' + b"cd" * 32 + b'",7]],"facts":{"a":"\\u00e9","b":1},"fingerprint":"'
    body += KEY.encode() + b'"}\n'
    assert encode(GOLDEN) == b"edgetpu-build record 1 " + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def test_every_flipped_bit_and_every_truncation_is_seen() -> None:
    data = encode(GOLDEN)
    damaged = [data[:end] for end in range(len(data))]
    damaged += [data[: i // 8] + bytes([data[i // 8] ^ 1 << i % 8]) + data[i // 8 + 1 :] for i in range(len(data) * 8)]
    for bad in damaged:
        try:
            assert decode(bad, KEY) is None, bad
            assert bad[:22] != data[:22] or not bad.startswith(b"edgetpu-build record 1 "), bad
        except DamagedError:
            pass


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for candidate in (data, _signed(data)):
        with pytest.raises(DamagedError):
            decode(candidate, KEY)


@given(JSON)
def test_a_signed_body_of_the_wrong_form_is_damage(value: Any) -> None:
    with pytest.raises(DamagedError):
        decode(_signed(json.dumps(value).encode()), KEY)


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": "ef" * 32},
        {"facts": []},
        {"facts": None},
        {"blobs": [["../up", "cd" * 32, 7]]},
        {"blobs": [["a", "../" + "cd" * 31, 7]]},
        {"blobs": [["a", "CD" * 32, 7]]},
        {"blobs": [["a", "cd" * 32, "7"]]},
        {"blobs": [["a", "cd" * 32, True]]},
        {"blobs": [["a", "cd" * 32]]},
        {"blobs": [[1, "cd" * 32, 7]]},
        {"blobs": 5},
    ],
)
def test_a_signed_record_of_wrong_fields_is_damage(change: dict[str, Any]) -> None:
    fields = {"blobs": [], "facts": {}, "fingerprint": KEY}
    assert decode(_signed(json.dumps(fields).encode()), KEY) == Record(KEY, (), {})
    with pytest.raises(DamagedError):
        decode(_signed(json.dumps({**fields, **change}).encode()), KEY)


@pytest.mark.parametrize("number", [b"0", b"2", b"17"])
def test_another_format_is_not_ours_to_judge(number: bytes) -> None:
    assert decode(b"edgetpu-build record " + number + b" whatever\n", KEY) is None


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/../b", "a//b", "a/", ".", "a\\b", "C:a", "a\0b", "a\nb"])
def test_names_that_go_anywhere_but_down_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no plain relative name"):
        encode(Record(KEY, (Blob(name, "cd" * 32, 7),), {}))


@pytest.mark.parametrize("name", ["a", "a b/[1]/ü.tflite", "..a", "a..", ".hidden", "0"])
def test_plain_names_are_not(name: str) -> None:
    record = Record(KEY, (Blob(name, "cd" * 32, 7),), {})
    assert decode(encode(record), KEY) == record


@pytest.mark.parametrize("fingerprint", ["", "ab", "AB" * 32, "../" + "ab" * 31, "g" * 64])
def test_a_fingerprint_is_64_hexadecimal_digits(fingerprint: str) -> None:
    with pytest.raises(ValueError, match="no fingerprint"):
        encode(Record(fingerprint, (), {}))


def _signed(body: bytes) -> bytes:
    return b"edgetpu-build record 1 " + hashlib.sha256(body).hexdigest().encode() + b"\n" + body

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.store import Blob, Record
from edgetpu_build.store.record import DamagedError
from edgetpu_build.store.record import encode as encode_local
from edgetpu_build.store.remote import action

KEY = "ab" * 32
RECORD = Record(KEY, (Blob("0/artifact", "cd" * 32, 300), Blob("1/artifact", "ef" * 32, 0)), {"figures": 1})

digests = st.text("0123456789abcdef", min_size=64, max_size=64)
names = st.lists(st.text("abc09-_.é", min_size=1).filter(lambda t: t.strip(".")), min_size=1, max_size=3).map("/".join)
blobs = st.builds(Blob, names, digests, st.integers(0, 1 << 62))
records = st.builds(Record, digests, st.lists(blobs, max_size=4).map(tuple), st.dictionaries(st.text(), st.integers()))


@given(records)
def test_what_was_written_is_read(record: Record) -> None:
    assert action.decode(action.encode(record), record.fingerprint) == record


def test_the_bytes_are_those_of_protobuf() -> None:
    """An ActionResult with two output files, written down by hand from the wire format's own page."""
    first = b"\x0a\x0a0/artifact" + b"\x12\x45" + b"\x0a\x40" + b"cd" * 32 + b"\x10\xac\x02"
    second = b"\x0a\x0a1/artifact" + b"\x12\x42" + b"\x0a\x40" + b"ef" * 32
    facts = encode_local(RECORD)
    size = len(facts)
    raw = b"\x2a" + bytes([size & 0x7F | 0x80, size >> 7]) + facts
    assert 128 <= size < 1 << 14
    assert (
        action.encode(RECORD) == b"\x12" + bytes([len(first)]) + first + b"\x12" + bytes([len(second)]) + second + raw
    )


def test_protobuf_itself_agrees() -> None:
    """The same message, described to Google's own implementation."""
    pb = pytest.importorskip("google.protobuf.descriptor_pb2")
    pool = pytest.importorskip("google.protobuf.descriptor_pool").DescriptorPool()
    factory = pytest.importorskip("google.protobuf.message_factory")
    file = pb.FileDescriptorProto(name="re.proto", package="re", syntax="proto3")
    for name, fields in (
        ("Digest", [("hash", 1, 9, 1, ""), ("size_bytes", 2, 3, 1, "")]),
        ("OutputFile", [("path", 1, 9, 1, ""), ("digest", 2, 11, 1, ".re.Digest")]),
        ("ActionResult", [("output_files", 2, 11, 3, ".re.OutputFile"), ("stdout_raw", 5, 12, 1, "")]),
    ):
        message = file.message_type.add(name=name)
        for field, number, kind, label, of in fields:
            message.field.add(name=field, number=number, type=kind, label=label, type_name=of or None)
    pool.Add(file)
    result = factory.GetMessageClass(pool.FindMessageTypeByName("re.ActionResult"))()
    for blob in RECORD.blobs:
        result.output_files.add(path=blob.name, digest={"hash": blob.sha256, "size_bytes": blob.size})
    result.stdout_raw = encode_local(RECORD)
    assert result.SerializeToString(deterministic=True) == action.encode(RECORD)


def test_unknown_fields_are_skipped() -> None:
    more = b"\x20\x07" + b"\x32\x03abc" + b"\x39" + bytes(8) + b"\x45" + bytes(4)
    assert action.decode(action.encode(RECORD) + more, KEY) == RECORD
    assert action.decode(more + action.encode(RECORD), KEY) == RECORD


@given(st.binary(max_size=200))
def test_any_bytes_are_damage(data: bytes) -> None:
    with pytest.raises(DamagedError):
        action.decode(data, KEY)


@given(st.data())
def test_no_flipped_or_cut_byte_goes_unseen(data: st.DataObject) -> None:
    whole = action.encode(RECORD)
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = bytearray(whole)
    flipped[at] ^= data.draw(st.integers(1, 255))
    for wrong in (bytes(flipped), whole[:at]):
        try:
            found = action.decode(wrong, KEY)
        except DamagedError:
            continue
        assert found in (None, RECORD)  # None: another version's record; equal: a field's number nobody reads


def test_a_record_of_another_unit_is_damage() -> None:
    with pytest.raises(DamagedError, match="another unit"):
        action.decode(action.encode(RECORD), "cd" * 32)


def test_files_that_are_not_described_are_damage() -> None:
    more = b"\x12\x0d" + b"\x0a\x0b../../.evil"
    with pytest.raises(DamagedError, match="other files"):
        action.decode(more + action.encode(RECORD), KEY)

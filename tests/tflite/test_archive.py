"""Zips behind a model keep opening wherever the model's end moves to."""

from __future__ import annotations

import io
import struct
import zipfile

from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.tflite.archive import rebase


def zipped(prefix: int, names: list[str], comment: bytes = b"") -> bytes:
    """An archive whose offsets count from ``prefix`` bytes before it."""
    file = io.BytesIO(bytes(prefix))
    with zipfile.ZipFile(file, "a") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), f"this is {name}")
        archive.comment = comment
    return file.getvalue()[prefix:]


@given(st.integers(0, 5000), st.integers(0, 5000), st.lists(st.text("abcé", min_size=1), unique=True, max_size=4))
def test_offsets_are_absolute_in_the_new_file(before: int, after: int, names: list[str]) -> None:
    tail = rebase(zipped(before, names, b"made by a test"), after)
    with zipfile.ZipFile(io.BytesIO(bytes(after) + tail)) as archive:
        assert archive.namelist() == names
        assert all(archive.read(name) == f"this is {name}".encode() for name in names)
        assert archive.testzip() is None
        assert [info.header_offset for info in archive.infolist()[:1]] == ([after] if names else [])
    end = tail.rindex(b"PK\5\6")
    size, offset = struct.unpack_from("<II", tail, end + 12)
    assert after + end - size == offset  # what strict readers ask for


def test_offsets_that_counted_from_the_archive_become_absolute() -> None:
    tail = rebase(zipped(0, ["labels.txt"]), 777)
    assert struct.unpack_from("<I", tail, tail.rindex(b"PK\5\6") + 16)[0] >= 777


@given(st.binary(max_size=100))
def test_other_bytes_stay_as_they_are(tail: bytes) -> None:
    assert rebase(tail, 12345) == tail


@given(st.data())
def test_damaged_archives_never_fail(data: st.DataObject) -> None:
    tail = bytearray(zipped(9, ["a", "b"]))
    for _ in range(3):
        tail[data.draw(st.integers(0, len(tail) - 1))] = data.draw(st.integers(0, 255))
    assert len(rebase(tail, 5)) == len(tail)

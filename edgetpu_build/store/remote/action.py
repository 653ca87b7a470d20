"""A record as other caches keep it: an ActionResult of Bazel's remote execution API, in protobuf's wire format.

Servers such as bazel-remote look into these to see whether all blobs are there still. The fields that we write, of
https://github.com/bazelbuild/remote-apis (field numbers as in ``remote_execution.proto``)::

    ActionResult: output_files = 2 (repeated OutputFile), stdout_raw = 5 (bytes)
    OutputFile:   path = 1 (string), digest = 2 (Digest)
    Digest:       hash = 1 (string), size_bytes = 2 (int64)

``stdout_raw`` holds the record as the local store writes it (``store.record``), so it carries the figures, the
fingerprint that it belongs to and a digest of its own. Unknown fields are skipped, as protobuf asks.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgetpu_build.store import record
from edgetpu_build.store.record import DamagedError, Record

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}


def encode(kept: Record) -> bytes:
    """The value of ``/ac/<fingerprint>``; equal records are equal bytes."""
    outputs = (
        _field(2, _field(1, blob.name.encode()) + _field(2, _field(1, blob.sha256.encode()) + _number(2, blob.size)))
        for blob in kept.blobs
    )
    return b"".join(outputs) + _field(5, record.encode(kept))


def decode(data: bytes, fingerprint: str) -> Record | None:
    """The record; None if it is in another version's format; DamagedError unless all of it holds together."""
    files, stdout = [], b""
    for number, value in _fields(data):
        if number == 2 and isinstance(value, bytes):
            files.append(_file(value))
        elif number == 5 and isinstance(value, bytes):
            stdout = value
    kept = record.decode(stdout, fingerprint)
    if kept and files != [(blob.name, blob.sha256, blob.size) for blob in kept.blobs]:
        raise DamagedError("it lists other files than it describes")
    return kept


def _file(data: bytes) -> tuple[object, object, object]:
    fields = dict(_fields(data))
    digest = fields.get(2)
    inner = dict(_fields(digest)) if isinstance(digest, bytes) else {}
    return _text(fields.get(1)), _text(inner.get(1)), inner.get(2, 0)


def _text(value: int | bytes | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        size, at = _varint(data, at) if kind == _BYTES else (_FIXED.get(kind, -1), at)
        if size < 0 or at + size > len(data):
            raise DamagedError("not an ActionResult")
        yield number, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        value, at = value | (byte & 0x7F) << shift, at + 1
        if byte < 0x80:
            return value, at
    raise DamagedError("not an ActionResult")


def _field(number: int, value: bytes) -> bytes:
    return _encoded(number << 3 | _BYTES) + _encoded(len(value)) + value


def _number(number: int, value: int) -> bytes:
    """Zero is what a missing field means."""
    return _encoded(number << 3 | _VARINT) + _encoded(value) if value else b""


def _encoded(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])

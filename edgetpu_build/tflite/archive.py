"""Zip archives behind a model: TensorFlow's metadata writer appends labels and vocabularies so.

Offsets in a zip count from the file's first byte, so they must move when the model before it grows or shrinks.
"""

from __future__ import annotations

import struct

_END = struct.Struct("<4s4H2IH")
_ENTRY_SIZE, _HEADER_OFFSET, _NAME_LENGTHS = 46, 42, 28
_ZIP64 = 0xFFFFFFFF


def rebase(tail: bytes | memoryview, start: int) -> bytes:
    """The appended bytes, with a zip's offsets made right for a tail that begins at byte ``start`` of its file.

    Anything that is no zip, or is damaged, or is a zip64, comes back as it is.
    """
    data = bytearray(tail)
    end = data.rfind(b"PK\5\6")
    if end < 0 or end + _END.size > len(data):
        return bytes(data)
    _, _, _, _, count, size, offset, _ = _END.unpack_from(data, end)
    directory = end - size
    entries = _entries(data, directory, end, count) if directory >= 0 and offset != _ZIP64 else None
    if entries is None or not all(0 <= header + directory - offset < directory for _, header in entries):
        return bytes(data)
    for place, header in entries:
        struct.pack_into("<I", data, place, header + directory - offset + start)
    struct.pack_into("<I", data, end + 16, start + directory)
    return bytes(data)


def _entries(data: bytearray, at: int, end: int, count: int) -> list[tuple[int, int]] | None:
    """(position, value) of the header offset of every directory entry; None unless the directory is sound."""
    directory = data[at:end]
    found, position = [], 0
    for _ in range(count):
        if position + _ENTRY_SIZE > len(directory) or directory[position : position + 4] != b"PK\1\2":
            return None
        (header,) = struct.unpack_from("<I", directory, position + _HEADER_OFFSET)
        if header == _ZIP64:
            return None
        found.append((at + position + _HEADER_OFFSET, header))
        position += _ENTRY_SIZE + sum(struct.unpack_from("<3H", directory, position + _NAME_LENGTHS))
    return found

"""The little of flexbuffers that custom options need: a map of text keys to integers and strings, read and written.

A flexbuffer is read from its end: the last byte is the root's width, the one before it its type. A type byte holds the
kind in its upper six bits and the width of what it refers to (a power of two) in the lower two. Offsets point back.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from edgetpu_build.tflite.writer import Bytes, Pieces

Value = int | memoryview

_INT, _UINT, _KEY, _STRING, _MAP, _BLOB = 1, 2, 4, 5, 9, 25
_WIDTHS = {1: "B", 2: "H", 4: "I", 8: "Q"}


def read_map(data: memoryview) -> dict[str, Value]:
    """The integers and strings of the root map, by key; other kinds of values are left out.

    Raises ValueError where the bytes are no flexbuffer with a map at its root.
    """
    if len(data) < 3:
        raise ValueError("a flexbuffer has three bytes at least")
    width, kind = data[-1], data[-2]
    if width not in _WIDTHS or kind >> 2 != _MAP:
        raise ValueError("no map at the root of the flexbuffer")
    reader = _Reader(data)
    start = reader.follow(len(data) - 2 - width, width)
    return reader.map(start, 1 << (kind & 3))


class _Reader:
    """Owns the bytes: every position is checked before it is read."""

    def __init__(self, data: memoryview) -> None:
        self.data = data

    def number(self, at: int, width: int, *, signed: bool = False) -> int:
        if at < 0 or at + width > len(self.data):
            raise ValueError(f"position {at} lies outside the flexbuffer")
        code = _WIDTHS[width]
        number: int = struct.unpack_from("<" + (code.lower() if signed else code), self.data, at)[0]
        return number

    def follow(self, at: int, width: int) -> int:
        return at - self.number(at, width)

    def map(self, at: int, width: int) -> dict[str, Value]:
        count = self.number(at - width, width)
        keys = self.follow(at - 3 * width, width)
        key_width = self.number(at - 2 * width, width)
        if key_width not in _WIDTHS or at + count * (width + 1) > len(self.data):
            raise ValueError(f"a map of {count} entries does not fit into the flexbuffer")
        found: dict[str, Value] = {}
        for index in range(count):
            key = self.key(self.follow(keys + index * key_width, key_width))
            value = self.value(at + index * width, width, self.data[at + count * width + index])
            if value is not None:
                found[key] = value
        return found

    def key(self, at: int) -> str:
        if at < 0:
            raise ValueError(f"position {at} lies outside the flexbuffer")
        text, end, _ = bytes(self.data[at : at + 64]).partition(b"\0")
        if not end:
            raise ValueError("a key without an end")
        return str(text, "utf-8", "backslashreplace")

    def value(self, at: int, width: int, packed: int) -> Value | None:
        kind, inner = packed >> 2, 1 << (packed & 3)
        if kind in {_INT, _UINT}:
            return self.number(at, width, signed=kind == _INT)
        if kind not in {_STRING, _BLOB}:
            return None
        start = self.follow(at, width)
        size = self.number(start - inner, inner)
        if start + size > len(self.data):
            raise ValueError(f"a string of {size} bytes ends outside the flexbuffer")
        return self.data[start : start + size]


def replace_string(data: memoryview, key: str, value: bytes) -> bytes:
    """The flexbuffer of a map with another string (or blob) under ``key``; everything else stays as it is, also what
    ``read_map`` leaves out. ``value`` must have as many bytes as before, or a multiple of 16 more.

    Offsets count back, so those that lead from behind the string to it or to what is in front of it grow with it.
    Raises ValueError where this is no such map.
    """
    old = read_map(data).get(key)
    width, kind = data[-1], data[-2]
    if not isinstance(old, memoryview) or (len(value) - len(old)) % 16:
        raise ValueError(f"no string {key!r} whose length can become {len(value)}")
    reader = _Reader(data)
    root = len(data) - 2 - width
    at, inner = reader.follow(root, width), 1 << (kind & 3)
    count = reader.number(at - inner, inner)
    keys = reader.follow(at - 3 * inner, inner)
    key_width = reader.number(at - 2 * inner, inner)
    types = data[at + count * inner : at + count * (inner + 1)]
    offsets = [(at - 3 * inner, inner), *((keys + n * key_width, key_width) for n in range(count))]
    offsets += [(at + n * inner, inner) for n in range(count) if types[n] >> 2 not in {_INT, _UINT}]
    numbers = [n for n in range(count) if reader.key(reader.follow(keys + n * key_width, key_width)) == key]
    start = reader.follow(at + numbers[0] * inner, inner)
    size = 1 << (types[numbers[0]] & 3)
    growth, end = len(value) - len(old), start + len(old)
    out = bytearray(b"".join([data[: start - size], len(value).to_bytes(size, "little"), value, data[end:]]))
    for place, wide in offsets:
        if place > start >= reader.follow(place, wide):
            moved = reader.number(place, wide) + growth
            out[place + growth : place + growth + wide] = moved.to_bytes(wide, "little")
    return bytes(out)


def write_map(values: Mapping[str, int | Bytes | Pieces]) -> Pieces:
    """A flexbuffer of one map, in pieces; all widths are 4 bytes. Keys are sorted, as the format asks.

    Strings start at multiples of 16, so that what is aligned in them is aligned in the whole.
    """
    made, position, starts = [], 0, {}
    for key in sorted(values):
        starts[key] = position
        made.append(key.encode() + b"\0")
        position += len(made[-1])
    pieces: Pieces = [*made]
    strings = {}
    for key, value in sorted(values.items()):
        if isinstance(value, int):
            continue
        parts = value if isinstance(value, list) else [value]
        size = sum(map(len, parts))
        gap = -(position + 4) % 16
        strings[key] = position + gap + 4
        pieces += [bytes(gap) + struct.pack("<I", size), *parts, b"\0"]
        position = strings[key] + size + 1
    gap = -position % 4
    return [*pieces, bytes(gap), _map_tail(values, starts, strings, position + gap)]


def _map_tail(values: Mapping[str, object], starts: dict[str, int], strings: dict[str, int], at: int) -> bytes:
    """The vector of keys, the map, and the root that leads to it, for a place at byte ``at``."""
    out = struct.pack("<I", len(starts))
    key_vector = len(out)
    for start in starts.values():
        out += struct.pack("<I", at + len(out) - start)
    out += struct.pack("<III", len(out) - key_vector, 4, len(starts))
    first = len(out)
    for key in starts:
        out += struct.pack("<I", at + len(out) - strings[key]) if key in strings else struct.pack("<i", values[key])
    out += bytes((_STRING if key in strings else _INT) << 2 | 2 for key in starts)
    return out + struct.pack("<BBB", len(out) - first, _MAP << 2 | 2, 1)

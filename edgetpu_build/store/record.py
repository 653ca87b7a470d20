r"""What one unit compiled to, as a value and as bytes.

Record format 1, ASCII:

    record = "edgetpu-build record 1 " digest LF body LF
    digest = SHA-256 of everything after the first LF, 64 hexadecimal digits
    body   = one JSON object, keys sorted, no blanks:
             {"blobs": [[name, sha256, size], ...], "facts": {...}, "fingerprint": "..."}

``name`` is a plain relative path, ``size`` is in bytes, ``facts`` is the engine's own. Another number than 1 is
somebody else's record: a miss, left in place. Anything else that does not parse is damage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgetpu_build.store.layout import is_digest, is_plain_name

_MAGIC = b"edgetpu-build record "
_HEAD = _MAGIC + b"1 "


@dataclass(frozen=True, slots=True)
class Blob:
    """One file of a unit: the name that the engine gave it, SHA-256 of its bytes, and their number."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Record:
    """A whole unit: every file, and what the engine wants to know of it without reading them (a JSON object)."""

    fingerprint: str
    blobs: tuple[Blob, ...]
    facts: Mapping[str, Any]


class DamagedError(ValueError):
    """These bytes are no record, or not the one that was asked for."""


def encode(record: Record) -> bytes:
    """Equal records are equal bytes. ValueError for a fingerprint or a name that no record may hold."""
    if not is_digest(record.fingerprint):
        raise ValueError(f"`{record.fingerprint}` is no fingerprint")
    for blob in record.blobs:
        if not is_plain_name(blob.name):
            raise ValueError(f"`{blob.name}` is no plain relative name")
    fields = {
        "blobs": [[blob.name, blob.sha256, blob.size] for blob in record.blobs],
        "facts": record.facts,
        "fingerprint": record.fingerprint,
    }
    import json  # what is up to date needs no record

    body = json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False).encode() + b"\n"
    return _HEAD + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def decode(data: bytes, fingerprint: str) -> Record | None:
    """The record; None if it is of another format number; DamagedError if it is neither."""
    head, _, body = data.partition(b"\n")
    if not head.startswith(_HEAD):
        if head.startswith(_MAGIC) and head[len(_MAGIC) :].split(b" ")[0].isdigit():
            return None
        raise DamagedError("not a record")
    if head[len(_HEAD) :] != hashlib.sha256(body).hexdigest().encode():
        raise DamagedError("its own digest does not hold")
    import json

    try:
        fields = json.loads(body)
        blobs = tuple(_blob(*entry) for entry in fields["blobs"])
        named, facts = fields["fingerprint"], fields["facts"]
    except (ValueError, KeyError, TypeError, RecursionError) as failure:
        raise DamagedError("not as the format says") from failure
    if named != fingerprint:
        raise DamagedError("the record of another unit")
    if not isinstance(facts, dict):
        raise DamagedError("not as the format says")
    return Record(named, blobs, facts)


def _blob(name: Any, sha256: Any, size: Any) -> Blob:
    if not (isinstance(sha256, str) and is_digest(sha256) and type(size) is int):
        raise ValueError("not a blob")
    if not (isinstance(name, str) and is_plain_name(name)):
        raise ValueError("not a plain relative name")
    return Blob(name, sha256, size)

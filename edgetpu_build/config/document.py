"""What tomllib and ``lines`` make of a text, kept for as long as the text is the same.

Both follow from the text alone, and making them is most of the work of reading a large configuration. The memo is
bytes, in the project's folder in the cache::

    check    SHA-256 of all that follows
    name     SHA-256 of the version of edgetpu-build, the marshal of this Python, and the text
    content  marshal of (tree, lines)

A memo that is damaged or of another text is no memo. It is written only where that folder is, so that reading a
configuration leaves no traces where nothing was ever built.
"""

from __future__ import annotations

import marshal
import os
import sys
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from edgetpu_build import __version__

if TYPE_CHECKING:
    from edgetpu_build.config.lines import KeyPath

_DIGEST = 32
_MAKER = f"{__version__} {sys.implementation.cache_tag} {marshal.version}\0".encode()


class Document(NamedTuple):
    """``tree``: the tables, as tomllib gives them. ``lines``: where each key stands, from 1."""

    tree: dict[str, Any]
    lines: dict[KeyPath, int]


def read(text: str, memo: str = "") -> Document:
    """The document in a text. Raises tomllib's TOMLDecodeError. ``memo``: the file of the memo, "" for none."""
    name = sha256(_MAKER + text.encode("utf-8", "surrogatepass")).digest()
    known = _recalled(memo, name) if memo else None
    if known is not None:
        return known
    from edgetpu_build.config.lines import key_lines
    from edgetpu_build.config.toml import loads

    document = Document(loads(text), key_lines(text))
    if memo:
        _keep(memo, name, document)
    return document


def _recalled(memo: str, name: bytes) -> Document | None:
    try:
        with open(memo, "rb") as file:
            data = file.read()
    except OSError:
        return None
    check, rest = data[:_DIGEST], memoryview(data)[_DIGEST:]
    if rest[:_DIGEST] != name or sha256(rest).digest() != check:
        return None
    return Document(*marshal.loads(rest[_DIGEST:]))  # noqa: S302 - written by us: its digest holds


def _keep(memo: str, name: bytes, document: Document) -> None:
    from edgetpu_build import files
    from edgetpu_build.errors import EdgeTpuBuildError

    if not os.path.isdir(os.path.dirname(memo)):
        return
    try:
        rest = name + marshal.dumps(tuple(document))
        files.write_atomic(memo, sha256(rest).digest() + rest, durable=False)
    except (ValueError, EdgeTpuBuildError):  # a date, of which marshal knows nothing; a cache that cannot be written
        return

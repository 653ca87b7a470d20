"""What a shared store is to us: a place for bytes by name, and the ways in which it can let us down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

Kind = Literal["ac", "cas"]
Progress = Callable[[int], None]
PIECE = 64 << 10
"""Bytes read or written between two reports of progress."""


class TroubleError(Exception):
    """It cannot be used now; the message says why. ``final``: it is of no use to ask again."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class RefusedError(Exception):
    """It does not let us: no credentials, wrong ones, or nobody may. The message says what it said."""


class Place(Protocol):
    """Threads may share one. Each call raises TroubleError or RefusedError, and reports progress in bytes."""

    def get(self, kind: Kind, digest: str, most: int, progress: Progress) -> bytes | None:
        """The bytes, None if there are none of that name. More than ``most`` are trouble."""
        ...

    def has(self, kind: Kind, digest: str, progress: Progress) -> bool: ...

    def put(self, kind: Kind, digest: str, data: bytes, progress: Progress) -> None: ...

    def close(self) -> None:
        """Let go of connections, also of those that are waited for; the next call opens new ones."""
        ...

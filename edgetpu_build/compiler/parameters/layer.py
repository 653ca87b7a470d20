"""The parameter data of one operator: a row of pieces, each of which knows its size, its bytes and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

ALIGNMENT = 64  # a piece starts at a multiple of this in the blob
LANES = 64  # output channels that the chip computes at a time: a chunk


def up(size: int, multiple: int) -> int:
    """``size`` rounded up to ``multiple``."""
    return -(-size // multiple) * multiple


class Piece(Protocol):
    """A part of an operator's blob. ``what`` names it for people; ``exact``: the bytes are known bit for bit."""

    @property
    def what(self) -> str: ...

    @property
    def exact(self) -> bool: ...

    @property
    def size(self) -> int:
        """Bytes, a multiple of 64."""
        ...

    def blob(self) -> bytes: ...

    def unpack(self, blob: bytes | memoryview) -> dict[int, bytes]:
        """The TFLite bytes of every constant held, by tensor index."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What operator ``index`` adds to the parameters of an artifact.

    ``size``: bytes in the artifact, a multiple of 64. ``tile_size``: room in the chip's tiles, where every chunk
    counts with 64 lanes (what Google's compiler prints as on-chip memory used). ``chunks`` and ``chunk_size``: chunks
    of 64 output channels and the room of each; 0 where there are none. ``always_streamed``: never cached, however
    much room there is. ``reason``: what makes up these bytes. ``absent``: constant tensors of the operator that the
    blob does not hold, since they are folded into instructions or only describe shapes.
    """

    index: int
    kind: str
    size: int
    tile_size: int
    chunks: int = 0
    chunk_size: int = 0
    always_streamed: bool = False
    confidence: Literal["exact", "estimated"] = "exact"
    reason: str
    pieces: tuple[Piece, ...]
    absent: tuple[int, ...] = ()

    def blob(self) -> bytes:
        """``size`` bytes, as the compiler writes them wherever ``piece.exact``."""
        return b"".join(piece.blob() for piece in self.pieces)

    def unpack(self, blob: bytes | memoryview) -> dict[int, bytes]:
        """The inverse: tensor index to the constant's TFLite bytes.

        Weights that the compiler drops (kernel taps that only ever meet padding) come back as the zero point: no result
        changes by that.
        """
        view, start = memoryview(blob), 0
        found: dict[int, bytes] = {}
        for piece in self.pieces:
            found |= piece.unpack(view[start : start + piece.size])
            start += piece.size
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a module of this package says of an operator; ``layout`` completes it to a Layer.

    ``streamed``: pieces that are streamed even where the others are cached. They hold no constants of the model.
    """

    pieces: tuple[Piece, ...]
    streamed: tuple[Piece, ...] = ()
    reason: str
    chunks: int = 0
    chunk_size: int = 0
    always_streamed: bool = False
    confidence: Literal["exact", "estimated"] = "exact"

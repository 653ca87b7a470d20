"""The segment of a depthwise convolution."""

from __future__ import annotations

from array import array

from hypothesis import given, settings
from hypothesis import strategies as st

from edgetpu_build.compiler.parameters.diagonal import Diagonal
from edgetpu_build.compiler.parameters.header import Header, Multipliers


def by_hand(piece: Diagonal) -> bytes:
    out = bytearray()
    for first in range(0, piece.channels, 4):
        inside = [first + lane if first + lane < piece.channels else None for lane in range(4)]
        for values, repeated in piece.header.arrays():
            row = [values[c] if c is not None else values[0] if repeated else 0 for c in inside]
            out += array(values.typecode, row).tobytes()
        for tap in range(piece.taps):
            for lane, channel in enumerate(inside):
                cells = bytearray(4) if channel is None else bytearray([piece.zero_points[channel]] * 4)
                if channel is not None:
                    cells[lane] = piece.data[tap * piece.channels + channel] ^ (0x80 if piece.flip else 0)
                out += cells
    return bytes(out).ljust(piece.size, b"\0")


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 9), st.booleans(), st.booleans(), st.randoms(use_true_random=False))
def test_a_blob_is_the_layout_written_out_and_gives_everything_back(channels, taps, flip, biased, random) -> None:
    numbers = array("i", [random.randrange(-999, 999) for _ in range(channels)])
    piece = Diagonal(
        what="weights",
        tensor=1,
        data=random.randbytes(channels * taps),
        channels=channels,
        taps=taps,
        header=Header(
            multipliers=Multipliers(1.0, [float(n) for n in numbers], 1.0) if random.random() < 0.5 else None,
            bias=numbers if biased else None,
            bias_tensor=2 if biased else -1,
        ),
        zero_points=random.choices(range(256), k=channels) if random.random() < 0.5 else [7] * channels,
        flip=flip,
    )
    blob = piece.blob()
    assert len(blob) == piece.size
    assert blob == by_hand(piece)
    assert piece.unpack(blob) == {1: piece.data} | ({2: numbers.tobytes()} if biased else {})

"""The segment of a convolution, against the layout written out by hand."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgetpu_build.compiler.parameters.header import Header, Multipliers
from edgetpu_build.compiler.parameters.matrix import Matrix, width


def by_hand(matrix: Matrix) -> bytes:
    """The layout as the module's head describes it, byte by byte."""
    order = list(range(matrix.outputs)) if matrix.order is None else list(matrix.order)
    lanes, depth, taps = width(len(order), spatial=matrix.spatial), matrix.runs[0], len(matrix.runs)
    groups, out = -(-depth // 4), bytearray()
    block = matrix.block or groups
    for first in range(0, len(order), 64):
        chunk: list[int | None] = [c if c >= 0 else None for c in order[first : first + 64]]
        chunk += [None] * (min(lanes, -(-len(chunk) // 4) * 4) - len(chunk))
        dead = lanes - len(chunk)
        head = matrix.header
        if head.multipliers is not None:
            values = [head.multipliers()[0 if c is None else c] for c in chunk]
            out += array("f", values + [1.0 if len(order) > 64 else 0.0] * dead).tobytes()
        if head.bias is not None:
            out += array("i", [0 if c is None else head.bias[c] for c in chunk] + [0] * dead).tobytes()
        if head.zero_points is not None:
            out += array("i", [head.zero_points[0 if c is None else c] for c in chunk] + [0] * dead).tobytes()
        for start in range(0, groups, block):
            for tap in range(taps):
                for group in range(start, min(groups, start + block)):
                    for channel in chunk:
                        for byte in range(4 * group, 4 * group + 4):
                            filler = matrix.zero_points[channel or 0]
                            if channel is None or byte >= depth:
                                out.append(filler)
                            else:
                                value = matrix.data[(channel * taps + tap) * depth + byte]
                                out.append(value ^ 0x80 if matrix.flip else value)
                    out += bytes(4 * dead)
    return bytes(out).ljust(matrix.size, b"\0")


@st.composite
def matrices(draw: st.DrawFn) -> Matrix:
    outputs, taps, depth = draw(st.integers(1, 140)), draw(st.integers(1, 4)), draw(st.integers(1, 17))
    random = draw(st.randoms(use_true_random=False))
    numbers = array("i", [random.randrange(-(2**31), 2**31) for _ in range(outputs)])
    order = None
    if draw(st.booleans()):
        order = [channel if lane == 0 else -1 for channel in range(outputs) for lane in range(4)]
    same = random.randrange(256)
    return Matrix(
        what="weights",
        tensor=1,
        data=random.randbytes(outputs * taps * depth),
        outputs=outputs,
        runs=(depth,) * taps,
        order=order,
        header=Header(
            multipliers=Multipliers(1.0, [float(n) for n in numbers], 1.0) if draw(st.booleans()) else None,
            bias=numbers if draw(st.booleans()) else None,
            zero_points=numbers if draw(st.booleans()) else None,
            bias_tensor=2,
        ),
        zero_points=[same] * outputs,
        flip=draw(st.booleans()),
        spatial=draw(st.booleans()),
        block=draw(st.integers(0, 3)),
    )


@settings(max_examples=60, deadline=None)
@given(matrices())
def test_a_blob_is_the_layout_written_out_and_gives_everything_back(matrix: Matrix) -> None:
    blob = matrix.blob()
    assert len(blob) == matrix.size
    assert blob == by_hand(matrix)
    if matrix.header.bias is None:
        return
    found = matrix.unpack(blob)
    assert found == {1: bytes(matrix.data), 2: matrix.header.bias.tobytes()}


@pytest.mark.parametrize(
    ("outputs", "spatial", "lanes"),
    [(1, True, 4), (4, True, 4), (5, True, 16), (1, False, 16), (17, True, 32), (63, True, 64), (1001, False, 64)],
)
def test_the_width_of_a_chunk(outputs: int, spatial: bool, lanes: int) -> None:
    assert width(outputs, spatial=spatial) == lanes


def test_every_chunk_counts_with_64_lanes_on_the_chip() -> None:
    matrix = Matrix(what="", data=bytes(10 * 8), outputs=10, runs=(8,), zero_points=bytes(10))
    assert (matrix.size, matrix.chunks, matrix.chunk_size) == (16 * 8, 1, 64 * 8)

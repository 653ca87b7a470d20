"""On-chip room for parameters: 8 MiB less what instructions and activations take of it.

Exact only where many compiles agree on one number (16.0 with several models); elsewhere a fit with a range. A tile's
share is a sixteenth. What is known, by compiler:

- 1.0: 8 MiB less instructions
- 2.0 to 14.1: that, less 16 times the map that a global pool gathers in every tile
- 15.0 and 16.0: 8 MiB less 60 KiB less instructions; 6.3 to 7.5 MiB where activations exceed a tile's 192 KiB
- 16.0, several models: a constant, whatever the executables are, since they share the room of the largest
- 16.0, a segment: that constant, less what its first operator's tensors need beyond 192 KiB (206 segmented sweeps)
"""

from __future__ import annotations

from collections.abc import Sequence

from edgetpu_build.chip.facts import KIB, MIB, SRAM_BYTES, TILE_ACTIVATION_BYTES, TILES
from edgetpu_build.compiler.activation import Activation
from edgetpu_build.compiler.footprint import POOLS, map_shape, tile_bytes
from edgetpu_build.figure import Figure, estimated, exact
from edgetpu_build.tflite.model import Subgraph

POOL_BYTES = SRAM_BYTES - 568 * KIB  # 16.0, several models
POOL_RANGE = (7_806_720, 7_807_487)  # what a pool of eight networks leaves possible
RESERVE = 60 * KIB
Member = tuple[Subgraph, Sequence[int], Activation]  # main subgraph, mapped operators, what they need
CHUNK = 256 * KIB  # instructions are cut into chunks of this; from two chunks on, more of them cost no more room


def room(generation: str, members: Sequence[Member], models: int = 1) -> Figure:
    """Bytes for parameters when these Edge TPU operators, of so many models, are compiled together."""
    if not members:
        return exact(0)
    if generation == "16.0" and models > 1:
        return Figure(POOL_BYTES, "estimated", *POOL_RANGE)
    return min((_alone(generation, *member) for member in members), key=lambda figure: figure.value or 0)


def segment_room(generation: str, subgraph: Subgraph, mapped: Sequence[int], activation: Activation) -> Figure:
    """Bytes for parameters of one segment of ``-n``: each has the whole chip."""
    if generation != "16.0":
        return room(generation, [(subgraph, mapped, activation)])
    first = subgraph.operators[0]
    tensors = (subgraph.tensors[index] for index in (*first.inputs, *first.outputs) if index >= 0)
    live = sum(tile_bytes(t.shape) for t in tensors if t.data is None and t.type in ("INT8", "UINT8"))
    return estimated(POOL_BYTES - TILES * max(0, live - TILE_ACTIVATION_BYTES), 6.42 * MIB, 7.9 * MIB)


def _alone(generation: str, subgraph: Subgraph, mapped: Sequence[int], activation: Activation) -> Figure:
    instructions = activation.instructions
    sizes = [int(bound or 0) for bound in (instructions.value, instructions.high, instructions.low)]
    banded = activation.peak > TILE_ACTIVATION_BYTES
    if generation in ("15.0", "16.0"):
        if banded:
            return estimated(7.05 * MIB, 6.3 * MIB, 7.75 * MIB)
        return estimated(*(SRAM_BYTES - RESERVE - min(size, 2 * CHUNK) for size in sizes))
    if generation == "1.0":
        best, low, high = (SRAM_BYTES - size for size in sizes)
        # One deep stack had 3 MB less than its instructions explain: about twice what its activations need.
        return estimated(best, low - 2 * TILES * activation.peak, high)
    best, low, high = (SRAM_BYTES - TILES * _gathered(subgraph, mapped) - size for size in sizes)
    return estimated(best - MIB, low - 2.2 * MIB, high) if banded else estimated(best, low, high)


def _gathered(subgraph: Subgraph, mapped: Sequence[int]) -> int:
    """Bytes of the largest map that a global pool reads: compilers before 15.0 keep it whole in every tile."""
    most = 0
    for position in mapped:
        op = subgraph.operators[position]
        if op.kind in POOLS:
            rows, columns, channels = map_shape(subgraph.tensors[op.inputs[0]].shape)
            size = rows * columns * -(-channels // 4) * 4
            out = map_shape(subgraph.tensors[op.outputs[0]].shape)
            if out[:2] == (1, 1) and rows * columns > 1 and size <= TILE_ACTIVATION_BYTES:
                most = max(most, size)
    return most

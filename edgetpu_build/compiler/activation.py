"""Activation memory: what one of the 16 tiles needs for the tensors that are alive while an operator runs.

The tiles stand as 4 x 4 over rows and columns, channels whole. What lies in a tile is worked out in ``tiles``, how it
is packed in ``packing``. Where nothing exceeds a tile's 192 KiB that is what Google's files say in 732 of 732 one-layer
compiles and in six of seven whole networks; a figure is called exact where the rules have no known exception. Above
192 KiB the compiler works in horizontal bands, and only a bracket is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from edgetpu_build.chip.facts import TILE_ACTIVATION_BYTES
from edgetpu_build.compiler.instructions import instruction_bytes
from edgetpu_build.compiler.tiles import TileMemory
from edgetpu_build.errors import Diagnostic, warning
from edgetpu_build.figure import UNKNOWN, Figure, estimated, exact
from edgetpu_build.tflite.model import Subgraph
from edgetpu_build.units import format_size

WORTH_A_WARNING = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorActivation:
    """Bytes a tile needs while operator ``index`` runs. ``banded``: it is above 192 KiB, or next to one that is."""

    index: int
    bytes: int
    banded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """``per_tile``: what the executable asks of a tile. ``peak``: the largest operator, as if there were no bands.

    ``carried``: bytes a tile keeps across operator ``carried_at`` for later ones (skip connections): bands cannot
    shrink them. ``largest``: (tensor, bytes a tile), the five largest. ``instructions``: bytes of both executables.
    """

    operators: tuple[OperatorActivation, ...] = ()
    per_tile: Figure = UNKNOWN
    peak: int = 0
    carried: int = 0
    carried_at: int = -1
    largest: tuple[tuple[int, int], ...] = ()
    instructions: Figure = UNKNOWN


def analyse(subgraph: Subgraph, mapped: Sequence[int], runtime: int = 14, compiler: str = "") -> Activation:
    """Activation memory of one Edge TPU operator: ``mapped`` are its operators, in file order, at least one.

    ``runtime``: the runtime number in the file, which tells the compiler's generation (10, 12, 14). ``compiler``: its
    version, where that is known better.
    """
    memory = TileMemory(subgraph, mapped, runtime, compiler)
    sums, carried = memory.sums(), memory.carried()
    banded = memory.banded(sums)
    peak = max(sums)
    at = max(range(len(carried)), key=carried.__getitem__)
    return Activation(
        operators=tuple(
            OperatorActivation(index=position, bytes=sums[place], banded=place in banded)
            for place, position in enumerate(mapped)
        ),
        per_tile=_per_tile(memory, sums, banded),
        peak=peak,
        carried=carried[at],
        carried_at=mapped[at] if carried[at] else -1,
        largest=memory.largest(),
        instructions=instruction_bytes(subgraph, mapped, memory.narrow_sums(), new=runtime >= 13),
    )


def _per_tile(memory: TileMemory, sums: Sequence[int], banded: AbstractSet[int]) -> Figure:
    """What is alive at most, or more where buffers leave gaps; above a tile's memory at least what runs unbanded."""
    if banded:
        below = max((size for place, size in enumerate(sums) if place not in banded), default=0)
        return estimated(below, below, TILE_ACTIVATION_BYTES)
    peak, packed = max(sums), memory.packed()
    if packed == peak and memory.sure(sums):
        return exact(peak)
    likely = packed if packed and packed <= TILE_ACTIVATION_BYTES else peak
    return estimated(likely, peak, max(likely, min(2 * peak, TILE_ACTIVATION_BYTES)))


def likelihood(activation: Activation) -> float:
    """How likely Google's compiler fails with "large activation tensors": a score set by hand from three failures.

    What decides in the data is what is carried across operators (bands cannot shrink it), not the peak.
    """
    carried, peak = activation.carried / TILE_ACTIVATION_BYTES, activation.peak / TILE_ACTIVATION_BYTES
    if carried > 1:
        return 0.9
    if carried > 0.75:
        return 0.6
    over = sum(op.bytes > TILE_ACTIVATION_BYTES for op in activation.operators)
    if not over:
        return 0.02
    return 0.35 if carried > 0.5 else min(0.05 + 0.03 * peak + 0.003 * over, 0.3)


def warn(subgraph: Subgraph, activation: Activation) -> Diagnostic | None:
    """A warning where the compiler is likely to refuse the model for its activations; never a verdict."""
    score = likelihood(activation)
    if score < WORTH_A_WARNING:
        return None
    op = subgraph.operators[activation.carried_at]
    carried, tile = format_size(activation.carried), format_size(TILE_ACTIVATION_BYTES)
    return warning(
        "ETB312",
        f"Google's compiler may fail with large activation tensors (likelihood {score:.0%}, a guess): {carried} of a "
        f"tile's {tile} are carried across operator {activation.carried_at} ({op.kind}) for later ones",
        hint="halve the input's side (it divides every tensor by 4), or shorten the skip connections",
    )

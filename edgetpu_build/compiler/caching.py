"""Which layers' parameters stay on the chip, alone and among models that are compiled together.

A layer is cached whole or streamed whole. Constants of element-wise operators are always streamed. Then layers get
room one by one, and one that does not fit is passed over: first depthwise convolutions, then layers whose result is a
single position (dense layers, classifier heads), those with the largest chunks first; then the others, the largest
first. A chunk of 64 outputs of a single-position layer lies whole in one tile, always the least loaded; all other
parameters spread evenly over the tiles. Of equal layers the first in the file is served first.

Models compiled together: 16.0 puts the layers of all into one pool; up to 15.0 each model is served in the order of the
command line; 1.0 leaves the single-position layers of all models for last. The manual tells of an order for every
version: the files of 16.0 contradict it (a model that stood first keeps 2.3 of its 3.9 MB).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from edgetpu_build.chip.facts import TILES
from edgetpu_build.compiler.interface import LayerResult
from edgetpu_build.compiler.parameters.layer import Layer
from edgetpu_build.figure import Figure
from edgetpu_build.tflite.model import Subgraph
from edgetpu_build.units import format_size

ALWAYS_STREAMED = "constants of element-wise operators are streamed at every inference, whatever room there is"
CHUNK_TOO_LARGE = "a chunk of 64 outputs must lie in one tile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a compiler deals out the room. ``pooled``: the layers of all models compete.

    ``singles_last``: single-position layers of all models come after everything else, chunk k in tile k, and a tile
    takes ``tile_limit`` bytes of them (bracket 520,200 to 522,000). ``by_fullest_tile``: see ``_Tiles.left``.
    ``before``: who is served before a layer that gets nothing.
    """

    before: str = "the layers that come first and the models before its own"
    pooled: bool = False
    by_fullest_tile: bool = False
    singles_last: bool = False
    tile_limit: int = 0


POLICIES = {
    "1.0": Policy(before="the convolutions of all models", singles_last=True, tile_limit=521_000),
    "16.0": Policy(before="the layers, of all models together, that come first", pooled=True, by_fullest_tile=True),
}
IN_ORDER = Policy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A layer that asks for room. ``single``: its result is one position, so each chunk must fit into one tile."""

    layer: Layer
    single: bool

    @property
    def room(self) -> int:
        """Bytes in the tiles. A row of a SOFTMAX table has 16 lanes and takes the place of 64: a dense network of 15.0
        printed it so, and with it a pool of eight networks is full at a round number.
        """
        return self.layer.tile_size * (4 if self.layer.kind == "SOFTMAX" else 1)

    @property
    def rank(self) -> tuple[int, int]:
        """Who comes first. Equal ranks keep the order of the file."""
        if self.layer.kind == "DEPTHWISE_CONV_2D":
            return 0, 0
        return (1, -self.layer.chunk_size) if self.single else (2, -self.room)


def candidate_of(subgraph: Subgraph, layer: Layer) -> Candidate:
    """The layer as the allocator sees it."""
    shape = subgraph.tensors[subgraph.operators[layer.index].outputs[0]].shape
    return Candidate(layer=layer, single=layer.chunks > 0 and prod(shape[:-1][-2:]) == 1)


@dataclass(frozen=True, slots=True)
class Decision:
    """``sure``: the same over the whole range of room that is possible."""

    candidate: Candidate
    cached: bool
    reason: str
    sure: bool = True

    @property
    def hopeless(self) -> bool:
        """Streamed, and no other model is to blame: it would be even if the chip were empty."""
        return not self.cached and self.reason.startswith((ALWAYS_STREAMED, CHUNK_TOO_LARGE))

    def result(self) -> LayerResult:
        layer = self.candidate.layer
        return LayerResult(
            index=layer.index,
            name=layer.kind,
            bytes=layer.size,
            placement="cached" if self.cached else "streamed",
            reason=self.reason,
            confidence="exact" if self.sure and layer.confidence == "exact" else "estimated",
        )


@dataclass(frozen=True, slots=True)
class Allocation:
    """Decisions per model, in file order, and per model the bytes on the chip that are left once it is served.

    ``contested``: several models share a pool that is too small. Which layers lose is known in most sets, not in all.
    """

    decisions: tuple[tuple[Decision, ...], ...]
    remaining: tuple[int, ...]
    contested: bool = False

    @property
    def full(self) -> bool:
        """Every layer that asked for room got it."""
        return all(d.cached or d.candidate.layer.always_streamed for mine in self.decisions for d in mine)


class _Tiles:
    """The room of 16 equal tiles while it is dealt out."""

    def __init__(self, room: int, policy: Policy) -> None:
        self._room, self._spread, self._loads = room, 0, [0] * TILES
        self._policy = policy
        self._share = policy.tile_limit or room // TILES

    @property
    def left(self) -> int:
        """What is printed as left: bytes, or with 16.0 what the fullest tile still has, times 16."""
        if not self._policy.by_fullest_tile:
            return self._unused
        return max(0, self._room - self._spread - TILES * max(self._loads))

    @property
    def _unused(self) -> int:
        return self._room - self._spread - sum(self._loads)

    def take(self, asks: Candidate) -> Decision:
        """Gives the layer room if it fits."""
        layer = asks.layer
        size, chunk = format_size(asks.room), format_size(layer.chunk_size)
        if asks.single and layer.chunk_size > self._share:
            return Decision(asks, False, f"{CHUNK_TOO_LARGE}: it takes {chunk}, a tile has {format_size(self._share)}")
        if asks.room > self._unused:
            left = format_size(self._unused)
            return Decision(asks, False, f"it takes {size}, and {left} are left behind {self._policy.before}")
        loads = self._with_chunks(layer) if asks.single else self._loads
        if asks.single and max(loads) > self._share:
            return Decision(asks, False, f"no tile has {chunk} left for each chunk of 64 outputs")
        self._loads = loads
        self._spread += 0 if asks.single else asks.room
        return Decision(asks, True, f"it takes {size}, and {format_size(self._unused)} are left then")

    def _with_chunks(self, layer: Layer) -> list[int]:
        loads = list(self._loads)
        for chunk in range(layer.chunks):
            tile = chunk % TILES if self._policy.singles_last else loads.index(min(loads))
            loads[tile] += layer.chunk_size
        return loads


def allocate(models: Sequence[Sequence[Candidate]], room: Figure, generation: str) -> Allocation:
    """Deals out ``room`` (bytes; its range bounds what is sure) to the layers of models compiled together.

    ``models`` stand in the order of the command line, layers in file order; ``generation`` is the compiler's name
    ("16.0").
    """
    policy = POLICIES.get(generation, IN_ORDER)
    best = _deal(models, int(room.value or 0), policy)
    low = _deal(models, int(room.low), policy) if room.low is not None else best
    if low.full:
        return best  # what fits into the least room fits into more
    high = _deal(models, int(room.high), policy) if room.high is not None else best
    decisions = tuple(
        tuple(
            replace(decision, sure=decision.cached == least.cached == most.cached)
            for decision, least, most in zip(*mine, strict=True)
        )
        for mine in zip(best.decisions, low.decisions, high.decisions, strict=True)
    )
    return replace(best, decisions=decisions)


def _deal(models: Sequence[Sequence[Candidate]], room: int, policy: Policy) -> Allocation:
    tiles = _Tiles(room, policy)
    decisions = [[Decision(layer, cached=False, reason=ALWAYS_STREAMED) for layer in model] for model in models]
    remaining = [room] * len(models)
    for number, place in _order(models, policy):
        before = tiles.left
        decisions[number][place] = tiles.take(models[number][place])
        taken = before - tiles.left
        first = 0 if policy.pooled else number
        remaining[first:] = [left - taken for left in remaining[first:]]
    lost = any(not d.cached and not d.hopeless for mine in decisions for d in mine)
    return Allocation(tuple(map(tuple, decisions)), tuple(remaining), lost and policy.pooled and len(models) > 1)


def _order(models: Sequence[Sequence[Candidate]], policy: Policy) -> list[tuple[int, int]]:
    """(model, layer) in the order in which they are served."""
    asking = [
        (number, place)
        for number, model in enumerate(models)
        for place, candidate in enumerate(model)
        if not candidate.layer.always_streamed
    ]
    if policy.singles_last:
        return sorted(asking, key=lambda at: models[at[0]][at[1]].single)
    return sorted(asking, key=lambda at: (0 if policy.pooled else at[0], models[at[0]][at[1]].rank))

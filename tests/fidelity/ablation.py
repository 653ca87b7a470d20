"""What each rule of parameter memory explains: how many public compiles are wrong without it.

Use:  python -m tests.fidelity.ablation        (two minutes; writes the table into docs/explanation/memory.md)
A rule that costs no row when it is left out would be no rule. Every alternative is the nearest simpler thing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from edgetpu_build.compiler import caching, capacity, forecast
from edgetpu_build.compiler.caching import Candidate
from edgetpu_build.compiler.parameters import Layer
from edgetpu_build.figure import estimated
from edgetpu_build.tflite.model import Subgraph
from tests.fidelity import score

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "memory.md"
START, END = "<!-- table: python -m tests.fidelity.ablation -->", "<!-- end of the table -->"


@dataclass(frozen=True)
class Ablation:
    """``rule``: what we hold. ``instead``: what is put in its place."""

    rule: str
    instead: str
    patches: Callable[[], list[object]]


def _rank(rank: Callable[[Candidate], tuple[int, int]]) -> list[object]:
    return [patch.object(Candidate, "rank", property(rank))]


def _without_always_streamed() -> list[object]:
    def candidate_of(subgraph: Subgraph, layer: Layer) -> Candidate:
        return caching.candidate_of(subgraph, replace(layer, always_streamed=False))

    return [patch.object(forecast, "candidate_of", candidate_of)]


def _without_single() -> list[object]:
    def candidate_of(subgraph: Subgraph, layer: Layer) -> Candidate:
        return replace(caching.candidate_of(subgraph, layer), single=False)

    return [patch.object(forecast, "candidate_of", candidate_of)]


def _policy(name: str, **changes: Any) -> list[object]:
    changed = replace(caching.POLICIES.get(name, caching.IN_ORDER), **changes)
    return [patch.dict(caching.POLICIES, {name: changed})]


ABLATIONS = (
    Ablation(
        "constants of element-wise operators are always streamed",
        "they are cached like others",
        _without_always_streamed,
    ),
    Ablation("a chunk of 64 outputs of a single-position layer lies in one tile", "it is spread", _without_single),
    Ablation(
        "of single-position layers those with the largest chunks come first",
        "file order",
        lambda: _rank(lambda c: (0, 0) if c.single or c.layer.kind == "DEPTHWISE_CONV_2D" else (2, -c.room)),
    ),
    Ablation(
        "of other layers the largest come first",
        "file order",
        lambda: _rank(
            lambda c: (
                (0, 0) if c.layer.kind == "DEPTHWISE_CONV_2D" else (1, -c.layer.chunk_size) if c.single else (2, 0)
            )
        ),
    ),
    Ablation(
        "16.0 pools the layers of all models", "in the order of the command line", lambda: _policy("16.0", pooled=False)
    ),
    Ablation(
        "1.0 leaves single-position layers for last", "each model in turn", lambda: _policy("1.0", singles_last=False)
    ),
    Ablation(
        "convolutions take room in whole chunks of 64 outputs",
        "their bytes in the file",
        lambda: [patch.object(Candidate, "room", property(lambda c: c.layer.size))],
    ),
    Ablation(
        "a softmax table takes the room of 64 lanes",
        "its bytes in the file",
        lambda: [patch.object(Candidate, "room", property(lambda c: c.layer.tile_size))],
    ),
    Ablation(
        "a segment has the room of co-compiled models, less what its first tensors need",
        "the room of a whole model",
        lambda: [patch.object(capacity, "segment_room", lambda g, *member: capacity.room(g, [member]))],
    ),
    Ablation(
        "several models of 16.0 have 8 MiB less 568 KiB",
        "as one model",
        lambda: [
            patch.object(capacity, "POOL_BYTES", 8_110_000),
            patch.object(capacity, "POOL_RANGE", (8_000_000, 8_200_000)),
        ],
    ),
    Ablation(
        "a single model has 8 MiB less 60 KiB less its instructions",
        "8 MiB",
        lambda: [patch.object(capacity, "_alone", lambda *_: estimated(8 << 20))],
    ),
)


@contextmanager
def applied(ablation: Ablation) -> Iterator[None]:
    patches = ablation.patches()
    for one in patches:
        one.start()  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for one in reversed(patches):
            one.stop()  # type: ignore[attr-defined]


def wrong() -> set[str]:
    """Rows whose memory or printed figures are not right."""
    found = score.verdicts()
    return {v.row for v in found if v.right.get("memory", v.right.get("printed", True)) is False}


def table() -> Iterator[str]:
    base = wrong()
    yield "| rule | instead | rows that it alone explains |"
    yield "|---|---|---|"
    for ablation in ABLATIONS:
        with applied(ablation):
            lost, gained = len(wrong() - base), len(base - wrong())
        yield f"| {ablation.rule} | {ablation.instead} | {lost}{f' (and {gained} would be right)' if gained else ''} |"


def main() -> None:
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    _, _, tail = rest.partition(END)
    PAGE.write_text("\n".join((head + START, *table(), END + tail)), encoding="utf-8")


if __name__ == "__main__":
    main()

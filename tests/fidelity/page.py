"""Writes docs/explanation/fidelity.md: how close the builtin compiler comes to Google's, from google.jsonl.gz.

Use:  python -m tests.fidelity.page
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.fidelity import models, score
from tests.fidelity.score import Verdict

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "fidelity.md"

_HEAD = """\
# How close to Google's compiler

<!-- written by `python -m tests.fidelity.page`; a test holds it to the code -->

The builtin compiler predicts what `edgetpu_compiler` would do: which operators run on the Edge TPU, how many bytes of
parameters stay on the chip, where a model is cut. Google's program is closed, so the only judge is what it has written
and printed in public. `tests/fidelity/google.jsonl.gz` holds that as facts: {graphs} models (operators, shapes, types,
quantisation; no weights) and {rows} compiles of them by compilers
{compilers}.
Every figure below is measured on all of them, whenever the tests run. The rules were found on these models, so the
figures say how well the rules explain what is known, not how well they will do on yours.

A row counts by itself and by family: models that are nearly the same share one vote, so that a sweep of a hundred
widths weighs as much as one network.
"""

_SCORES = {
    "placement": "the same operators run on the Edge TPU",
    "log": "the operator table of the `.log` file is the same, status texts included",
    "memory": "cached and streamed bytes are both exact",
    "printed": "the figures printed for on-chip and off-chip memory are the same text",
    "segments": "`-n` puts the same operators into the segment",
}

_RULES = """\
## Where the data contradict the manual

- **Co-compilation.** The manual gives models priority for on-chip memory in the order of the command line. Files of
  16.0 show one pool over the layers of all: a model that stood first keeps 2.3 of its 3.9 MB although the others could
  have waited. Up to 15.0 the order counts. We do as the compiler that is predicted.
- **On-chip memory used** is not the number of bytes in the file: convolutions and dense layers are counted in whole
  chunks of 64 outputs.
- **Off-chip memory is not always 0 for models that fit**: constants of element-wise operators are streamed at every
  inference, and so is a dense layer whose chunk of 64 outputs does not fit into one tile (about 8,100 inputs).

## What is known exactly, and what is a fit

| figure | how sure |
|---|---|
| placement | rules, each with its evidence: `edgetpu-build ops` |
| bytes of a layer | follows from the layout of its blob |
| cached or streamed | exact where the answer is the same over the whole range of possible room, else an estimate |
| room on the chip | a range: it depends on the size of the instructions, which is a fit (16 % to 33 % median error) |
| activation memory | exact where convolutions or additions need most, buffers leave no gaps, and all else \
needs far less; else an estimate; above 192 KiB a tile a bracket |
| a failure for large activations | a likelihood set by hand from three failures: a warning, and in a delegate search \
what a failed try is |
| a pool of several models that is too small | an estimate: one public set of four networks is dealt out otherwise |
"""


def table(found: Sequence[Verdict]) -> Iterator[str]:
    compilers = sorted({verdict.compiler for verdict in found}, key=float)
    yield "| compiler | " + " | ".join(_SCORES) + " |"
    yield "|---" * (1 + len(_SCORES)) + "|"
    for compiler in (*compilers, ""):
        mine = [verdict for verdict in found if compiler in ("", verdict.compiler)]
        cells = [_cell(*score.share(mine, name)) for name in _SCORES]
        yield f"| {compiler or '**all**'} | " + " | ".join(cells) + " |"


def _cell(right: int, count: int, by_family: float) -> str:
    return f"{right} / {count} ({100 * by_family:.1f} % by family)" if count else ""


def activation(found: Sequence[Verdict]) -> str:
    counts = Counter(verdict.activation for verdict in found)
    below = sum(counts[word] for word in ("exact", "near", "off"))
    above = sum(counts[word] for word in ("inside", "outside"))
    right, made = score.activation_claims(found)
    return (
        f"Activation memory per tile: nothing exceeds 192 KiB in {below} compiles, {counts['exact']} of them exact "
        f"and {counts['near']} more within 10 %; something does in {above}, of which {counts['inside']} lie within the "
        f"stated range. We call it exact in {made} compiles, and it is in {right}."
    )


def misses(found: Sequence[Verdict]) -> Iterator[str]:
    """Families with a wrong row, the most wrong first."""
    wrong = [v for v in found if False in v.right.values()]
    counts = Counter((verdict.family, verdict.compiler) for verdict in wrong)
    notes = {(v.family, v.compiler): v.note.strip() for v in reversed(wrong)}
    yield "| family | compiler | rows | for example |"
    yield "|---|---|---|---|"
    for (family, compiler), count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        yield f"| {family} | {compiler} | {count} | {notes[family, compiler]} |"


def text(found: Sequence[Verdict]) -> str:
    graphs, rows = models.facts()
    compilers = sorted({row["compiler"] for row in rows}, key=float)
    right, made = score.claims(found)
    lines: Iterable[str] = (
        _HEAD.format(graphs=len(graphs), rows=len(rows), compilers=", ".join(compilers)),
        *(f"- **{name}**: {meaning}" for name, meaning in _SCORES.items()),
        "",
        *table(found),
        "",
        f"Of {made} rows whose memory figures we call exact, {right} are ({100 * right / made:.1f} %).",
        "",
        activation(found),
        "",
        _RULES,
        "## What is still wrong",
        "",
        *misses(found),
    )
    return "\n".join(lines) + "\n"


def main() -> None:
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(text(score.verdicts()), encoding="utf-8")


if __name__ == "__main__":
    main()

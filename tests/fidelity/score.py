"""How close the builtin compiler comes to Google's, row by row of google.jsonl.gz.

Use:  python -m tests.fidelity.score [--compiler 16.0] [--misses 20] A row is right in ``placement`` if the same
operators are mapped, in ``log`` if the operator table is the same multiset, in ``memory`` if cached and streamed
bytes both are, in ``printed`` if the figures are the same text, in ``segments`` if the same operators lie in the
segment. By family: the mean over model families of the share of rows that are right. ``claims`` are the memory and
printed figures that we call exact.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from edgetpu_build.chip.facts import TILE_ACTIVATION_BYTES
from edgetpu_build.compiler.forecast import Forecast, predict, predict_segments
from edgetpu_build.compiler.interface import Options
from edgetpu_build.tflite.model import Model
from edgetpu_build.units import format_size
from tests.fidelity import models

SCORES = ("placement", "log", "memory", "printed", "segments")
Row = dict[str, Any]


@dataclass
class Verdict:
    """``right``: score -> bool, for the scores that the row can judge. ``claimed``: all figures were called exact.

    ``activation``: how near the forecast of tile memory came: "exact", "near" (within 10 %) or "off" where nothing
    exceeds a tile's memory, "inside" or "outside" the bracket where something does. ``sure``: it was called exact.
    """

    row: str
    family: str
    compiler: str
    claimed: bool = False
    right: dict[str, bool] = field(default_factory=dict)
    activation: str = ""
    sure: bool = False
    note: str = ""


def runs(rows: Sequence[Row]) -> Iterator[tuple[list[Row], bool]]:
    """(rows of one compile in order, whether all its models are at hand)."""
    by_id = {row["row"]: row for row in rows}
    seen: set[str] = set()
    for row in rows:
        if row["row"] in seen:
            continue
        members, complete = [row], True
        if row["kind"] == "cocompiled":
            order = row.get("order") or sorted([row["row"], *row.get("compiled_with", ())])
            complete = row.get("compiled_with_sure", False) and len(order) > 1 and all(k in by_id for k in order)
            members = [by_id[k] for k in order] if complete else [row]
        elif row.get("set"):
            members = sorted((r for r in rows if r.get("set") == row["set"]), key=lambda r: r["segment"])
        elif row["kind"] == "segment":
            complete = row.get("original_is_segment", False)
        seen.update(member["row"] for member in members)
        yield members, complete


def options_of(row: Row) -> Options:
    runtime = 13 if row["compiler"] == "16.0" and row["runtime"] == 13 else 14
    several = row.get("n_custom_ops", 1) > 1
    return Options(generation=row["compiler"], min_runtime_version=runtime, multiple_subgraphs=several)


@lru_cache(maxsize=32)
def model_of(key: str) -> Model:
    return models.model(models.facts()[0][key])


def judge(members: Sequence[Row], complete: bool) -> list[Verdict]:
    first, options = members[0], options_of(members[0])
    if first.get("set"):
        return _judge_segments(members, options)
    complete = complete and not options.multiple_subgraphs
    answers = predict([model_of(row["graph"]) for row in members], options)
    ours = [_memory(answer) for answer in answers]
    theirs = [(row.get("cached") or 0, row.get("streamed") or 0) for row in members]
    if len(members) > 1 and not first.get("order"):  # who loses among equals depends on an order that is not known
        ours, theirs = [_sums(ours)] * len(ours), [_sums(theirs)] * len(theirs)
    claimed = all(_claimed(answer) for answer in answers)
    verdicts = []
    for row, answer, mine, want in zip(members, answers, ours, theirs, strict=True):
        verdict = _verdict(row, claimed)
        if "printed" in row:
            _judge_printed(verdict, row, answer)
        else:
            _judge_placement(verdict, row, answer)
            verdict.activation = _activation(row, answer)
            verdict.sure = any(need.per_tile.confidence == "exact" for need in answer.activations)
            if complete and not row.get("memory_doubtful"):
                _judge_memory(verdict, mine, want)
        verdicts.append(verdict)
    return verdicts


def _judge_segments(members: Sequence[Row], options: Options) -> list[Verdict]:
    segments = predict_segments(model_of(members[0]["graph"]), members[0]["segment"][1], options)
    verdicts = []
    for row in members:
        operators, answer = segments[row["segment"][0]]
        verdict = _verdict(row, _claimed(answer))
        if "printed" in row:
            _judge_printed(verdict, row, answer)
        else:
            verdict.right["segments"] = set(operators) == {*row.get("tpu_ops", ()), *row.get("cpu_ops", ())}
            _judge_memory(verdict, _memory(answer), (row.get("cached") or 0, row.get("streamed") or 0))
        verdicts.append(verdict)
    return verdicts


def _verdict(row: Row, claimed: bool) -> Verdict:
    return Verdict(row["row"], row["family"], row["compiler"], claimed)


def _memory(answer: Forecast) -> tuple[int, int]:
    figures = answer.figures
    return int(figures.cached_bytes.value or 0), int(figures.streamed_bytes.value or 0)


def _sums(pairs: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return sum(cached for cached, _ in pairs), sum(streamed for _, streamed in pairs)


def _claimed(answer: Forecast) -> bool:
    figures = answer.figures
    asked = (figures.cached_bytes, figures.streamed_bytes, figures.on_chip_used, figures.off_chip)
    return all(figure.confidence == "exact" for figure in asked)


def _judge_placement(verdict: Verdict, row: Row, answer: Forecast) -> None:
    if row.get("placement_doubtful"):
        return
    ours = {op.index for op in answer.placement.operators if op.target == "edgetpu"}
    theirs = set(row.get("tpu_ops", ()))
    verdict.right["placement"] = ours == theirs
    if ours != theirs:
        verdict.note += f" tpu missing {sorted(theirs - ours)[:6]} extra {sorted(ours - theirs)[:6]}"
    if "log" in row:
        table = Counter((op.name, op.status) for op in answer.placement.operators)
        wanted = Counter({(name, status): count for name, count, status in row["log"]})
        verdict.right["log"] = table == wanted
        if table != wanted:
            verdict.note += f" log {list((table - wanted).items())[:2]} not {list((wanted - table).items())[:2]}"


def _activation(row: Row, answer: Forecast) -> str:
    found = [narrow for kind, _, narrow, _ in row.get("executables", ()) if kind != "PARAMETER_CACHING"]
    if len(found) != 1 or not found[0] or len(answer.activations) != 1:
        return ""
    (true,), (need,) = found, answer.activations
    if need.peak > TILE_ACTIVATION_BYTES:
        return "inside" if (need.per_tile.low or 0) <= true <= (need.per_tile.high or 0) else "outside"
    ours = need.per_tile.value or 0
    return "exact" if true == ours else "near" if abs(ours / true - 1) <= 0.1 else "off"


def _judge_memory(verdict: Verdict, mine: tuple[int, int], want: tuple[int, int]) -> None:
    verdict.right["memory"] = mine == want
    if mine != want:
        verdict.note += f" cached {mine[0]} not {want[0]}; streamed {mine[1]} not {want[1]}"


def _judge_printed(verdict: Verdict, row: Row, answer: Forecast) -> None:
    ours = {key: format_size(getattr(answer.figures, key).value) for key in row["printed"]}
    verdict.right["printed"] = ours == row["printed"]
    if ours != row["printed"]:
        verdict.note += f" printed {ours} not {row['printed']}"


def verdicts(compilers: Iterable[str] = ()) -> list[Verdict]:
    _, rows = models.facts()
    chosen = set(compilers)
    rows = [row for row in rows if not chosen or row["compiler"] in chosen]
    return [verdict for members, complete in runs(rows) for verdict in judge(members, complete)]


def share(found: Sequence[Verdict], score: str) -> tuple[int, int, float]:
    """(right rows, rows, mean share of right rows by family)."""
    families: dict[str, list[bool]] = defaultdict(list)
    for verdict in found:
        if score in verdict.right:
            families[verdict.family].append(verdict.right[score])
    every = [right for rights in families.values() for right in rights]
    by_family = sum(sum(rights) / len(rights) for rights in families.values()) / max(1, len(families))
    return sum(every), len(every), by_family


def claims(found: Sequence[Verdict]) -> tuple[int, int]:
    """(right, made): rows whose memory or printed figures we call exact."""
    judged = [v.right.get("memory", v.right.get("printed")) for v in found if v.claimed]
    made = [right for right in judged if right is not None]
    return sum(made), len(made)


def activation_claims(found: Sequence[Verdict]) -> tuple[int, int]:
    """(right, made): rows whose activation memory per tile we call exact."""
    judged = [v.activation == "exact" for v in found if v.sure and v.activation]
    return sum(judged), len(judged)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--compiler", action="append", default=[])
    parser.add_argument("--misses", type=int, default=20)
    asked = parser.parse_args()
    found = verdicts(asked.compiler)
    lines = [f"miss {v.row} ({v.compiler}{', claimed' if v.claimed else ''}):{v.note}" for v in found if v.note]
    lines = lines[: asked.misses]
    for compiler in (*sorted({v.compiler for v in found}, key=float), ""):
        mine = [v for v in found if compiler in ("", v.compiler)]
        shares = ((score, *share(mine, score)) for score in SCORES)
        told = "; ".join(f"{s} {r}/{n} ({100 * f:.1f} % by family)" for s, r, n, f in shares if n)
        lines.append(f"{compiler or 'all'}: {told}; claims of exact {'/'.join(map(str, claims(mine)))}")
        counts = Counter(v.activation for v in mine if v.activation)
        shown = ", ".join(f"{word} {count}" for word, count in counts.most_common())
        right, made = activation_claims(mine)
        lines[-1] += f"; activation {shown or 'not known'}, claims of exact {right}/{made}"
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

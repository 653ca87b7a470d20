"""Fit the constants of the latency model to published measurements, and say how wrong they are where they never looked.

    python benchmarks/fit_latency.py            # constants to paste into edgetpu_build/latency/constants.py, errors

Needs numpy and scipy. `latency.json.gz` holds facts only: per measurement its source, model, family, link, kind of host
and milliseconds, and the network as a list of operators with their shapes. Held out means: every constant is fitted
again without a whole group (a family of networks, or a source). A link that only the held-out group has takes a
neighbour's constants. The features are the product's own (`latency.work`, `compiler.instructions`,
`compiler.caching`); the formula is repeated here in numpy for speed, and `test_fit_latency` holds the two together.
"""

from __future__ import annotations

import gzip
import itertools
import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from edgetpu_build.chip.facts import MIB, SRAM_BYTES, TILE_ACTIVATION_BYTES
from edgetpu_build.compiler.caching import Candidate, allocate
from edgetpu_build.compiler.capacity import CHUNK, RESERVE
from edgetpu_build.compiler.footprint import tile_bytes
from edgetpu_build.compiler.instructions import instruction_bytes
from edgetpu_build.compiler.parameters.layer import Layer
from edgetpu_build.figure import exact
from edgetpu_build.latency import pipeline, work
from edgetpu_build.latency.model import IMAGE
from edgetpu_build.tflite.model import Operator, Subgraph, Tensor

DATA = Path(__file__).with_name("latency.json.gz")
LINKS = ("pcie", "usb3", "usb2", "usb3_jetson", "usb3_rpi4", "micro")
NEIGHBOUR = {
    "pcie": "usb3",
    "usb3": "pcie",
    "usb2": "usb3",
    "usb3_jetson": "usb3",
    "usb3_rpi4": "usb3",
    "micro": "usb2",
}
SWEEPS = ("iwa_in", "iwa_conv", "iwa_dense", "jorge_conv", "jorge_fc", "dense", "radma_grid")  # made to be measured
BANDED_ROOM = 7.05 * MIB
START = {
    "mac": 1.6, "spread": 30.0, "depthwise": 16.0, "pool": 8.0, "activations": 40.0, "operator_us": 3.0,
    "output_mb_x86": 7.0, "output_mb_arm": 10.0, "output_pixel_us_x86": 0.1, "output_pixel_us_arm": 0.1,
    "micro_clock": 0.55,
    "bandwidth_pcie": 375.0, "bandwidth_usb3": 440.0, "bandwidth_usb2": 36.0,
    "bandwidth_usb3_jetson": 370.0, "bandwidth_usb3_rpi4": 270.0, "bandwidth_micro": 28.0,
    "fixed_pcie": 0.1, "fixed_usb3": 0.26, "fixed_usb2": 0.3,
    "fixed_usb3_jetson": 0.29, "fixed_usb3_rpi4": 1.0, "fixed_micro": 0.6,
}  # fmt: skip
"""Where the search begins, and what it is pulled towards where the data are silent."""
HALF, PULL, LOSS = 0.5, 0.3, 0.1

Constants = dict[str, float]
Key = Callable[["Row"], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement and what the model is asked for it."""

    id: str
    source: str
    family: str
    link: str
    host: str
    ms: float
    works: tuple[work.Work, ...]
    streamed: tuple[int, ...]
    inputs: int
    outputs: int
    positions: int
    instructions: float


def subgraph_of(operators: Sequence[Any]) -> Subgraph:
    """The listed operators as a graph: each reads a map of its own, which is all that the features look at."""
    tensors: list[Tensor] = []

    def tensor(*shape: int) -> int:
        tensors.append(Tensor(name="", shape=shape, type="INT8"))
        return len(tensors) - 1

    made = []
    for kind, source, result, kernel, reads in operators:
        inputs = [tensor(1, *source)] + [tensor(1, *source) for _ in range(reads - 1)]
        weighted = kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
        if weighted:
            tensors.append(Tensor(name="", shape=(1, *kernel, 1), type="INT8", data=memoryview(b"")))
            inputs.insert(1, len(tensors) - 1)
        options = {"filter_height": kernel[0], "filter_width": kernel[1]} if kind.endswith("POOL_2D") else {}
        made.append(Operator(kind=kind, inputs=tuple(inputs), outputs=(tensor(1, *result),), options=options))
    return Subgraph(name="", tensors=tuple(tensors), inputs=(), outputs=(), operators=tuple(made))


def prepare(graph: dict[str, Any], streamed: int | None) -> dict[str, Any]:
    """Features of a network: ``streamed`` bytes are measured, or estimated where the source does not tell."""
    subgraph = subgraph_of(graph["operators"])
    works = tuple(work.of(subgraph, operator) for operator in subgraph.operators)
    held = [
        sum(tile_bytes(subgraph.tensors[i].shape) for i in (op.inputs[0], op.outputs[0])) for op in subgraph.operators
    ]
    instructions = graph["instructions"]
    if instructions is None:
        instructions = instruction_bytes(subgraph, range(len(works)), held, new=False).value
    banded = max(held, default=0) > TILE_ACTIVATION_BYTES
    room = BANDED_ROOM if banded else SRAM_BYTES - RESERVE - min(instructions, 2 * CHUNK)
    if streamed is not None:
        room = 1.01 * (sum(one.parameters for one in works) - streamed)
    out = graph["operators"][-1][2] if works else (1, 1, 1)
    return {
        "works": works,
        "streamed": layers_streamed(works, graph["operators"], room, tiles=streamed is None),
        "inputs": graph["inputs"],
        "outputs": graph["outputs"],
        "positions": out[0] * out[1] if out[0] * out[1] > IMAGE else 0,
        "instructions": instructions,
    }


def layers_streamed(
    works: Sequence[work.Work], operators: Sequence[Any], room: float, *, tiles: bool
) -> tuple[int, ...]:
    """Bytes that each operator streams when there are ``room`` bytes: whole layers, as the compiler decides.

    ``tiles``: count as the chip does, 64 lanes a chunk and the chunks of a dense layer each in one tile. Where it is
    measured how much streams, ``room`` is what remains of the artifact's bytes, and a sixteenth of it means nothing.
    """
    asking = [i for i, one in enumerate(works) if one.parameters]
    candidates = []
    for i in asking:
        one, (_, _, result, _, _) = works[i], operators[i]
        size, chunks = one.weights + one.dense if tiles else one.parameters, -(-result[2] // 64)
        layer = Layer(
            index=i, kind=one.kind, size=one.parameters, tile_size=size, chunks=chunks, chunk_size=size // chunks,
            reason="", pieces=(),
        )  # fmt: skip
        candidates.append(Candidate(layer=layer, single=tiles and result[0] * result[1] == 1))
    decisions = allocate([candidates], exact(max(0, int(room))), "15.0").decisions[0]
    sent = {d.candidate.layer.index: d.candidate.layer.size for d in decisions if not d.cached}
    return tuple(sent.get(i, 0) for i in range(len(works)))


def load() -> tuple[list[Row], list[Row], dict[str, Any]]:
    """(rows to fit, rows that were kept for a last look, the whole document)."""
    document = json.loads(gzip.decompress(DATA.read_bytes()))
    found: dict[bool, list[Row]] = {True: [], False: []}
    for entry in document["rows"]:
        facts = prepare(document["graphs"][entry["graph"]], entry["streamed"])
        names = ("id", "source", "family", "link", "host", "ms")
        found[entry["fit"]].append(Row(**{name: entry[name] for name in names}, **facts))
    return found[True], found[False], document


class Table:
    """Rows as arrays: every operator is a line, ``owner`` the row that it belongs to."""

    def __init__(self, rows: Sequence[Row]) -> None:
        lines = [
            (i, one, sent) for i, row in enumerate(rows) for one, sent in zip(row.works, row.streamed, strict=True)
        ]
        self.count = len(rows)
        self.owner = np.array([i for i, _, _ in lines], int)
        fields = ("array", "narrow", "depthwise", "pool", "weights", "dense", "activations")
        self.features = np.array([[getattr(one, name) for name in fields] for _, one, _ in lines], float).reshape(-1, 7)
        self.streamed = np.array([sent * one.sends for _, one, sent in lines], float)
        self.link = np.array([LINKS.index(row.link) for row in rows], int)
        self.x86 = np.array([row.host == "x86" for row in rows])
        self.numbers = np.array([(r.inputs + r.instructions, r.outputs, r.positions) for r in rows], float).reshape(
            -1, 3
        )
        self.ms = np.array([row.ms for row in rows])
        crowd = Counter((row.source, row.family, row.link) for row in rows)
        self.weight = np.array([min(1, 5 / crowd[row.source, row.family, row.link]) ** 0.5 for row in rows])


def predict(c: Constants, table: Table) -> np.ndarray:
    """`latency.model.predict`, for all rows at once. Milliseconds."""
    rate = np.array([c[f"bandwidth_{name}"] for name in LINKS])[table.link] * 1e3
    fixed = np.array([c[f"fixed_{name}"] for name in LINKS])[table.link]
    cycles = np.where(table.link == LINKS.index("micro"), 500e3 * c["micro_clock"], 500e3)
    array, narrow, depthwise, pool, weights, dense, activations = table.features.T
    steps = array * c["mac"] * np.where(narrow > 0, HALF, 1) + depthwise * c["depthwise"] + pool * c["pool"]
    spread = weights / c["spread"] + dense / (16 * c["spread"])
    compute = np.maximum(np.maximum(steps, spread), activations / c["activations"]) / cycles[table.owner]
    times = np.maximum(compute + c["operator_us"] * 1e-3, table.streamed / rate[table.owner])
    sent, outputs, positions = table.numbers.T
    per_mb = np.where(table.x86, c["output_mb_x86"], c["output_mb_arm"])
    per_pixel = np.where(table.x86, c["output_pixel_us_x86"], c["output_pixel_us_arm"])
    on_device = np.bincount(table.owner, times, minlength=table.count)
    return fixed + sent / rate + on_device + outputs * (per_mb * 1e-6 + 1 / rate) + positions * per_pixel * 1e-3


def fit(rows: Sequence[Row]) -> Constants:
    """Least squares of log errors, forgiving far ones, with a pull towards the start."""
    table, names = Table(rows), list(START)
    start = np.log([START[name] for name in names])

    def residuals(x: np.ndarray) -> np.ndarray:
        c = dict(zip(names, np.exp(x), strict=True))
        return np.concatenate([np.log(predict(c, table) / table.ms) * table.weight, PULL * (x - start)])

    found = least_squares(residuals, start, loss="soft_l1", f_scale=LOSS, max_nfev=40)
    return dict(zip(names, map(float, np.exp(found.x)), strict=True))


def without(rows: Sequence[Row], group: Callable[[Row], bool]) -> Constants:
    """Constants fitted to the rows outside of a group."""
    kept = [row for row in rows if not group(row)]
    c = fit(kept)
    for link in LINKS:
        if all(row.link != link for row in kept):
            c |= {f"{name}_{link}": c[f"{name}_{NEIGHBOUR[link]}"] for name in ("bandwidth", "fixed")}
    return c


def held_out(rows: Sequence[Row], key: Key) -> dict[str, float]:
    """Predicted milliseconds by row, each by constants that never saw its group."""
    found: dict[str, float] = {}
    for group in sorted({key(row) for row in rows}):
        mine = [row for row in rows if key(row) == group]
        c = without(rows, lambda row, group=group: key(row) == group)
        found |= dict(zip((row.id for row in mine), predict(c, Table(mine)), strict=True))
    return found


def summary(rows: Sequence[Row], predicted: dict[str, float]) -> str:
    errors = np.array([predicted[row.id] / row.ms - 1 for row in rows])
    middle, far = np.quantile(abs(errors), (0.5, 0.9))
    bias = np.median(errors)
    return f"{len(rows):5d} rows  median {middle:6.1%}  90th percentile {far:6.1%}  bias {bias:+6.1%}"


def regime(row: Row, total: float, c: Constants) -> str:
    """`latency.model._regime` of a row, for its error band."""
    rate = c[f"bandwidth_{row.link}"] * 1e3
    streams = [(sent * one.sends / rate, one.sends) for one, sent in zip(row.works, row.streamed, strict=True)]
    if sum(time for time, sends in streams if sends > 1) > 0.1 * total:
        return "tiled"
    if total < 1:
        return "short"
    if row.outputs * (c["output_mb_x86" if row.host == "x86" else "output_mb_arm"] * 1e-6 + 1 / rate) > 0.25 * total:
        return "output"
    return "streaming" if sum(time for time, _ in streams) > 0.6 * total else "compute"


def bands(rows: Sequence[Row], predicted: dict[str, float], c: Constants) -> dict[str, tuple[float, float, int]]:
    """By regime, between which factors 90 % of measured / predicted lie, and of how many rows."""
    ratios: dict[str, list[float]] = {}
    for row in rows:
        ratios.setdefault(regime(row, predicted[row.id], c), []).append(row.ms / predicted[row.id])
    return {
        name: (math.floor(np.quantile(r, 0.05) * 100) / 100, math.ceil(np.quantile(r, 0.95) * 100) / 100, len(r))
        for name, r in sorted(ratios.items())
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One measured pipeline: milliseconds an input, measured and predicted."""

    model: str
    segments: int
    batch: int
    cut: str
    measured: float
    predicted: float


def pipelines(document: dict[str, Any], c: Constants) -> list[Run]:
    """Every segmented run, stage by stage."""
    rows: list[Row] = []
    entries = document["pipelines"]
    for entry in entries:
        operators, first = document["graphs"][entry["graph"]]["operators"], 0
        for number, count in enumerate(entry["operators"]):
            mine = operators[first : first + count]
            inputs = document["graphs"][entry["graph"]]["inputs"] if not first else math.prod(mine[0][1])
            graph = {"operators": mine, "inputs": inputs, "outputs": math.prod(mine[-1][2]), "instructions": None}
            facts = prepare(graph, entry["streamed"][number])
            rows.append(Row(id="", source="", family="", link="pcie", host="x86", ms=1, **facts))
            first += count
    times = iter(predict(c, Table(rows)))
    runs = []
    for entry in entries:
        flow = pipeline.pipeline([float(next(times)) for _ in entry["operators"]])
        runs.append(
            Run(
                model=f"{entry['family']} {entry['graph']}",
                segments=len(entry["operators"]),
                batch=entry["batch"],
                cut=entry["cut"],
                measured=entry["ms"],
                predicted=pipeline.per_input(flow, entry["batch"]),
            )
        )
    return runs


def ranked(runs: Sequence[Run], apart: float = 1.15) -> tuple[int, int]:
    """(rightly ordered, pairs): other cuts of one model into as many segments, measured further apart than that."""
    groups: dict[tuple[str, int, int], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.model, run.batch, run.segments), []).append(run)
    right = total = 0
    for group in groups.values():
        for one, other in itertools.combinations(group, 2):
            if one.cut != other.cut and abs(math.log(one.measured / other.measured)) > math.log(apart):
                total += 1
                right += (one.measured < other.measured) == (one.predicted < other.predicted)
    return right, total


def main() -> None:
    rows, unseen, document = load()
    c = fit(rows)
    print("constants:", json.dumps({name: round(value, 3) for name, value in c.items()}, indent=1))
    real = [row for row in rows if row.family not in SWEEPS]
    ours = [row for row in rows if row.link in ("pcie", "usb3", "usb2")]
    fitted = dict(zip((row.id for row in rows), predict(c, Table(rows)), strict=True))
    by_family = held_out(rows, lambda row: row.family)
    by_source = held_out(rows, lambda row: row.source)
    for name, predicted in (("in the fit", fitted), ("family held out", by_family), ("source held out", by_source)):
        for what, chosen in (("all", rows), ("real networks", real), ("links of the product", ours)):
            print(f"{name:16} {what:20} {summary(chosen, predicted)}")
    for family in sorted({row.family for row in rows}):
        print(f"family held out  {family:20} {summary([r for r in rows if r.family == family], by_family)}")
    for link in sorted({row.link for row in real}):
        print(f"family held out  real, {link:14} {summary([r for r in real if r.link == link], by_family)}")
    kept = dict(zip((row.id for row in unseen), predict(c, Table(unseen)), strict=True))
    print(f"never looked at  {'all':20} {summary(unseen, kept)}")
    for name, band in bands(rows, by_family, c).items():
        print(f"band {name:10} {band}")
    apart = without(rows, lambda row: row.source == "jorgitou98")
    for name, constants in (("constants of the fit", c), ("fitted without their source", apart)):
        runs = pipelines(document, constants)
        errors = [abs(run.predicted / run.measured - 1) for run in runs]
        right, total = ranked(runs)
        print(f"segmented, {name}: {len(runs)} runs, median {np.median(errors):.1%}, ", end="")
        print(f"{right} of {total} pairs of cuts ordered rightly ({right / total:.1%})")


if __name__ == "__main__":
    main()

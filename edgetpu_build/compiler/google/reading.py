"""What a compile really did, read from the compiled file; and what was printed held against it.

A compiled file names its tensors as the original does: an operator that is in both is on the CPU, all others are inside
the Edge TPU operators. The text adds what the file does not hold (statuses, room in the tiles); where the two speak of
the same thing and disagree, that is ETB315.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from edgetpu_build.compiler.artifact import CUSTOM_OPERATOR
from edgetpu_build.compiler.google import transcript
from edgetpu_build.compiler.google.transcript import MAPPED, Block, Printed
from edgetpu_build.compiler.interface import OperatorResult
from edgetpu_build.compiler.package import CUSTOM_OPERATORS, Package, decode
from edgetpu_build.compiler.text import Row, rows
from edgetpu_build.errors import EdgeTpuBuildError, error
from edgetpu_build.figure import Figures, exact
from edgetpu_build.tflite.model import Model, Operator, Subgraph
from edgetpu_build.tflite.reader import read
from edgetpu_build.units import format_size

GOOGLES = CUSTOM_OPERATORS[0]
STUB = 64
"""Bytes below which a file is no model, whatever it holds."""
TILE_TIMES = 16
"""How many times its bytes a blob may take in the tiles: 8 is the most in forecasts of 1,209 public models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A compiled file. ``on_cpu``: operators of the original that it still holds, by position there."""

    model: Model
    packages: tuple[Package, ...]
    on_cpu: frozenset[int]

    @property
    def cached_bytes(self) -> int:
        return sum(package.cached_bytes for package in self.packages)

    @property
    def streamed_bytes(self) -> int:
        return sum(package.streamed_bytes for package in self.packages)

    @property
    def runtime_version(self) -> int:
        """The newest runtime that one of its operators asks for, 0 without any."""
        return max((package.min_runtime_version for package in self.packages), default=0)


def compiled(data: bytes, original: Model, label: str) -> Compiled:
    """The file that was made of ``original``. ETB314 where it is nothing that can be used."""
    if len(data) < STUB:
        raise _unusable(label, f"a file of {len(data)} bytes")
    try:
        model = read(data, label=label)
        packages = tuple(_packages(model.main, label))
    except EdgeTpuBuildError as problem:
        raise _unusable(label, f"a file that cannot be read ({problem.diagnostics[0].message})") from problem
    if not packages and model.raw == original.raw:
        hint = "compile it with the program itself to see what it says; the builtin compiler tells why nothing maps"
        raise error("ETB308", f"Google's compiler gave `{label}` back unchanged: nothing of it was compiled", hint)
    return Compiled(model=model, packages=packages, on_cpu=same_operators(original.main, model.main))


def operators(
    original: Model, found: Compiled, block: Block, predicted: Sequence[OperatorResult]
) -> list[OperatorResult]:
    """Where each operator of the original runs, with Google's status, and our reason where we would say so, too."""
    statuses = _Statuses(block.rows, predicted)
    reasons = {result.index: result for result in predicted}
    results = []
    for index, operator in enumerate(original.main.operators):
        if index not in found.on_cpu:
            results.append(OperatorResult(index=index, name=operator.kind, target="edgetpu", status=MAPPED))
            continue
        ours = reasons.get(index)
        result = OperatorResult(
            index=index, name=operator.kind, target="cpu", status=statuses.take(index, operator.kind)
        )
        if ours and ours.target == "cpu":
            follows = ours.follows if ours.follows in found.on_cpu else -1
            result = replace(result, rule=ours.rule, reason=ours.reason, hint=ours.hint, follows=follows)
        results.append(replace(result, reason=result.reason or result.status or "Google's compiler left it there"))
    return results


def figures(original: Model, found: Compiled, block: Block) -> Figures:
    """Parameter bytes, counts and runtime from the file; room in the tiles as printed."""
    available, used, off_chip = transcript.memory(block)
    streamed = exact(found.streamed_bytes)
    printed = block.off_chip
    if printed is None or printed.holds(found.streamed_bytes):
        off_chip = streamed  # what is printed is the same bytes, rounded
    return Figures(
        on_chip_available=available,
        on_chip_used=used,
        off_chip=off_chip,
        cached_bytes=exact(found.cached_bytes),
        streamed_bytes=streamed,
        edgetpu_operators=exact(len(original.main.operators) - len(found.on_cpu)),
        cpu_operators=exact(len(found.on_cpu)),
        subgraphs=exact(len(found.packages)),
        runtime_version=exact(found.runtime_version),
    )


def check(original: Model, found: Compiled, block: Block, label: str) -> None:
    """ETB315 with everything in which text and file disagree."""
    differing = list(_disagreements(original, found, block))
    if not differing:
        return
    told = "; ".join(f"{what}: printed {printed}, in the file {real}" for what, printed, real in differing)
    hint = "build again; if it stays so, the program is not Google's, or its files were mixed up"
    raise error("ETB315", f"what Google's compiler printed of `{label}` is not what it wrote: {told}", hint)


def check_runtime(found: Compiled, wanted: int, label: str) -> None:
    """ETB316 where the file asks for a newer runtime than it may."""
    if found.runtime_version <= wanted:
        return
    message = f"the compiled `{label}` needs runtime {found.runtime_version}, allowed is at most {wanted}"
    hint = f"raise `min-runtime-version` to {found.runtime_version} if every device has it"
    raise error("ETB316", message, hint, key="min-runtime-version")


def _disagreements(original: Model, found: Compiled, block: Block) -> Iterator[tuple[str, str, str]]:
    on_cpu, total = len(found.on_cpu), len(original.main.operators)
    told: Mapping[str, tuple[int | None, int]] = {
        "Edge TPU subgraphs": (block.subgraphs, len(found.packages)),
        "operators": (block.operators, total),
        "operators on the Edge TPU": (block.mapped, total - on_cpu),
        "operators on the CPU": (block.on_cpu, on_cpu),
    }
    for what, (printed, real) in told.items():
        if printed is not None and printed != real:
            yield what, str(printed), str(real)
    if block.used and not _fits_tiles(block.used, found.cached_bytes):
        yield "cached parameters", block.used.text, format_size(found.cached_bytes)
    if block.off_chip and not _about(block.off_chip, found.streamed_bytes):
        yield "streamed parameters", block.off_chip.text, format_size(found.streamed_bytes)
    yield from _table_disagreements(original, found, block.rows)


def _fits_tiles(printed: Printed, cached: int) -> bool:
    """Whether parameters may take that room in the tiles: never less than their bytes, far more if they are few."""
    return cached <= printed.high and printed.low <= TILE_TIMES * cached


def _about(printed: Printed, size: int) -> bool:
    """Within the print's precision and a little more: the two were the same wherever both are public."""
    slack = (1 << 10) if size else 0
    return printed.low * 0.98 - slack <= size <= printed.high * 1.02 + slack


def _table_disagreements(original: Model, found: Compiled, table: Sequence[Row]) -> Iterator[tuple[str, str, str]]:
    if not table:
        return
    printed = Counter({row.name: 0 for row in table})
    for row in table:
        printed[row.name] += row.count if row.status == MAPPED else 0
    kinds = [(operator.kind, index in found.on_cpu) for index, operator in enumerate(original.main.operators)]
    real = Counter(kind for kind, on_cpu in kinds if not on_cpu)
    for kind in sorted({*printed, *real}):
        if printed[kind] != real[kind]:
            yield f"{kind} mapped", str(printed[kind]), str(real[kind])


def _packages(main: Subgraph, label: str) -> Iterator[Package]:
    for operator in main.operators:
        if operator.custom_code == CUSTOM_OPERATOR:
            hint = "set `EDGETPU_BUILD_COMMAND` or `compiler-command` to Google's program"
            raise error("ETB314", "it is a simulator artifact: the command leads back to edgetpu-build", hint)
        if operator.custom_code == GOOGLES:
            yield decode(operator.custom_options or b"")


def same_operators(original: Subgraph, part: Subgraph) -> frozenset[int]:
    """Positions in ``original`` of the operators of ``part``: each is the first of its kind that makes its tensors."""
    waiting: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for index, operator in enumerate(original.operators):
        waiting.setdefault(_key(original, operator), []).append(index)
    found = set()
    for operator in part.operators:
        candidates = waiting.get(_key(part, operator))
        if operator.custom_code != GOOGLES and candidates:
            found.add(candidates.pop(0))
    return frozenset(found)


def _key(graph: Subgraph, operator: Operator) -> tuple[str, tuple[str, ...]]:
    kind = operator.custom_code or operator.kind
    return kind, tuple(graph.tensors[index].name for index in operator.outputs if index >= 0)


class _Statuses:
    """Owns what is left of the table's rows of operators on the CPU: each goes to one operator.

    The table says how many of a kind have a status, not which; where a kind has several, ours decide which gets which.
    """

    def __init__(self, table: Sequence[Row], predicted: Sequence[OperatorResult]) -> None:
        self._left = Counter({(row.name, row.status): 0 for row in table})
        for row in table:
            if row.status != MAPPED:
                self._left[row.name, row.status] += row.count
        self._ours = {result.index: result.status for result in predicted if result.target == "cpu"}
        self._claims = Counter((row.name, row.status) for row in rows(predicted) for _ in range(row.count))

    def take(self, index: int, kind: str) -> str:
        """The status of an operator; "" without a table."""
        mine = (kind, self._ours.get(index, ""))
        self._claims[mine] -= 1
        if self._left[mine] > 0:
            self._left[mine] -= 1
            return mine[1]
        spare = [key for key, count in self._left.items() if key[0] == kind and count > 0]
        if not spare:
            return ""
        chosen = max(spare, key=lambda key: self._left[key] - self._claims[key])
        self._left[chosen] -= 1
        return chosen[1]


def _unusable(label: str, what: str) -> EdgeTpuBuildError:
    hint = "build again; if it stays so, run the program by hand on this model"
    return error("ETB314", f"Google's compiler wrote {what} for `{label}`", hint)

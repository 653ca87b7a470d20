"""What Google's compiler prints and logs, made from our own values: other programs read both.

Layouts differ by generation: 1.0 and 2.0 tell the memory available, later ones what remains; 16.0 works in a child
process and says when it starts and ends. Only the first line is ours. Google's order of operators is random; ours is
the order in which they first stand in the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from edgetpu_build.chip.generations import Generation
from edgetpu_build.compiler.interface import OperatorResult
from edgetpu_build.errors import Diagnostic
from edgetpu_build.figure import Figure, Figures, total
from edgetpu_build.units import format_size

_COUNT_COLUMN, _STATUS_COLUMN = 31, 42
_ON_THE_CPU = (
    "Model successfully compiled but not all operations are supported by the Edge TPU. A percentage of the model will "
    "instead run on the CPU, which is slower. If possible, consider updating your model to use only operations "
    "supported by the Edge TPU. For details, visit g.co/coral/model-reqs."
)
_DONE = "Compilation child process completed within timeout period."
_FAILED = "Compilation failed! "
_CANNOT_LOAD = "Model failed in Tflite interpreter. Please ensure model can be loaded/run in Tflite interpreter."
_NOT_PARSED = {
    "ETB301": "Model could not be parsed",
    "ETB302": "Model could not be parsed",
    "ETB303": "Model could not be parsed",
    "ETB306": "Model not quantized",
    "ETB309": "Model could not be parsed",
}
_REASONS = {"ETB304": _CANNOT_LOAD, "ETB307": _CANNOT_LOAD, "ETB318": _CANNOT_LOAD}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the operator table."""

    name: str
    count: int
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What is printed about one compiled model or segment. Paths as the user wrote them, sizes in bytes."""

    source: str
    source_size: float
    output: str
    output_size: float
    log: str
    figures: Figures
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A try of the delegate search: the first so many operators, cut at these tensors. ``reason``: why it failed."""

    operators: int
    intermediate_tensors: tuple[str, ...] = ()
    failed: bool = False
    reason: str = ""


def program_line(generation: Generation) -> str:
    """The first line of output, log and `--version`; its last word is the version that other programs look for."""
    from edgetpu_build import __version__

    return f"edgetpu-build {__version__}, predicting Edge TPU Compiler version {generation.version}"


def rows(operators: Iterable[OperatorResult]) -> tuple[Row, ...]:
    """The operator table: one row for each kind and status, rows of a kind together."""
    counts: dict[str, dict[str, int]] = {}
    for operator in operators:
        statuses = counts.setdefault(operator.name, {})
        statuses[operator.status] = statuses.get(operator.status, 0) + 1
    return tuple(Row(name, count, status) for name, found in counts.items() for status, count in found.items())


def log_text(
    operators: Iterable[OperatorResult],
    *,
    generation: Generation,
    source: str = "{input}",
    output: str = "{output}",
    first_line: str = "",
) -> str:
    """The text of a `.log` file. Without paths it has slots for them, which ``fill`` fills."""
    lines = [first_line or program_line(generation), f"Input: {source}", f"Output: {output}", ""]
    return _text([*lines, *_table(rows(operators))])


def fill(log: str, *, source: str, output: str) -> str:
    """The log with its two paths; braces elsewhere in it, or in a path, stay what they are."""
    head, slot, rest = log.partition("Input: {input}\nOutput: {output}\n")
    return f"{head}Input: {source}\nOutput: {output}\n{rest}" if slot else log


def stdout_text(
    blocks: Sequence[Block],
    *,
    generation: Generation,
    milliseconds: int,
    show_operations: bool = False,
    timeout_sec: int = 180,
    attempts: Sequence[Attempt] = (),
    search_step: int = 0,
    segments: bool = False,
    first_line: str = "",
) -> str:
    """What a good run prints. ``segments``: the blocks are those of one model, each compiled by itself.

    ``attempts``: what the delegate search tried, the one that succeeded last; with ``search_step`` above 0.
    """
    lines = [first_line or program_line(generation)]
    runs = [[block] for block in blocks] if segments else [list(blocks)]
    for run, tried in zip(runs, _searches(attempts, len(runs)), strict=True):
        lines += _searched(tried, search_step, timeout_sec)
        if generation.supervised:
            lines.append(_timer(timeout_sec))
        lines += ["", f"Model{'s' if len(run) > 1 else ''} compiled successfully in {milliseconds} ms."]
        for block in run:
            lines += ["", *_block(block, generation, show_operations=show_operations)]
        if generation.supervised:
            lines += [_DONE, "Compilation succeeded! "]
    return _text(lines)


def failure_text(
    problem: Diagnostic,
    *,
    generation: Generation,
    source: str,
    timeout_sec: int = 180,
    attempts: Sequence[Attempt] = (),
    search_step: int = 0,
    first_line: str = "",
) -> str:
    """What a failed run prints, as near to Google's words as its reason allows. Ours are told elsewhere."""
    first = first_line or program_line(generation)
    if problem.code in _NOT_PARSED:
        return _text([first, f"Invalid model: {source}", _NOT_PARSED[problem.code]])
    if not generation.supervised:
        return _text([first, "", "Internal compiler error. Aborting! "])
    lines = [first, *_searched(attempts, search_step, timeout_sec)]
    if not attempts or not attempts[-1].failed:
        lines += [_timer(timeout_sec), *_reasons(problem), _FAILED]
    return _text(lines)


def doubtful(figures: Iterable[Figures]) -> list[str]:
    """What of the printed memory is not exact in one of these, in the words of the layout."""
    named = (
        ("on-chip memory used", "on_chip_used"),
        ("on-chip memory available or remaining", "on_chip_available"),
        ("off-chip memory used", "off_chip"),
    )
    every = list(figures)
    return [name for name, key in named if any(getattr(one, key).confidence != "exact" for one in every)]


def explanation(operators: Iterable[OperatorResult]) -> str:
    """Ours, not Google's: of every operator on the CPU which rule put it there and what to do.

    Operators that merely run after another one are counted there.
    """
    left = [operator for operator in operators if operator.target == "cpu"]
    if not left:
        return "every operator runs on the Edge TPU\n"
    lines = [f"{len(left)} operator{'s stay' if len(left) > 1 else ' stays'} on the CPU"]
    for operator in left:
        if operator.follows >= 0:
            continue
        rule = f" [{operator.rule}]" if operator.rule else ""
        lines.append(f"  {operator.index} {operator.name}{rule}: {operator.reason}")
        if operator.hint:
            lines.append(f"    hint: {operator.hint}")
        after = sum(other.follows == operator.index for other in left)
        if after:
            lines.append(f"    {after} of the others only because {'it runs' if after == 1 else 'they run'} after it")
    return _text(lines)


def _reasons(problem: Diagnostic) -> list[str]:
    if problem.code == "ETB313":
        return ["Compilation timeout. This is usually caused by large activations."]
    return [f"Compilation failed: {_REASONS.get(problem.code, problem.message)}", _DONE]


def _searches(attempts: Sequence[Attempt], count: int) -> list[list[Attempt]]:
    """The tries of each of ``count`` compiles: a good one ends a search."""
    found: list[list[Attempt]] = [[]]
    for attempt in attempts:
        found[-1].append(attempt)
        if not attempt.failed and len(found) < count:
            found.append([])
    return found + [[] for _ in range(count - len(found))]


def _searched(attempts: Sequence[Attempt], step: int, timeout_sec: int) -> Iterator[str]:
    if not step:
        return
    yield f"Searching for valid delegate with step {step}"
    for attempt in attempts:
        yield f"Try to compile segment with {attempt.operators} ops"
        if attempt.intermediate_tensors:
            yield f"Intermediate tensors: {','.join(attempt.intermediate_tensors)}"
        if attempt.failed:
            yield _timer(timeout_sec)
            if attempt.reason:
                yield f"Compilation failed: {attempt.reason}"
            yield from (_DONE, _FAILED)


def _block(block: Block, generation: Generation, *, show_operations: bool) -> Iterator[str]:
    edgetpu, cpu = block.figures.edgetpu_operators, block.figures.cpu_operators
    yield f"Input model: {block.source}"
    yield f"Input size: {format_size(block.source_size)}"
    yield f"Output model: {block.output}"
    yield f"Output size: {format_size(block.output_size)}"
    yield from _memory(block.figures, generation)
    yield f"Number of Edge TPU subgraphs: {_count(block.figures.subgraphs)}"
    yield f"Total number of operations: {_count(total((edgetpu, cpu)))}"
    yield f"Operation log: {block.log}"
    if cpu.value:
        yield from ("", _ON_THE_CPU)
        yield f"Number of operations that will run on Edge TPU: {_count(edgetpu)}"
        yield f"Number of operations that will run on CPU: {_count(cpu)}"
    if show_operations:
        yield from ("", *_table(block.rows))
    else:
        yield "See the operation log file for individual operation details."


def _memory(figures: Figures, generation: Generation) -> Iterator[str]:
    used = f"On-chip memory used for caching model parameters: {_size(figures.on_chip_used)}"
    if generation.memory_line == "available":
        yield f"On-chip memory available for caching model parameters: {_size(figures.on_chip_available)}"
        yield used
    else:
        yield used
        yield f"On-chip memory remaining for caching model parameters: {_size(_remaining(figures))}"
    yield f"Off-chip memory used for streaming uncached model parameters: {_size(figures.off_chip)}"


def _remaining(figures: Figures) -> Figure:
    available, used = figures.on_chip_available, figures.on_chip_used
    if available.value is None or used.value is None:
        return Figure()
    return Figure(max(0, available.value - used.value), available.confidence)


def _table(found: Iterable[Row]) -> Iterator[str]:
    yield _columns("Operator", "Count", "Status")
    yield ""
    for row in found:
        yield _columns(row.name, str(row.count), row.status)


def _columns(name: str, count: str, status: str) -> str:
    left = f"{name} " if len(name) >= _COUNT_COLUMN else name.ljust(_COUNT_COLUMN)
    return f"{left}{count} ".ljust(_STATUS_COLUMN) + status


def _timer(timeout_sec: int) -> str:
    return f"Started a compilation timeout timer of {timeout_sec} seconds."


def _size(figure: Figure) -> str:
    return "unknown" if figure.value is None else format_size(figure.value)


def _count(figure: Figure) -> str:
    return "unknown" if figure.value is None else str(int(figure.value))


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)

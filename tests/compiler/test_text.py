"""The text must read as Google's to every program that reads Google's."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgetpu_build import __version__
from edgetpu_build.chip.generations import generation
from edgetpu_build.chip.rules.rule import MAPPED, ONE_SUBGRAPH
from edgetpu_build.compiler import text
from edgetpu_build.compiler.interface import OperatorResult
from edgetpu_build.compiler.text import Attempt, Block, Row
from edgetpu_build.errors import Diagnostic
from edgetpu_build.figure import UNKNOWN, Figure, Figures, estimated, exact, total
from edgetpu_build.units import parse_size

LOGS = Path(__file__).parents[2] / "../shared/reference/logs"
V16 = generation("16.0")
CANNOT_LOAD = "Model failed in Tflite interpreter. Please ensure model can be loaded/run in Tflite interpreter."


def operators(*found: tuple[str, str]) -> list[OperatorResult]:
    return [
        OperatorResult(index=i, name=name, target="edgetpu" if status == MAPPED else "cpu", status=status)
        for i, (name, status) in enumerate(found)
    ]


def figures(**changed: Figure) -> Figures:
    mine = {
        "on_chip_available": exact(8 << 20),
        "on_chip_used": exact(3 << 20),
        "off_chip": exact(0),
        "edgetpu_operators": exact(2),
        "cpu_operators": exact(0),
        "subgraphs": exact(1),
    }
    return Figures(**(mine | changed))


def block(name: str = "a", rows: tuple[Row, ...] = (Row("CONV_2D", 2, MAPPED),), **changed: Figure) -> Block:
    return Block(
        source=f"{name}.tflite",
        source_size=1536,
        output=f"{name}_edgetpu.tflite",
        output_size=2048,
        log=f"{name}_edgetpu.log",
        figures=figures(**changed),
        rows=rows,
    )


def test_log() -> None:
    found = operators(("QUANTIZE", "no"), ("CONV_2D", MAPPED), ("QUANTIZE", MAPPED), ("CONV_2D", MAPPED))
    assert text.log_text(found, generation=V16, source="in/a.tflite", output="a_edgetpu.tflite") == (
        f"edgetpu-build {__version__}, predicting Edge TPU Compiler version 16.0.384591198\n"
        "Input: in/a.tflite\n"
        "Output: a_edgetpu.tflite\n"
        "\n"
        "Operator                       Count      Status\n"
        "\n"
        "QUANTIZE                       1          no\n"
        "QUANTIZE                       1          Mapped to Edge TPU\n"
        "CONV_2D                        2          Mapped to Edge TPU\n"
    )


def test_log_slots_are_filled_once_and_only_where_they_stand() -> None:
    log = text.log_text(operators(("ADD", "Input: {input}")), generation=V16)
    filled = text.fill(log, source="{output}/a.tflite", output="{input}")
    assert filled.splitlines()[1:3] == ["Input: {output}/a.tflite", "Output: {input}"]
    assert filled.endswith("Input: {input}\n")
    assert text.fill("no slots", source="a", output="b") == "no slots"


def test_long_names_keep_a_blank() -> None:
    name = "X" * 40
    last = text.log_text(operators((name, MAPPED)), generation=V16).splitlines()[-1]
    assert last == f"{name} 1 {MAPPED}"


def test_one_model() -> None:
    assert text.stdout_text([block()], generation=V16, milliseconds=12, first_line="V") == (
        "V\n"
        "Started a compilation timeout timer of 180 seconds.\n"
        "\n"
        "Model compiled successfully in 12 ms.\n"
        "\n"
        "Input model: a.tflite\n"
        "Input size: 1.50KiB\n"
        "Output model: a_edgetpu.tflite\n"
        "Output size: 2.00KiB\n"
        "On-chip memory used for caching model parameters: 3.00MiB\n"
        "On-chip memory remaining for caching model parameters: 5.00MiB\n"
        "Off-chip memory used for streaming uncached model parameters: 0.00B\n"
        "Number of Edge TPU subgraphs: 1\n"
        "Total number of operations: 2\n"
        "Operation log: a_edgetpu.log\n"
        "See the operation log file for individual operation details.\n"
        "Compilation child process completed within timeout period.\n"
        "Compilation succeeded! \n"
    )


def test_table_and_operators_on_the_cpu() -> None:
    shown = text.stdout_text(
        [block(rows=(Row("ADD", 1, MAPPED), Row("ADD", 2, ONE_SUBGRAPH)), cpu_operators=exact(2))],
        generation=V16,
        milliseconds=0,
        show_operations=True,
    ).splitlines()
    at = shown.index("Operation log: a_edgetpu.log")
    assert shown[at + 1] == ""
    assert shown[at + 2].startswith("Model successfully compiled but not all operations are supported")
    assert shown[at + 3 :] == [
        "Number of operations that will run on Edge TPU: 2",
        "Number of operations that will run on CPU: 2",
        "",
        "Operator                       Count      Status",
        "",
        "ADD                            1          Mapped to Edge TPU",
        "ADD                            2          More than one subgraph is not supported",
        "Compilation child process completed within timeout period.",
        "Compilation succeeded! ",
    ]


def test_several_models_share_one_head() -> None:
    shown = text.stdout_text([block("a"), block("b")], generation=V16, milliseconds=3)
    assert shown.count("Models compiled successfully in 3 ms.") == 1
    assert shown.count("Started a compilation") == 1
    assert shown.index("Input model: a.tflite") < shown.index("\n\nInput model: b.tflite")


def test_segments_are_compiles_of_their_own_below_one_first_line() -> None:
    shown = text.stdout_text([block("a"), block("b")], generation=V16, milliseconds=3, segments=True)
    assert shown.count("predicting") == 1
    for once_a_segment in ("Started a compilation", "Model compiled successfully", "Compilation succeeded! \n"):
        assert shown.count(once_a_segment) == 2


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_old_compilers_tell_what_was_available(version: str) -> None:
    shown = text.stdout_text([block()], generation=generation(version), milliseconds=3).splitlines()
    at = shown.index("On-chip memory available for caching model parameters: 8.00MiB")
    assert shown[at + 1] == "On-chip memory used for caching model parameters: 3.00MiB"
    assert shown[1:3] == ["", "Model compiled successfully in 3 ms."]
    assert shown[-1].startswith("See the operation log")


@pytest.mark.parametrize("version", ["2.1", "14.1", "15.0"])
def test_compilers_before_16_have_no_timer(version: str) -> None:
    shown = text.stdout_text([block()], generation=generation(version), milliseconds=3)
    assert "remaining" in shown
    assert "timer" not in shown


def test_unknown_figures_are_said_to_be_unknown() -> None:
    shown = text.stdout_text([block(on_chip_used=UNKNOWN)], generation=V16, milliseconds=3)
    assert "On-chip memory used for caching model parameters: unknown\n" in shown
    assert "On-chip memory remaining for caching model parameters: unknown\n" in shown


def test_delegate_search_shows_each_try() -> None:
    tries = [Attempt(operators=9, failed=True, reason="because"), Attempt(operators=7, intermediate_tensors=("x", "y"))]
    shown = text.stdout_text([block()], generation=V16, milliseconds=3, attempts=tries, search_step=2, first_line="V")
    assert shown.startswith(
        "V\n"
        "Searching for valid delegate with step 2\n"
        "Try to compile segment with 9 ops\n"
        "Started a compilation timeout timer of 180 seconds.\n"
        "Compilation failed: because\n"
        "Compilation child process completed within timeout period.\n"
        "Compilation failed! \n"
        "Try to compile segment with 7 ops\n"
        "Intermediate tensors: x,y\n"
        "Started a compilation timeout timer of 180 seconds.\n"
        "\n"
        "Model compiled successfully in 3 ms.\n"
    )


def test_each_segment_has_a_search_of_its_own() -> None:
    tries = [Attempt(operators=3, failed=True), Attempt(operators=2), Attempt(operators=4)]
    shown = text.stdout_text(
        [block("a"), block("b")], generation=V16, milliseconds=3, attempts=tries, search_step=1, segments=True
    )
    assert shown.count("Searching for valid delegate with step 1") == 2
    order = ["3 ops", "2 ops", "Input model: a.tflite", "4 ops", "Input model: b.tflite"]
    assert [shown.index(mark) for mark in order] == sorted(shown.index(mark) for mark in order)


def test_doubtful_figures_are_named() -> None:
    sure, guess = figures(), figures(on_chip_available=estimated(1), off_chip=UNKNOWN)
    assert text.doubtful([sure]) == []
    assert text.doubtful([sure, guess]) == ["on-chip memory available or remaining", "off-chip memory used"]


def test_explanation_folds_what_merely_follows() -> None:
    blocker = OperatorResult(index=1, name="GATHER", target="cpu", rule="kind", reason="no form", hint="use SLICE")
    after = [OperatorResult(index=i, name="ADD", target="cpu", rule="one-subgraph", follows=1) for i in (2, 3)]
    first = OperatorResult(index=0, name="ADD", target="edgetpu")
    assert text.explanation([first, blocker, *after]) == (
        "3 operators stay on the CPU\n"
        "  1 GATHER [kind]: no form\n"
        "    hint: use SLICE\n"
        "    2 of the others only because they run after it\n"
    )
    assert text.explanation([first, blocker]).startswith("1 operator stays on the CPU\n")
    assert text.explanation([first]) == "every operator runs on the Edge TPU\n"


def failure(code: str, version: str = "16.0") -> list[str]:
    problem = Diagnostic(code=code, message="ours")
    return text.failure_text(problem, generation=generation(version), source="m.tflite").splitlines()[1:]


def test_failures() -> None:
    assert failure("ETB302") == ["Invalid model: m.tflite", "Model could not be parsed"]
    assert failure("ETB306", "15.0") == ["Invalid model: m.tflite", "Model not quantized"]
    assert failure("ETB312", "15.0") == ["", "Internal compiler error. Aborting! "]
    assert failure("ETB313")[1:] == [
        "Compilation timeout. This is usually caused by large activations.",
        "Compilation failed! ",
    ]
    assert failure("ETB307") == [
        "Started a compilation timeout timer of 180 seconds.",
        f"Compilation failed: {CANNOT_LOAD}",
        "Compilation child process completed within timeout period.",
        "Compilation failed! ",
    ]
    assert "Compilation failed: ours" in failure("ETB312")


def captured() -> list[dict[str, Any]]:
    """Google's own text, each with what a parser of others read in it; nothing where the reference is not at hand."""
    index, parsed = LOGS / "index.jsonl", LOGS / "figures.jsonl"
    if not index.exists():
        return []
    models: dict[str, list[dict[str, Any]]] = {}
    for model in map(json.loads, parsed.read_text().splitlines()):
        models.setdefault(model["file"], []).append(model)
    return [
        {**row, "models": models.get(row["file"], [])}
        for row in map(json.loads, index.read_text().splitlines())
        if row["complete"] and row["version"]
    ]


CAPTURED = captured()
PRINTED = [row for row in CAPTURED if row["models"] and row["models"][0]["on_chip_used"]]
LOG = [row for row in CAPTURED if row["models"] and row not in PRINTED]
VAIN = [row for row in CAPTURED if row["kind"] == "search" and row not in PRINTED]


def lines_of(row: dict[str, Any]) -> list[str]:
    """From the compiler's first line on, without a line of TensorFlow Lite's own (on stderr)."""
    lines = [line.rstrip() for line in (LOGS / str(row["file"])).read_text().splitlines()]
    start = next(i for i, line in enumerate(lines) if "Edge TPU Compiler version" in line)
    return [line for line in lines[start:] if not line.startswith("INFO: ")]


def first_line(row: dict[str, Any]) -> str:
    return f"Edge TPU Compiler version {row['version']}"


def of_text(size: Any) -> Figure:
    return exact(size["value"] * parse_size(f"1 {size['unit']}")) if size else UNKNOWN


def block_of(model: Any) -> Block:
    used = of_text(model["on_chip_used"])
    rest = of_text(model["on_chip_remaining"])
    cpu = model["cpu_ops"] or 0
    return Block(
        source=model["input"],
        source_size=of_text(model["input_size"]).value or 0,
        output=model["output"],
        output_size=of_text(model["output_size"]).value or 0,
        log=model["operation_log"],
        figures=Figures(
            on_chip_available=of_text(model["on_chip_available"])
            if model["on_chip_available"]
            else total((used, rest)),
            on_chip_used=used,
            off_chip=of_text(model["off_chip"]),
            edgetpu_operators=exact(model["total_operations"] - cpu),
            cpu_operators=exact(cpu),
            subgraphs=exact(model["subgraphs"]),
        ),
        rows=tuple(Row(o["op"], o["count"], o["status"]) for o in model["ops"]),
    )


def tries(lines: list[str], *, vain: bool = False) -> tuple[list[Attempt], int]:
    found: list[Attempt] = []
    step = 0
    for line in lines:
        if line.startswith("Searching for"):
            step = int(line.split()[-1])
        elif line.startswith("Try to compile"):
            found.append(Attempt(operators=int(line.split()[-2]), failed=vain))
        elif line.startswith("Intermediate tensors: "):
            names = line.removeprefix("Intermediate tensors: ").split(",")
            found[-1] = replace(found[-1], intermediate_tensors=tuple(names))
        elif line.startswith("Compilation failed!"):
            found[-1] = replace(found[-1], failed=True)
    return found, step


def comparable(lines: Iterable[str]) -> tuple[list[str], Counter[str]]:
    """Lines in order, and those of operator tables, whose order is random, as a multiset."""
    lines = [line.rstrip() for line in lines]
    table = [line for line in lines if line[31:42].strip().isdigit()]
    return [line for line in lines if line not in table], Counter(table)


@pytest.mark.skipif(not CAPTURED, reason="needs ../shared/reference/logs")
class TestAgainstGooglesOwnText:
    def test_output(self) -> None:
        for row in PRINTED:
            original, models = lines_of(row), row["models"]
            attempts, step = tries(original)
            mine = text.stdout_text(
                [block_of(model) for model in models],
                generation=generation(str(row["version"])),
                milliseconds=models[0]["compile_ms"],
                show_operations=any(model["ops"] for model in models),
                attempts=attempts,
                search_step=step,
                first_line=first_line(row),
            )
            assert comparable(mine.splitlines()) == comparable(original), row["file"]
        assert len(PRINTED) > 70

    def test_vain_search(self) -> None:
        for row in VAIN:
            original = lines_of(row)
            attempts, step = tries(original, vain=True)
            problem = Diagnostic(code="ETB312", message="no delegate")
            mine = text.failure_text(
                problem, generation=V16, source="", attempts=attempts, search_step=step, first_line=first_line(row)
            )
            kept = [line for line in mine.splitlines() if line != "Compilation failed! "]  # a stream not captured
            assert kept == original, row["file"]
        assert VAIN

    def test_logs(self) -> None:
        for row in LOG:
            models = row["models"]
            if len(models) > 1:  # several logs pasted below each other
                continue
            model = models[0]
            found = [(o["op"], o["status"]) for o in model["ops"] for _ in range(o["count"])]
            mine = text.log_text(
                operators(*found),
                generation=generation(str(row["version"])),
                source=model["input"],
                output=model["output"],
                first_line=first_line(row),
            )
            original = comparable(line.strip() for line in lines_of(row))
            if "blank lines or indentation changed" in str(row["notes"]):
                continue
            assert comparable(mine.splitlines()) == original, row["file"]
        assert len(LOG) > 400

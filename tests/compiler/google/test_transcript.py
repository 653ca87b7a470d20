from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.compiler.google.transcript import MAPPED, STATUSES, memory, printed, read
from edgetpu_build.compiler.text import Row
from edgetpu_build.units import format_size
from tests.support import models
from tests.support.standin.recording import DONE, FAILED, LIMITATION, TIMER, V16, success, told

LOGS = Path(__file__).parents[3].parent / "shared" / "reference" / "logs"
MODEL = models.conv_net(layers=2, channels=8, size=8)
OTHER = models.dense_net()
VERSIONS = ("1.0.249710469", "2.0.267685300", "2.1.302470888", "14.1.317412892", "15.0.340273435", V16)

DIFFERENT = {
    "220-edgetpu-facedetect-readme-md.txt": "the author wrote remarks behind two of the sizes: they are no sizes to us",
    "553-find-string-id-480-motion-blur-2-0-267.txt": "the page lost its line breaks: two lines hold what were twelve",
}
"""Captures that were changed by a person or a page, so that a part of them cannot be read."""


@pytest.mark.parametrize("version", VERSIONS)
def test_reads_what_each_version_prints(version: str) -> None:
    one = told(MODEL, on_cpu=(4,), cached=28416, streamed=1920, remaining=6.5 * (1 << 20))
    (run,) = read(success([one], version))
    (block,) = run.blocks
    assert (run.version, run.form, run.milliseconds, run.unread) == (version, "terminal", (119,), ())
    assert (block.source, block.subgraphs, block.operators, block.mapped, block.on_cpu) == ("{0}", 1, 5, 4, 1)
    available, used, off_chip = memory(block)
    assert (used.value, off_chip.value, used.confidence) == (28416, 1920, "exact")
    whole = 6.5 * (1 << 20) + (0 if version.startswith(("1.", "2.0")) else 28416)
    assert available.low <= whole <= available.high
    assert run.succeeded is (True if version == V16 else None)


def test_reads_several_models_in_order() -> None:
    (run,) = read(success([told(MODEL, 0), told(OTHER, 1)]))
    assert [block.source for block in run.blocks] == ["{0}", "{1}"]


def test_reads_the_log() -> None:
    (run,) = read(told(MODEL, on_cpu=(4,)).log(V16))
    assert run.form == "log"
    assert set(run.blocks[0].rows) >= {Row("SOFTMAX", 1, LIMITATION), Row("CONV_2D", 2, MAPPED)}


def test_reads_a_search() -> None:
    tries = (
        f"Searching for valid delegate with step 2\nTry to compile segment with 5 ops\n{TIMER}ERROR: Restored original "
        f"execution plan after delegate application failure.\nCompilation failed: Internal error.\n{DONE}{FAILED}"
        f"Try to compile segment with 3 ops\nIntermediate tensors: a,b\n"
    )
    (run,) = read(f"Edge TPU Compiler version {V16}\n{tries}{success([told(MODEL)], banner=False)}")
    assert [(a.operators, a.failed, a.intermediate_tensors) for a in run.attempts] == [
        (5, True, ()),
        (3, False, ("a", "b")),
    ]
    assert (run.step, run.attempts[0].reason, run.succeeded, len(run.blocks)) == (2, "Internal error.", True, 1)


@pytest.mark.parametrize(
    ("line", "kind", "detail"),
    [
        ("Internal compiler error. Aborting! ", "internal", ""),
        ("Compilation failed: Compilation failed due to large activation tensors in model.", "reason", None),
        ("Compilation timeout. This is usually caused by large activations.", "timeout", ""),
        ("ERROR: Encountered unresolved custom op: Foo.See instructions: x", "custom", "Foo"),
        ("ERROR: Didn't find op for builtin opcode 'CONV_2D' version '6'. An older version", "version", None),
        (
            "ERROR: Op builtin_code out of range: 150. Are you using old TFLite binary with newer model?",
            "opcode",
            "150",
        ),
        ("/usr/bin/edgetpu_compiler: line 3: 17 Segmentation fault      (core dumped) ${d}/x", "crashed", ""),
        ("libc++abi: terminating with uncaught exception of type std::out_of_range: vector", "aborted", ""),
        ("Invalid model: a b.tflite", "model", "a b.tflite"),
        ("Model not quantized", "not-quantised", ""),
    ],
)
def test_reads_trouble(line: str, kind: str, detail: str | None) -> None:
    (run,) = read(f"Edge TPU Compiler version 15.0.340273435\n\n{line}\n")
    assert run.messages[0].kind == kind
    assert detail is None or run.messages[0].detail == detail


def test_puts_a_wrapped_status_together() -> None:
    text = told(MODEL, on_cpu=(4,)).log(V16).replace("supported, but", "supported, but\n          ")
    assert Row("SOFTMAX", 1, LIMITATION) in read(text)[0].blocks[0].rows


def test_keeps_what_it_does_not_understand() -> None:
    (run,) = read(f"Edge TPU Compiler version {V16}\nUnable to find image locally\n")
    assert run.unread == ("Unable to find image locally",)
    assert read("nothing of this is a compiler's\n") == ()


@given(st.integers(0, 1 << 24).map(lambda n: n * 64))
def test_a_printed_size_holds_the_size(size: int) -> None:
    found = printed(format_size(size))
    assert found is not None
    assert found.holds(size)
    figure = found.figure()
    assert figure.confidence == "estimated" or figure.value == size
    assert isinstance(figure.value, int)
    if size < 1 << 20:
        assert figure.value == size


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=400))
def test_any_text_is_read(text: str) -> None:
    for run in read(f"Edge TPU Compiler version 16.0.1\n{text}"):
        assert run.version or run.blocks or run.messages


@given(st.text(max_size=8), st.lists(st.sampled_from(STATUSES), max_size=3))
def test_truncated_text_is_read_as_far_as_it_goes(tail: str, statuses: list[str]) -> None:
    text = success([told(MODEL)]) + tail
    whole = read(success([told(MODEL)]))[0].blocks[0]
    for end in range(0, len(text), 37):
        for run in read(text[:end]):
            for block in run.blocks:
                assert block.subgraphs in (None, whole.subgraphs)


@pytest.mark.skipif(not LOGS.exists(), reason="needs ../shared/reference/logs")
def test_every_public_transcript_gives_the_figures_that_are_known_of_it() -> None:
    known: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in map(json.loads, (LOGS / "figures.jsonl").read_text().splitlines()):
        known[Path(row["file"] or "").name].append(row)
    files = sorted((LOGS / "transcripts").iterdir())
    wrong = [file.name for file in files if _figures(file) != [_known(row) for row in known[file.name]]]
    assert wrong == sorted(DIFFERENT)


def _figures(file: Path) -> list[dict[str, Any]]:
    return [
        {
            "version": run.version or None,
            "input": block.source or None,
            "output": block.output or None,
            "operation_log": block.log or None,
            "input_size": _text(block.source_size),
            "output_size": _text(block.output_size),
            "on_chip_available": _text(block.available),
            "on_chip_used": _text(block.used),
            "on_chip_remaining": _text(block.remaining),
            "off_chip": _text(block.off_chip),
            "subgraphs": block.subgraphs,
            "total_operations": block.operators,
            "tpu_ops": block.mapped,
            "cpu_ops": block.on_cpu,
            "ops": [(row.name, row.count, row.status) for row in block.rows],
        }
        for run in read(file.read_text(errors="replace"))
        for block in run.blocks
    ]


def _known(row: dict[str, Any]) -> dict[str, Any]:
    names = ("version", "input", "output", "operation_log", "input_size", "output_size", "on_chip_available")
    names += ("on_chip_used", "on_chip_remaining", "off_chip", "subgraphs", "total_operations", "tpu_ops", "cpu_ops")
    found = {name: row[name]["text"] if isinstance(row[name], dict) else row[name] for name in names}
    return found | {"ops": [(entry["op"], entry["count"], entry["status"]) for entry in row["ops"]]}


def _text(size: Any) -> str | None:
    return size.text if size else None

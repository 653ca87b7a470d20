from __future__ import annotations

import os
import pickle
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgetpu_build.compiler import package
from edgetpu_build.compiler.google.backend import Google
from edgetpu_build.compiler.google.guard import PREFIX
from edgetpu_build.compiler.interface import Options, Request, Result, Source
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.tflite import reader, surgery
from tests.support import models
from tests.support.standin.recording import DONE, FAILED, LIMITATION, TIMER, TOKEN, V16, Recording, compiled, told

MODEL = models.conv_net(layers=2, channels=8, size=8)
OTHER = models.dense_net()
LAST = 4
"""MODEL's softmax."""


def run(
    recording: Recording,
    *data: bytes,
    labels: tuple[str, ...] = (),
    names: Any = (),
    timeout: float = 30.0,
    **more: Any,
) -> Result:
    labels = labels or tuple(f"m{i}.tflite" for i in range(len(data)))
    stops = names or [()] * len(data)
    sources = tuple(
        Source(label=label, data=content, intermediate_tensors=tuple(stop))
        for label, content, stop in zip(labels, data, stops, strict=True)
    )
    google = Google(command=recording.command, locate=more.pop("locate", False))
    request = Request(sources=sources, options=Options(**more))
    return google.compile(request, timeout=timeout, progress=lambda _text: None)


def fails(recording: Recording, *data: bytes, **more: Any) -> EdgeTpuBuildError:
    with pytest.raises(EdgeTpuBuildError) as raised:
        run(recording, *data, **more)
    return raised.value


def left_behind() -> list[str]:
    return [name for name in os.listdir(tempfile.gettempdir()) if name.startswith(PREFIX)]


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)


@pytest.fixture(autouse=True)
def nothing_stays(own_temporary_folder: None) -> Any:
    yield
    assert left_behind() == []


def test_reads_figures_from_the_file_and_room_from_the_text(recording: Recording) -> None:
    recording.good(told(MODEL, on_cpu=(LAST,), cached=1600, streamed=64))
    (member,) = run(recording, MODEL).members
    found = member.figures
    assert (found.cached_bytes.value, found.streamed_bytes.value, found.runtime_version.value) == (1600, 64, 14)
    assert (found.edgetpu_operators.value, found.cpu_operators.value, found.subgraphs.value) == (4, 1, 1)
    assert (found.on_chip_used.value, found.off_chip.value, found.off_chip.confidence) == (1600, 64, "exact")
    assert found.on_chip_available.confidence == "estimated"
    assert [op.target for op in member.operators] == ["edgetpu"] * 4 + ["cpu"]
    assert member.operators[LAST].status == LIMITATION
    assert member.artifact == compiled(MODEL, on_cpu=(LAST,), cached=1600, streamed=64)


def test_gives_our_reason_where_we_would_have_said_so(recording: Recording) -> None:
    net = models.Net()
    x = net.conv(net.input((1, 8, 8, 3)), 8)
    data = net.build([net.op("ELU", [x], [net.activation("elu", net.shape(x))])])
    recording.good(told(data, on_cpu=(1,), statuses={1: "Operation not supported"}))
    elu = run(recording, data).members[0].operators[1]
    assert elu.rule
    assert elu.reason != elu.status
    assert elu.status == "Operation not supported"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, []),
        ({"min_runtime_version": 13}, ["--min_runtime_version=13"]),
        ({"multiple_subgraphs": True}, ["--enable_multiple_subgraphs"]),
        ({"delegate_step": 3}, ["--delegate_search_step=3", "--search_delegate"]),
    ],
)
def test_passes_the_options(recording: Recording, options: dict[str, Any], words: list[str]) -> None:
    recording.good(told(MODEL, runtime=13), arguments=words)
    run(recording, MODEL, timeout=90, **options)
    (call,) = recording.calls()
    (limit,) = (int(word.partition("=")[2]) for word in call["argv"] if word.startswith("--timeout_sec="))
    assert 30 < limit < 90
    assert [word for word in call["argv"] if not word.startswith("-")] == ["model0.tflite"]
    assert "--out_dir=out" in call["argv"]


def test_passes_intermediate_tensors_and_the_order_of_models(recording: Recording) -> None:
    names = [reader.read(data).main.tensors[op.outputs[0]].name for data in (MODEL, OTHER) for op in _first(data)]
    recording.good(told(MODEL, 0), told(OTHER, 1), arguments=[f"--intermediate_tensors={names[0]}:{names[1]}"])
    result = run(recording, MODEL, OTHER, names=[(names[0],), (names[1],)])
    assert [len(member.operators) for member in result.members] == [5, 2]


def _first(data: bytes) -> tuple[Any, ...]:
    return reader.read(data).main.operators[:1]


def test_an_old_compiler_is_not_asked_for_what_it_does_not_know(tmp_path: Path) -> None:
    old = Recording(tmp_path / "old", version="15.0.340273435")
    old.good(told(MODEL, runtime=12), arguments=[])
    run(old, MODEL)
    assert not any("timeout" in word for word in old.calls()[0]["argv"])
    assert fails(old, MODEL, delegate_step=1).diagnostics[0].code == "ETB402"


def test_a_tensor_name_with_a_colon_is_refused_before(recording: Recording) -> None:
    assert fails(recording, MODEL, names=[("a:b",)]).diagnostics[0].code == "ETB213"
    assert recording.calls() == []


@pytest.mark.parametrize("label", ["-n 2.tflite", "a b.tflite", "ä[1].tflite", "$(rm).tflite", "model1.tflite"])
def test_names_never_reach_it_and_come_back_in_its_words(recording: Recording, label: str) -> None:
    recording.good(told(MODEL, 0), told(OTHER, 1))
    result = run(recording, MODEL, OTHER, labels=(label, "z.tflite"))
    assert [word for word in recording.calls()[0]["argv"] if ".tflite" in word] == ["model0.tflite", "model1.tflite"]
    assert f"Input model: {label}\n" in result.transcript
    assert "Output model: z_edgetpu.tflite\n" in result.transcript
    assert result.members[0].log.startswith(f"Edge TPU Compiler version {V16}\nInput: {{input}}\nOutput: {{output}}\n")


def test_works_in_a_private_folder(recording: Recording) -> None:
    recording.good(told(MODEL))
    run(recording, MODEL)
    folder = recording.calls()[0]["cwd"]
    assert os.path.basename(folder).startswith(PREFIX)
    assert not os.path.exists(folder)


def test_reads_segments(recording: Recording) -> None:
    pieces = _segments(MODEL, [(0,), (1, 2, 3, 4)])
    _record_segments(recording, pieces)
    (member,) = run(recording, MODEL, segments=2).members
    assert [segment.operators for segment in member.segments] == [(0,), (1, 2, 3, 4)]
    assert [segment.plain for segment in member.segments] == pieces
    assert member.artifact == b""
    assert member.figures.cached_bytes.value == 2048
    assert [op.index for op in member.operators] == [0, 1, 2, 3, 4]


def test_cuts_at_named_tensors_itself(recording: Recording) -> None:
    graph = reader.read(MODEL).main
    pieces = _segments(MODEL, [(0,), (1, 2, 3, 4)])
    for piece in pieces:
        recording.good(told(piece), arguments=[])
    name = graph.tensors[graph.operators[0].outputs[0]].name
    (member,) = run(recording, MODEL, cuts=(name,), segments=2).members
    assert [segment.operators for segment in member.segments] == [(0,), (1, 2, 3, 4)]
    assert len(recording.calls()) == 2


def test_finds_the_count_of_segments(recording: Recording) -> None:
    recording.good(told(MODEL, cached=1024, streamed=4096), arguments=[])
    _record_segments(recording, _segments(MODEL, [(0,), (1, 2, 3, 4)]))
    result = run(recording, MODEL, segments=0)
    assert result.options.segments == 2
    assert len(result.members[0].segments) == 2


def test_a_missing_segment_is_named(recording: Recording) -> None:
    _record_segments(recording, _segments(MODEL, [(0,), (1, 2, 3, 4)]), without=1)
    told = fails(recording, MODEL, segments=2).diagnostics[0]
    assert (told.code, "m0_segment_1_of_2_edgetpu.tflite" in told.message) == ("ETB314", True)


def _segments(data: bytes, parts: list[tuple[int, ...]]) -> list[bytes]:
    model = reader.read(data)
    return [surgery.extract(model, part, *surgery.boundary(model.main, part)) for part in parts]


def _record_segments(recording: Recording, pieces: list[bytes], *, without: int = -1) -> None:
    files, text = {}, f"Edge TPU Compiler version {V16}\n"
    for i, piece in enumerate(pieces):
        name = f"{{stem 0}}_segment_{i}_of_{len(pieces)}"
        one = told(piece, name=name, source=f"{name}.tflite")
        files[f"{name}.tflite"] = piece
        if i != without:
            files |= {f"{name}_edgetpu.tflite": one.artifact, f"{name}_edgetpu.log": one.log(V16).encode()}
        text += f"{TIMER}\nModel compiled successfully in 9 ms.\n\n{one.block(V16)}{DONE}Compilation succeeded! \n"
    recording.answer(arguments=[f"--num_segments={len(pieces)}"], prints=[text], files=files)


def test_a_failure_that_may_be_chance_is_tried_again_and_told(recording: Recording) -> None:
    recording.bad("\nInternal compiler error. Aborting! \n", times=1)
    recording.good(told(MODEL))
    result = run(recording, MODEL)
    assert len(recording.calls()) == 2
    (note,) = result.warnings
    assert (note.severity, "Internal compiler error" in note.message) == ("warning", True)


def test_it_is_tried_twice_at_most(recording: Recording) -> None:
    recording.bad("\nInternal compiler error. Aborting! \n")
    assert "Internal compiler error" in fails(recording, MODEL).diagnostics[0].message
    assert len(recording.calls()) == 2


def test_a_failure_with_a_reason_is_not_tried_again(recording: Recording) -> None:
    recording.bad("Invalid model: model0.tflite\nModel not quantized\n")
    assert fails(recording, models.float_net()).diagnostics[0].code == "ETB306"
    assert len(recording.calls()) == 1


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ({}, "ETB314", "wrote no `m0_edgetpu.tflite`"),
        ({"code": 3}, "ETB312", "ended with code 3"),
        ({"signal": 11}, "ETB312", "SIGSEGV"),
        ({"files": {"{stem 0}_edgetpu.tflite": b""}}, "ETB314", "file of 0 bytes"),
        ({"files": {"{stem 0}_edgetpu.tflite": b"TFL3" * 99}}, "ETB314", "cannot be read"),
        ({"files": {"{stem 0}_edgetpu.tflite": MODEL}}, "ETB308", "unchanged"),
        (
            {"prints": [f"Edge TPU Compiler version {V16}\n{TIMER}{DONE}{FAILED}"], "code": 1},
            "ETB312",
            "Compilation failed!",
        ),
    ],
)
def test_what_is_no_result_is_a_failure(recording: Recording, answer: dict[str, Any], code: str, words: str) -> None:
    recording.answer(**answer)
    told = fails(recording, MODEL).diagnostics[0]
    assert told.code == code
    assert words in told.message


@pytest.mark.parametrize(
    ("printed", "words"),
    [
        ({"subgraphs": 2}, "Edge TPU subgraphs: printed 2, in the file 1"),
        ({"on_cpu": (3, 4)}, "operators on the CPU: printed 2, in the file 1"),
        ({"used": 0}, "cached parameters: printed 0.00B, in the file 40.00KiB"),
        ({"used": 39 << 10}, "cached parameters: printed 39.00KiB, in the file 40.00KiB"),
        ({"used": 1 << 20}, "cached parameters: printed 1.00MiB, in the file 40.00KiB"),
        ({"off_chip": 0}, "streamed parameters: printed 0.00B, in the file 30.00KiB"),
        ({"off_chip": 36 << 10}, "streamed parameters: printed 36.00KiB, in the file 30.00KiB"),
    ],
)
def test_text_and_file_that_disagree_are_an_error(recording: Recording, printed: dict[str, Any], words: str) -> None:
    one = told(MODEL, on_cpu=(LAST,), cached=40 << 10, streamed=30 << 10)
    recording.good(replace(one, **printed))
    found = fails(recording, MODEL).diagnostics[0]
    assert (found.code, words in found.message) == ("ETB315", True), found.message


def test_a_table_that_is_not_the_file_s_is_an_error(recording: Recording) -> None:
    one = told(MODEL)
    table = {"{stem 0}_edgetpu.tflite": one.artifact, "{stem 0}_edgetpu.log": one.log(V16).replace("2 ", "3 ").encode()}
    recording.answer(prints=["Edge TPU Compiler version 16.0.384591198\n"], files=table)
    found = fails(recording, MODEL).diagnostics[0]
    assert (found.code, "CONV_2D mapped: printed 3, in the file 2" in found.message) == ("ETB315", True)


def test_text_that_cannot_be_read_leaves_room_unknown(recording: Recording) -> None:
    one = told(MODEL)
    recording.answer(prints=["gibberish \x00\xff\n" * 9], files={"{stem 0}_edgetpu.tflite": one.artifact})
    result = run(recording, MODEL)
    assert result.warnings[0].code == "ETB315"
    assert result.members[0].figures.on_chip_used.value is None
    assert result.members[0].figures.cached_bytes.value == 1024


def test_a_file_for_a_newer_runtime_than_asked_is_refused(recording: Recording) -> None:
    recording.good(told(MODEL, runtime=14))
    assert fails(recording, MODEL, min_runtime_version=13).diagnostics[0].code == "ETB316"


def test_a_model_wholly_on_the_cpu_is_told(recording: Recording) -> None:
    recording.good(told(MODEL, on_cpu=(0, 1, 2, 3, 4), remaining=0))
    (member,) = run(recording, MODEL).members
    assert member.figures.edgetpu_operators.value == 0
    assert [note.code for note in member.warnings] == ["ETB308"]


def test_a_simulator_artifact_is_refused(recording: Recording) -> None:
    from edgetpu_build.compiler.builtin import Builtin

    made = Builtin().compile(Request(sources=(Source(label="m", data=MODEL),)), timeout=1, progress=lambda _t: None)
    recording.answer(files={"{stem 0}_edgetpu.tflite": made.members[0].artifact})
    assert "simulator artifact" in fails(recording, MODEL).diagnostics[0].message


def test_a_time_limit_ends_everything(recording: Recording) -> None:
    recording.answer(prints=[TIMER, "ignore", "forever"], leave=["setsid", "sleep", "1000"])
    assert fails(recording, MODEL, timeout=0.6).diagnostics[0].code == "ETB313"
    (call,) = recording.calls()
    with pytest.raises(ProcessLookupError):
        os.killpg(call["pid"], 0)


def test_two_runs_of_one_model_differ_in_the_token_only(recording: Recording) -> None:
    recording.good(told(MODEL, token=TOKEN), times=1)
    recording.good(told(MODEL, token=TOKEN + 1))
    first, second = (run(recording, MODEL).members[0].artifact for _ in range(2))
    assert first != second
    assert package.mask_token(first) == package.mask_token(second)


def test_the_operator_at_fault_is_found_by_running_it(recording: Recording) -> None:
    graph = reader.read(MODEL)
    for count in (1, 2):
        part = tuple(range(count))
        recording.good(told(surgery.extract(graph, part, *surgery.boundary(graph.main, part))))
    recording.bad(f"{TIMER}Compilation failed: Internal error.\n{DONE}{FAILED}")
    message = fails(recording, MODEL, locate=True).diagnostics[0].message
    assert "before 2 (MEAN) succeed, with it they fail" in message


def test_identity_is_the_program_itself(recording: Recording) -> None:
    google = Google(command=recording.command)
    first = google.identify()
    assert (first.name, first.version, first.target) == ("google", V16, "edgetpu")
    assert first.identity.startswith("sha256 ")
    elsewhere = Google(command=("env", str(recording.program))).identify()
    assert elsewhere.identity == f"version {V16}"
    assert pickle.loads(pickle.dumps(google)) == google


@pytest.mark.parametrize(
    ("command", "requires", "code"),
    [
        (("no-such-program-anywhere",), None, "ETB401"),
        (("true",), None, "ETB403"),
        (("false",), None, "ETB403"),
        (None, ">=17", "ETB402"),
    ],
)
def test_who_does_not_answer_is_told(
    recording: Recording, command: tuple[str, ...] | None, requires: str | None, code: str
) -> None:
    with pytest.raises(EdgeTpuBuildError) as raised:
        Google(command=command or recording.command, requires_compiler=requires).identify()
    assert raised.value.diagnostics[0].code == code

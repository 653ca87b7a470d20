"""`compile --backend google`, and the shim that puts it where `edgetpu_compiler` is looked for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.models import conv_net, dense_net
from tests.support.standin.recording import V16, Recording, told

Edgetpu = Callable[..., Any]
MODEL, OTHER = conv_net(layers=2, channels=8, size=8), dense_net()
SHIM = '#!/bin/sh\nexec edgetpu-build compile "$@"\n'
SHIM_GOOGLE = '#!/bin/sh\nEDGETPU_BUILD_COMMAND={program} exec edgetpu-build compile --backend google "$@"\n'


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recording:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a b.tflite").write_bytes(MODEL)
    (tmp_path / "in" / "c.tflite").write_bytes(OTHER)
    monkeypatch.chdir(tmp_path)
    found = Recording(tmp_path / "standin")
    monkeypatch.setenv("EDGETPU_BUILD_COMMAND", str(found.program))
    return found


def test_text_and_files_are_as_if_it_had_been_called_itself(edgetpu: Edgetpu, recording: Recording) -> None:
    one = told(MODEL, on_cpu=(4,))
    recording.good(one)
    run = edgetpu("compile", "--backend", "google", "in/a b.tflite", "-o", "out", "-s")
    assert run.code == 0
    lines = run.out.splitlines()
    assert lines[0] == f"Edge TPU Compiler version {V16}"
    assert "Input model: in/a b.tflite" in lines
    assert "Output model: out/a b_edgetpu.tflite" in lines
    assert "Operation log: out/a b_edgetpu.log" in lines
    assert "On-chip memory used for caching model parameters: 1.00KiB" in lines
    assert "On-chip memory remaining for caching model parameters: 7.00MiB" in lines
    assert "Number of operations that will run on CPU: 1" in lines
    assert any(line.startswith("SOFTMAX") for line in lines)
    assert Path("out/a b_edgetpu.tflite").read_bytes() == one.artifact
    log = Path("out/a b_edgetpu.log").read_text().splitlines()
    assert log[:3] == [lines[0], "Input: in/a b.tflite", "Output: out/a b_edgetpu.tflite"]


def test_version_is_the_program_s(edgetpu: Edgetpu, recording: Recording) -> None:
    assert edgetpu("compile", "--backend", "google", "--version").out == f"Edge TPU Compiler version {V16}\n"


def test_several_models(edgetpu: Edgetpu, recording: Recording) -> None:
    recording.good(told(MODEL, 0), told(OTHER, 1))
    run = edgetpu("compile", "--backend", "google", "in/a b.tflite", "in/c.tflite")
    assert "Models compiled successfully" in run.out
    assert Path("c_edgetpu.tflite").exists()


def test_a_failure_exits_1_with_its_text_and_our_reason(edgetpu: Edgetpu, recording: Recording) -> None:
    recording.bad("\nInternal compiler error. Aborting! \n")
    run = edgetpu("compile", "--backend", "google", "in/a b.tflite")
    assert run.code == 1
    assert run.out.startswith(f"Edge TPU Compiler version {V16}\n")
    assert run.out.endswith("Compilation failed! \n")
    assert "Google's compiler failed on `in/a b.tflite`: Internal compiler error" in run.err


def test_json(edgetpu: Edgetpu, recording: Recording) -> None:
    recording.good(told(MODEL))
    (unit,) = edgetpu("compile", "--backend", "google", "in/a b.tflite", "--format", "json").json["units"]
    assert (unit["target"], unit["compiler"]) == ("edgetpu", f"google {V16}")
    assert unit["members"][0]["figures"]["cached_bytes"] == {"value": 1024, "confidence": "exact"}


def test_without_the_program_it_exits_4(
    edgetpu: Edgetpu, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGETPU_BUILD_COMMAND", "/no/such/program")
    assert edgetpu("compile", "--backend", "google", "in/c.tflite", "--format", "json").code == 4


@pytest.fixture(params=["builtin", "google"])
def shim(request: pytest.FixtureRequest, recording: Recording, monkeypatch: pytest.MonkeyPatch) -> str:
    """`edgetpu_compiler` on PATH, two lines long."""
    folder = Path("bin").absolute()
    folder.mkdir()
    text = SHIM if request.param == "builtin" else SHIM_GOOGLE.format(program=recording.program)
    (folder / "edgetpu_compiler").write_text(text)
    (folder / "edgetpu_compiler").chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.delenv("EDGETPU_BUILD_COMMAND")
    recording.good(told(OTHER), arguments=["--delegate_search_step=30", "--search_delegate"])
    recording.good(told(OTHER), arguments=["--delegate_search_step=1", "--search_delegate"])
    return str(request.param)


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, shell=True, capture_output=True, text=True, check=False)


def test_ultralytics_export_works_through_the_shim(shim: str) -> None:
    """Its calls, word for word: `--version` first, whose last word must be the version."""
    asked = shell("edgetpu_compiler --version")
    assert (asked.returncode, asked.stdout.rsplit(maxsplit=1)[-1]) == (0, V16)
    done = shell(
        'edgetpu_compiler --out_dir "in" --show_operations --search_delegate --delegate_search_step 30 '
        '--timeout_sec 180 "in/c.tflite"'
    )
    assert done.returncode == 0, done.stderr
    assert Path("in/c_edgetpu.tflite").stat().st_size > 0


def test_the_profiling_partitioner_s_call_works_through_the_shim(shim: str) -> None:
    """Options behind the model, `--num_segments=1` for no split; it looks at the exit status only."""
    Path("parts").mkdir()
    done = shell(
        "edgetpu_compiler --search_delegate --out_dir=parts --num_segments=1 in/c.tflite --delegate_search_step=1"
    )
    assert done.returncode == 0, done.stderr
    assert Path("parts/c_edgetpu.tflite").stat().st_size > 0


def test_a_shim_is_not_taken_for_google_s_compiler(shim: str, recording: Recording) -> None:
    from edgetpu_build.compiler.choose import google_available

    assert not google_available(["edgetpu_compiler"])
    assert google_available([str(recording.program)])


def test_metadata_come_back_if_asked_for(edgetpu: Edgetpu, recording: Recording) -> None:
    from edgetpu_build.tflite.reader import read
    from tests.tflite.test_restore import annotated

    Path("in/c.tflite").write_bytes(annotated())
    recording.good(told(annotated()))
    assert edgetpu("compile", "--backend", "google", "in/c.tflite", "--restore-metadata").code == 0
    assert [name for name, _ in read(Path("c_edgetpu.tflite").read_bytes()).metadata] == [
        "TFLITE_METADATA",
        "min_runtime_version",
    ]

"""`simulate` answers with figures for each way to share devices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgetpu_build import cli
from tests.support.models import dense_net, mobilenet_like

PROJECT = """
[tool.edgetpu.models.eye]
source = "eye.tflite"
[tool.edgetpu.models.ear]
source = "ear.tflite"
[tool.edgetpu.models.lone]
source = "eye.tflite"
output = "lone_edgetpu.tflite"
[tool.edgetpu.groups.head]
models = ["eye", "ear"]
calls = { eye = 20, ear = 5 }
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "eye.tflite").write_bytes(mobilenet_like())
    (tmp_path / "ear.tflite").write_bytes(dense_net())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def simulate(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, dict[str, Any]]:
    code = cli.main(["simulate", "--format", "json", *argv])
    return code, json.loads(capsys.readouterr().out)


def by_name(document: dict[str, Any]) -> dict[str, Any]:
    return {choice["name"]: choice for choice in document["choices"]}


def test_co_compiling_saves_the_swaps_and_is_advised(capsys: pytest.CaptureFixture[str]) -> None:
    code, document = simulate(capsys)
    assert code == 0
    assert document["calls"] == {"eye": 20, "ear": 5}
    found = by_name(document)
    assert found["apart, one device"]["swaps"] > 50
    assert found["co-compiled, one device"]["swaps"] == 0
    assert found["apart, each on its own, 2 devices"]["swaps"] == 0
    assert document["best"] == "co-compiled, one device"
    assert found["co-compiled, one device"]["models"]["eye"]["requests"] == 200


def test_a_single_model_compares_replicas_with_a_pipeline(capsys: pytest.CaptureFixture[str]) -> None:
    _, document = simulate(capsys, "lone", "--devices", "3")
    names = set(by_name(document))
    assert names == {
        "one device",
        "replicas, 2 devices",
        "replicas, 3 devices",
        "pipeline, 2 devices",
        "pipeline, 3 devices",
    }


def test_too_many_calls_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    _, document = simulate(capsys, "head", "--calls", "eye=9000", "--seconds", "1")
    assert not any(choice["keeps_up"] for choice in document["choices"])
    assert cli.main(["simulate", "head", "--calls", "eye=9000", "--seconds", "1"]) == 0
    assert "nothing keeps up" in capsys.readouterr().out


def test_a_trace_is_played(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "calls.txt").write_text("# seconds, model\n0.5 eye\n\n0.1 ear\n1.5 eye # late\n")
    _, document = simulate(capsys, "--trace", "calls.txt")
    models = by_name(document)["apart, one device"]["models"]
    assert {name: model["requests"] for name, model in models.items()} == {"eye": 2, "ear": 1}


@pytest.mark.parametrize("line", ["x eye", "1.0", "-1 eye", "nan eye", "1.0 nose"])
def test_a_trace_with_a_fault_is_refused_at_its_line(
    project: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    (project / "calls.txt").write_text(f"0 eye\n{line}\n")
    code, document = simulate(capsys, "--trace", "calls.txt")
    assert code == 2
    assert document["errors"][0]["line"] == 2


@pytest.mark.parametrize("argv", [["nose"], ["--calls", "nose=1"], ["--calls", "eye=-1"], ["--calls", "eye"]])
def test_refusals(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    assert simulate(capsys, *argv)[0] == 2


def test_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["simulate", "--random", "1"]) == 0
    shown = capsys.readouterr().out
    assert "predicted for USB 3" in shown
    assert "take: co-compiled, one device" in shown

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.models import conv_net
from tests.support.standin.recording import V16, Recording, told

Edgetpu = Callable[..., Any]
MODEL = conv_net(layers=2, channels=8, size=8)
SECRETS = ("filter", "conv_", "dense", "softmax_", "input_0", "secret")


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recording:
    (tmp_path / "secret.tflite").write_bytes(MODEL)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.edgetpu]\ncompiler = "google"\n[tool.edgetpu.models.secret]\nsource = "secret.tflite"\n'
    )
    monkeypatch.chdir(tmp_path)
    found = Recording(tmp_path / "standin")
    monkeypatch.setenv("EDGETPU_BUILD_COMMAND", str(found.program))
    return found


def test_shows_where_the_two_part_ways(edgetpu: Edgetpu, recording: Recording) -> None:
    recording.good(told(MODEL, on_cpu=(4,), cached=512, streamed=64))
    run = edgetpu("build", "--compare")
    assert run.code == 0
    assert f"secret: builtin and Google's {V16} part ways in 1 operator and" in run.out
    assert "operator 4 (SOFTMAX): builtin Edge TPU, Google's CPU (Operation is otherwise supported" in run.out
    assert "cached bytes: builtin" in run.out
    assert len(recording.calls()) == 1


def test_says_so_where_they_agree(edgetpu: Edgetpu, recording: Recording) -> None:
    run = edgetpu("compile", "secret.tflite", "--format", "json")
    figures = run.json["units"][0]["members"][0]["figures"]
    sizes = {name: int(figures[f"{name}_bytes"]["value"]) for name in ("cached", "streamed")}
    printed = {"used": figures["on_chip_used"]["value"], "off_chip": figures["off_chip"]["value"]}
    left = figures["on_chip_available"]["value"] - printed["used"]
    recording.good(told(MODEL, **sizes, **printed, remaining=left))
    assert (
        f"secret: builtin foretells what Google's {V16} did, 5 operators and every figure"
        in edgetpu("build", "--compare").out
    )


def test_in_json(edgetpu: Edgetpu, recording: Recording) -> None:
    recording.good(told(MODEL, on_cpu=(4,)))
    (found,) = edgetpu("build", "--compare", "--format", "json").json["comparison"]
    assert (found["name"], found["compiler"]) == ("secret", f"google {V16}")
    assert found["operators"][0]["google"]["target"] == "cpu"
    assert found["figures"]["cached_bytes"]["google"] == {"value": 1024, "confidence": "exact"}


def test_a_unit_of_builtin_is_compared_without_becoming_google_s(edgetpu: Edgetpu, recording: Recording) -> None:
    text = Path("pyproject.toml").read_text().replace('"google"', '"builtin"')
    Path("pyproject.toml").write_text(text)
    recording.good(told(MODEL))
    assert "part ways" in edgetpu("build", "--compare").out
    assert b"edgetpu-sim-custom-op" in Path("secret_edgetpu.tflite").read_bytes()
    edgetpu("build", "--compare")
    assert len(recording.calls()) == 1


def test_a_contribution_holds_facts_only(edgetpu: Edgetpu, recording: Recording) -> None:
    recording.good(told(MODEL, on_cpu=(4,), statuses={4: "Something about secret"}))
    assert edgetpu("build", "--compare", "--contribute", "facts.jsonl").code == 0
    text = Path("facts.jsonl").read_text()
    (facts,) = map(json.loads, text.splitlines())
    assert not [word for word in SECRETS if word in text]
    kinds = [operator["kind"] for operator in facts["graph"]["operators"]]
    assert kinds == ["CONV_2D", "CONV_2D", "MEAN", "FULLY_CONNECTED", "SOFTMAX"]
    assert facts["google"]["files"][0]["executables"][0]["parameter_bytes"] == 0
    assert facts["google"]["placement"][4] == [4, "cpu", ""]
    assert {"shape", "type", "constant", "variable", "scales", "axis"} == set(facts["graph"]["tensors"][0])
    weights = [t for t in facts["graph"]["tensors"] if t["constant"]]
    assert weights
    assert all(not isinstance(value, bytes) for tensor in weights for value in tensor.values())


def test_a_failure_of_google_s_is_a_warning_in_the_comparison(edgetpu: Edgetpu, recording: Recording) -> None:
    Path("pyproject.toml").write_text(Path("pyproject.toml").read_text().replace('"google"', '"builtin"'))
    recording.bad("Invalid model: x\nModel not quantized\n")
    run = edgetpu("build", "--compare", "--format", "json")
    assert run.code == 0
    assert "ETB306" in [warning["code"] for warning in run.json["warnings"]]


@pytest.mark.parametrize("words", [("--contribute", "f"), ("--compare", "--frozen"), ("--compare", "--dry-run")])
def test_what_goes_together(edgetpu: Edgetpu, recording: Recording, words: tuple[str, ...]) -> None:
    assert edgetpu("build", *words).code == 2


def test_without_the_program_it_exits_4(
    edgetpu: Edgetpu, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGETPU_BUILD_COMMAND", "/no/such/program")
    monkeypatch.setenv("EDGETPU_BUILD_COMPILER", "builtin")
    assert edgetpu("build", "--compare").code == 4

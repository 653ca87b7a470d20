"""Predicted latency in a project: figure, lock, budget, and the device that it assumes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgetpu_build import cli
from edgetpu_build.tflite import reader
from tests.support.models import mobilenet_like

PROJECT = """
[tool.edgetpu.device]
link = "{link}"
[tool.edgetpu.models.net]
source = "net.tflite"
{more}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "net.tflite").write_bytes(mobilenet_like())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def declare(project: Path, more: str = "", link: str = "usb3") -> None:
    (project / "pyproject.toml").write_text(PROJECT.format(more=more, link=link))


def run(capsys: pytest.CaptureFixture[str], command: str = "build") -> tuple[int, dict[str, Any]]:
    code = cli.main([command, "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


def member(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["units"][0]["members"][0]
    return found


def test_the_figure_is_an_estimate_with_a_range_and_in_the_lock(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    declare(project)
    code, document = run(capsys)
    figure = member(document)["figures"]["latency_ms"]
    assert code == 0
    assert figure["confidence"] == "estimated"
    assert figure["range"][0] < figure["value"] < figure["range"][1]
    assert f"latency-ms = {figure['value']}" in (project / "edgetpu.lock").read_text()


def test_a_budget_is_judged_and_written_in_digits_that_tell(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    declare(project, 'budget = { latency = "5 us" }')
    code, document = run(capsys)
    assert code == 1
    (told,) = document["errors"]
    assert told["code"] == "ETB101"
    value = member(document)["figures"]["latency_ms"]["value"]
    assert f"{value:.3g} ms (estimated) per inference, budget 0.005 ms" in told["message"]
    declare(project, 'budget = { latency = "1 s", strict-figures = true }')
    assert run(capsys)[0] == 1


def test_another_link_is_another_figure_and_check_judges_what_the_lock_has(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    declare(project)
    _, fast = run(capsys)
    declare(project, link="usb2")
    assert run(capsys, "check")[0] == 1
    _, slow = run(capsys)
    times = [member(document)["figures"]["latency_ms"]["value"] for document in (fast, slow)]
    assert times[0] < times[1]
    outputs = [member(document)["outputs"][0]["sha256"] for document in (fast, slow)]
    assert outputs[0] == outputs[1]
    declare(project, link="usb3")
    _, again = run(capsys)
    assert again["units"][0]["state"] == "cached"


def test_of_segments_the_slowest_counts_and_the_cut_is_balanced(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slowest = {}
    for balance in ("parameters", "latency", "profile"):
        declare(project, f'segments = 3\nbalance = "{balance}"')
        code, document = run(capsys)
        assert code == 0
        times = [segment["figures"]["latency_ms"]["value"] for segment in member(document)["segments"]]
        assert member(document)["figures"]["latency_ms"]["value"] == max(times)
        slowest[balance] = max(times)
    assert slowest["latency"] < slowest["parameters"]
    assert slowest["profile"] == slowest["latency"]


def test_what_stays_on_the_cpu_leaves_the_range_open(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = reader.read(mobilenet_like()).main
    stop = main.tensors[main.operators[5].outputs[0]].name
    declare(project, f'intermediate-tensors = ["{stop}"]')
    _, document = run(capsys)
    figures = member(document)["figures"]
    assert figures["operators"]["cpu"]["value"] > 0
    assert figures["latency_ms"]["range"][1] is None

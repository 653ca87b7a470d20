"""`bench` tells the same of a model and of what builtin made of it, draws it, and refuses what it cannot read."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from edgetpu_build import cli
from edgetpu_build.cli.bench import grouped
from tests.support.models import dense_net, float_net, mobilenet_like


@pytest.fixture(autouse=True)
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "net.tflite"
    path.write_bytes(mobilenet_like())
    monkeypatch.chdir(tmp_path)
    return path


def bench(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, dict[str, Any]]:
    code = cli.main(["bench", "--format", "json", *argv])
    return code, json.loads(capsys.readouterr().out)


def test_the_parts_are_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    code, document = bench(capsys, "net.tflite")
    assert code == 0
    (stage,) = document["latency"][0]["stages"]
    assert stage["latency_ms"]["confidence"] == "estimated"
    low, high = stage["latency_ms"]["range"]
    assert low < stage["latency_ms"]["value"] < high
    assert sum(stage["parts"].values()) == pytest.approx(stage["latency_ms"]["value"], abs=0.002)
    assert sum(o["ms"] for o in stage["operators"]) == pytest.approx(stage["parts"]["on_device"], abs=0.01)
    assert stage["first_ms"] > stage["latency_ms"]["value"]
    assert document["latency"][0]["assumes"] == {"link": "usb3", "clock": "max", "host": "x86"}


def test_a_compiled_file_takes_what_its_model_was_predicted_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compile", "net.tflite"]) == 0
    capsys.readouterr()
    _, before = bench(capsys, "net.tflite")
    _, after = bench(capsys, "net_edgetpu.tflite")
    assert after["latency"][0]["latency_ms"] == pytest.approx(before["latency"][0]["latency_ms"], rel=0.01)


def test_segments_are_a_pipeline_whether_cut_here_or_before(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compile", "-n", "3", "net.tflite"]) == 0
    capsys.readouterr()
    _, cut = bench(capsys, "--segments", "3", "net.tflite")
    files = [f"net_segment_{i}_of_3_edgetpu.tflite" for i in (2, 0, 1)]
    _, given = bench(capsys, *files)
    for document in (cut, given):
        (one,) = document["latency"]
        assert len(one["stages"]) == 3
        times = [stage["latency_ms"]["value"] for stage in one["stages"]]
        assert one["slowest"] == times.index(max(times))
        assert one["latency_ms"] > sum(times)
    assert given["latency"][0]["pace_ms"] == pytest.approx(cut["latency"][0]["pace_ms"], rel=0.02)


def test_a_slower_link_is_slower(capsys: pytest.CaptureFixture[str]) -> None:
    times = [bench(capsys, "--link", link, "net.tflite")[1]["latency"][0]["latency_ms"] for link in ("usb3", "usb2")]
    assert times[0] < times[1]


def test_the_projects_device_is_assumed(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        '[tool.edgetpu]\ndevice = { link = "usb2", clock = "std" }\n[tool.edgetpu.models.net]\nsource = "net.tflite"\n'
    )
    (model.parent / "pyproject.toml").write_text(text)
    _, document = bench(capsys, "net.tflite")
    assert document["latency"][0]["assumes"] == {"link": "usb2", "clock": "std", "host": "x86"}


def test_picture_and_trace_hold_every_operator(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document = bench(capsys, "net.tflite", "--svg", "a.svg", "--trace", "a.json", "--inferences", "2")
    assert code == 0
    picture = ET.fromstring((model.parent / "a.svg").read_text())
    assert picture.tag.endswith("svg")
    events = json.loads((model.parent / "a.json").read_text())["traceEvents"]
    spans = [event for event in events if event["ph"] == "X"]
    operators = len(document["latency"][0]["stages"][0]["operators"])
    assert sum(event["tid"] == 2 for event in spans) == 2 * operators
    assert all(event["dur"] >= 0 and event["ts"] >= 0 for event in spans)


def test_for_a_person_it_names_assumptions_range_and_first_inference(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "net.tflite"]) == 0
    shown = capsys.readouterr().out
    for words in ("USB 3, full clock, x86 host", "first inference ~", " to ", "waits for", "-v shows all"):
        assert words in shown


def test_refusals(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (model.parent / "float.tflite").write_bytes(float_net())
    (model.parent / "dense.tflite").write_bytes(dense_net())
    assert bench(capsys, "float.tflite")[0] == 3
    assert bench(capsys, "nothing.tflite")[0] == 2
    assert bench(capsys, "net.tflite", "dense.tflite", "--svg", "a.svg")[0] == 2
    assert bench(capsys, "--link", "isa", "net.tflite")[0] == 2


def test_files_are_grouped_by_what_they_are_segments_of() -> None:
    paths = ["b_segment_1_of_2_edgetpu.tflite", "a.tflite", "b_segment_0_of_2_edgetpu.tflite"]
    assert list(grouped(paths)) == [(paths[2], paths[0]), ("a.tflite",)]

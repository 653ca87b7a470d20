from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgetpu_build import runtime
from tests.runtime import made
from tests.support import models

MODEL = models.conv_net(zip_appended=True)


@pytest.fixture(autouse=True)
def _own_devices():
    before = runtime.plugged()
    yield
    runtime.plug(before)


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net_edgetpu.tflite"
    path.write_bytes(made.compiled(MODEL))
    return str(path)


@pytest.fixture
def cells(tmp_path):
    path = tmp_path / "input.npy"
    np.save(path, np.random.default_rng(7).integers(-128, 128, (1, 32, 32, 3), np.int8))
    return str(path)


def expected(cells):
    return made.run(made.original(MODEL), {"input_0": np.load(cells)})


def test_one_inference(edgetpu, net, cells):
    run = edgetpu("run", net, "--input", cells)
    assert run.code == 0
    (value,) = expected(cells).values()
    assert "1 inference" in run.out
    assert f"{int(value.argmax()):>5}" in run.out
    assert "1 load of 6.5 KiB" in run.out


def test_the_answer_in_json(edgetpu, net, cells):
    run = edgetpu("run", net, "--input", cells, "--repeat", "3", "--format", "json")
    ((name, value),) = expected(cells).items()
    (output,) = run.json["outputs"]
    assert (output["name"], output["shape"], output["dtype"]) == (name, list(value.shape), "int8")
    assert output["values"] == value.flatten().tolist()
    assert output["classes"][0]["id"] == int(value.argmax())
    (device,) = run.json["devices"]
    assert (device["name"], device["type"], device["files"]) == (":0", "usb", [net])
    assert device["stats"]["parameter_loads"] == 1
    assert run.json["inferences"] == 3
    assert run.json["made_up"] == []


def test_labels_that_travel_with_the_model(edgetpu, net, cells):
    classes = edgetpu("run", net, "--input", cells, "--format=json").json["outputs"][0]["classes"]
    assert {c["id"]: c["label"] for c in classes}.items() >= {
        c["id"]: {0: "cat", 1: "dog"}.get(c["id"], "") for c in classes
    }.items()


def test_without_input_it_is_made_up_and_said(edgetpu, net):
    runs = [edgetpu("run", net, "--format=json").json for _ in range(2)]
    assert runs[0]["made_up"] == ["input_0"]
    assert runs[0]["outputs"] == runs[1]["outputs"]
    assert "made-up input: input_0" in edgetpu("run", net).out


def test_segments_on_a_device_each(edgetpu, tmp_path, cells):
    paths = []
    for number, segment in enumerate(made.segments(MODEL, 2)):
        paths.append(str(tmp_path / f"s{number}.tflite"))
        (tmp_path / f"s{number}.tflite").write_bytes(segment)
    run = edgetpu("run", *paths, "--input", f"input_0={cells}", "--format=json").json
    (value,) = expected(cells).values()
    assert run["outputs"][0]["values"] == value.flatten().tolist()
    assert [d["stats"]["overlaps"] for d in run["devices"]] == [0, 0]
    both = edgetpu("run", *paths, "--devices", ":0,:0", "--format=json").json
    assert len(both["devices"]) == 1
    assert both["devices"][0]["stats"]["overlaps"] > 0
    assert "a device of its own" in both["warnings"][0]["message"]


def test_segments_are_put_in_order(edgetpu, tmp_path, cells):
    paths = [str(tmp_path / f"net_segment_{n}_of_2_edgetpu.tflite") for n in range(2)]
    for path, segment in zip(paths, made.segments(MODEL, 2), strict=True):
        Path(path).write_bytes(segment)
    run = edgetpu("run", *paths[::-1], "--input", cells, "--format=json").json
    assert run["files"] == paths


def test_the_device_table_of_the_project_holds(edgetpu, net, tmp_path):
    table = '[tool.edgetpu]\ndevice = { link = "pcie", sram = "1 KiB" }\n'
    (tmp_path / "pyproject.toml").write_text(table)
    run = edgetpu("run", net, "--project", str(tmp_path))
    assert run.code == 3
    assert "do not fit into 1.00KiB on-chip" in run.err
    (tmp_path / "pyproject.toml").write_text(table.replace("1 KiB", "1 MiB"))
    run = edgetpu("run", net, "--project", str(tmp_path), "--format=json").json
    assert run["devices"][0]["type"] == "pci"


def test_reference_kernels(edgetpu, net, cells):
    value = made.run(made.original(MODEL, "reference"), {"input_0": np.load(cells)})
    run = edgetpu("run", net, "--input", cells, "--kernels", "reference", "--format=json").json
    assert run["outputs"][0]["values"] == next(iter(value.values())).flatten().tolist()


@pytest.mark.parametrize("kind", ["P5", "P6"])
def test_a_picture(edgetpu, net, tmp_path, kind):
    channels = {"P5": 1, "P6": 3}[kind]
    pixels = np.random.default_rng(1).integers(0, 256, (64, 32, channels), np.uint8)
    picture = tmp_path / "picture.pnm"
    picture.write_bytes(f"{kind}\n# a comment\n32 64\n255\n".encode() + pixels.tobytes())
    fitted = pixels[::2].repeat(3 // channels, axis=2)[None]
    answer = made.run(made.original(MODEL), {"input_0": (fitted.astype(int) - 128).astype(np.int8)})
    run = edgetpu("run", net, "--input", str(picture), "--format=json").json
    assert run["outputs"][0]["values"] == next(iter(answer.values())).flatten().tolist()


def test_real_numbers_are_quantised_and_the_batch_may_be_left_out(edgetpu, net, tmp_path):
    real = np.random.default_rng(3).random((32, 32, 3))
    np.save(tmp_path / "real.npy", real)
    scale, zero = made.original(MODEL).get_input_details()[0]["quantization"]
    stored = np.clip(np.round(real / scale + zero), -128, 127).astype(np.int8)[None]
    answer = made.run(made.original(MODEL), {"input_0": stored})
    run = edgetpu("run", net, "--input", str(tmp_path / "real.npy"), "--format=json").json
    assert run["outputs"][0]["values"] == next(iter(answer.values())).flatten().tolist()


@pytest.fixture
def files(net, tmp_path):
    """What the words of a command may name."""
    (tmp_path / "bad").write_bytes(b"P5 no picture at all")
    np.save(tmp_path / "small.npy", np.zeros((1, 2, 2, 3), np.int8))
    whole = made.compiled(MODEL)
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    return {"net": net, "bad": tmp_path / "bad", "small": tmp_path / "small.npy", "cut": tmp_path / "cut"}


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["nowhere.tflite"], 2, "does not exist"),
        (["{net}", "--input", "nowhere.npy"], 2, "is not a file"),
        (["{net}", "--input", "{bad}"], 2, "ETB21"),
        (["{net}", "--input", "{small}"], 2, "has the shape"),
        (["{net}", "--input", "{small}", "--input", "{small}"], 2, "2 input files, the model has 1 inputs"),
        (["{net}", "--devices", "foo"], 2, "Failed to load delegate"),
        (["{net}", "--devices", ":0,:1"], 2, "1 files and 2 devices"),
        (["{net}", "--repeat", "0"], 2, "at least 1"),
        (["{net}", "--kernels", "fast"], 2, "allowed: default, reference"),
        (["{bad}"], 3, "is not a TensorFlow Lite model"),
        (["{cut}"], 3, "damaged"),
    ],
)
def test_what_cannot_be_done(edgetpu, files, words, code, text):
    run = edgetpu("run", *(word.format(**files) for word in words))
    assert (run.code, run.out) == (code, "")
    assert text in run.err


NO_LITERT = """
import sys
sys.modules["ai_edge_litert"] = None
from edgetpu_build.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_without_litert_the_extra_is_named(net):
    done = subprocess.run([sys.executable, "-c", NO_LITERT, "run", net], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "edgetpu-build[runtime]" in done.stderr

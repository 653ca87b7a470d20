"""pycoral's functions under their names, and what its adapters call on an interpreter."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgetpu_build import runtime
from edgetpu_build.runtime import Device, devices, make_interpreter, run_inference, silicon
from tests.runtime import made
from tests.support import models
from tests.support.litert import random_inputs

MODEL = models.conv_net(dtype="UINT8", signatures=["serving_default"])
ARTIFACT = made.compiled(MODEL)


def test_a_file_or_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "model_edgetpu.tflite"
    file.write_bytes(ARTIFACT)
    values = random_inputs(MODEL)
    expected = made.run(made.original(MODEL), values)
    for given in (ARTIFACT, str(file), file):
        interpreter = make_interpreter(given)
        interpreter.allocate_tensors()
        assert made.same(expected, made.run(interpreter, values))


def test_a_missing_file_is_told_as_litert_does() -> None:
    with pytest.raises(ValueError, match=r"Could not open 'nowhere\.tflite'\."):
        make_interpreter("nowhere.tflite")


@pytest.mark.parametrize("name", ["foo", ":1000", "usb:99", "pci:8", "usb:", ":-1", "USB:0"])
def test_unknown_devices_are_value_errors(name: str) -> None:
    with pytest.raises(ValueError, match="Failed to load delegate"):
        make_interpreter(ARTIFACT, device=name)


def test_names_choose_and_without_one_all_share_the_first() -> None:
    first = make_interpreter(ARTIFACT).device
    assert first is make_interpreter(ARTIFACT, device=":0").device
    assert first is make_interpreter(ARTIFACT, device="").device
    assert first is make_interpreter(ARTIFACT, device="usb").device
    assert make_interpreter(ARTIFACT, device=":1").device is make_interpreter(ARTIFACT, device="usb:1").device
    assert make_interpreter(ARTIFACT, device="pci:0").device is make_interpreter(ARTIFACT, device="pci").device
    assert make_interpreter(ARTIFACT, device="pci:0").device.type == "pci"
    assert len({id(make_interpreter(ARTIFACT, device=f":{n}").device) for n in range(16)}) == 16


def test_a_device_of_ones_own() -> None:
    device = Device(link="pcie")
    assert make_interpreter(ARTIFACT, device=device).device is device
    assert device not in runtime.plugged()


def test_other_devices_can_be_plugged_in() -> None:
    before = runtime.plugged()
    try:
        only = Device(link="pcie", path="/dev/apex_0")
        runtime.plug([only])
        assert runtime.list_edge_tpus() == [{"type": "pci", "path": "/dev/apex_0"}]
        assert make_interpreter(ARTIFACT).device is only
        with pytest.raises(ValueError, match="no simulated Edge TPU is called `usb:0`"):
            devices.find("usb:0")
    finally:
        runtime.plug(before)


def test_a_delegate_says_which_device() -> None:
    delegate = runtime.load_edgetpu_delegate({"device": ":3"})
    interpreter = make_interpreter(ARTIFACT, device=":5", delegate=delegate)
    assert interpreter.device is devices.find(":3")
    with pytest.raises(ValueError, match="Failed to load delegate"):
        runtime.load_edgetpu_delegate({"device": "foo"})


def test_devices_and_version_are_told() -> None:
    assert {device["type"] for device in runtime.list_edge_tpus()} <= {"usb", "pci"}
    assert runtime.list_edge_tpus()
    assert runtime.get_runtime_version().startswith("BuildLabel(")
    assert "RuntimeVersion(" in runtime.get_runtime_version()
    assert [runtime.set_verbosity(n) for n in (-1, 0, 10, 11)] == [False, True, True, False]


def test_real_devices_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    there = [{"type": "usb", "path": "/sys/bus/usb/devices/2-1"}]
    monkeypatch.setattr(silicon, "devices", lambda: there)
    monkeypatch.setattr(silicon, "version", lambda: "BuildLabel(N/A), RuntimeVersion(13)")
    assert runtime.list_edge_tpus() == there
    assert runtime.get_runtime_version().endswith("RuntimeVersion(13)")


def test_a_file_made_for_silicon_wants_the_real_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silicon, "LIBRARY", "libedgetpu-that-is-not-here.so.1")
    net = models.Net()
    model = net.build([net.custom([net.input((1, 4))], (1, 4), "edgetpu-custom-op")])
    with pytest.raises(ValueError, match=r"Failed to load delegate from libedgetpu-that-is-not-here\.so\.1"):
        make_interpreter(model)


def inputs() -> bytes:
    return next(iter(random_inputs(MODEL).values())).tobytes()


def array(data: bytes) -> Any:
    return np.frombuffer(data, np.uint8)


def pointer(data: bytes) -> Any:
    held = ctypes.create_string_buffer(data, len(data))
    return ctypes.cast(held, ctypes.c_void_p), len(data)


@pytest.mark.parametrize("wrap", [bytes, array, pointer])
@pytest.mark.parametrize("more", [b"", b"longer"])
def test_inference_with_any_kind_of_input(wrap: Callable[[bytes], Any], more: bytes) -> None:
    interpreter = made.opened(ARTIFACT, device=Device())
    output = interpreter.get_output_details()[0]["index"]
    expected = made.run(made.original(MODEL), random_inputs(MODEL))
    held = interpreter.tensor(output)()  # pycoral runs on while there are views, and they see the new result
    run_inference(interpreter, wrap(inputs() + more))
    assert np.array_equal(held, next(iter(expected.values())))
    assert interpreter.device.stats().parameter_loads == 1


def test_too_short_an_input_and_another_kind() -> None:
    interpreter = made.opened(ARTIFACT, device=Device())
    with pytest.raises(ValueError, match=r"input size=3071, expected=3072\."):
        run_inference(interpreter, inputs()[:-1])
    for wrong in ("text", [1, 2], np.zeros((1, 32, 32, 3), np.uint8)):
        with pytest.raises(TypeError, match=r"input data type is not supported\."):
            run_inference(interpreter, wrong)


def test_without_memory_nothing_runs() -> None:
    interpreter = make_interpreter(ARTIFACT, device=Device())
    with pytest.raises(RuntimeError, match="Invoke called on model that is not ready"):
        runtime.invoke_with_bytes(interpreter._native_handle(), inputs())
    with pytest.raises(RuntimeError, match="not ready"):
        interpreter.invoke()
    assert interpreter.device.stats().parameter_loads == 0


def test_a_view_outlives_what_it_looked_at() -> None:
    device = Device()
    interpreter = made.opened(ARTIFACT, device=device)
    run_inference(interpreter, inputs())
    view = interpreter.tensor(interpreter.get_output_details()[0]["index"])()
    before = view.copy()
    device.memory.write(0, bytes(range(256)) * 8)
    run_inference(interpreter, inputs())  # another model from now on
    assert np.array_equal(view, before)


def test_a_view_in_the_way_of_invoke_is_told_as_litert_does() -> None:
    interpreter = made.opened(ARTIFACT, device=Device())
    view = interpreter.tensor(interpreter.get_output_details()[0]["index"])()
    with pytest.raises(RuntimeError, match="reference to internal data"):
        interpreter.invoke()
    del view
    interpreter.invoke()


# What pycoral's adapters ask of an interpreter, said again in a few words.


def input_size(interpreter: Any) -> tuple[int, int]:
    _, height, width, _ = interpreter.get_input_details()[0]["shape"]
    return width, height


def set_input(interpreter: Any, data: np.ndarray) -> None:
    interpreter.tensor(interpreter.get_input_details()[0]["index"])()[0][:, :] = data


def get_scores(interpreter: Any) -> np.ndarray:
    details = interpreter.get_output_details()[0]
    raw = interpreter.tensor(details["index"])().flatten()
    scale, zero = details["quantization"]
    return scale * (raw.astype(np.int64) - zero) if np.issubdtype(details["dtype"], np.integer) else raw.copy()


def get_objects(interpreter: Any) -> dict[str, np.ndarray]:
    """detect: by the names of the only signature."""
    signatures = interpreter._get_full_signature_list()
    assert len(signatures) == 1
    outputs = next(iter(signatures.values()))["outputs"]
    return {name: interpreter.tensor(index)().copy() for name, index in outputs.items()}


def test_classify_and_segment() -> None:
    interpreter = make_interpreter(ARTIFACT, device=Device())
    interpreter.allocate_tensors()
    values = random_inputs(MODEL)
    assert input_size(interpreter) == (32, 32)
    set_input(interpreter, next(iter(values.values()))[0])
    interpreter.invoke()
    expected = made.original(MODEL)
    made.run(expected, values)
    assert np.array_equal(get_scores(interpreter), get_scores(expected))
    assert int(np.prod(interpreter.get_output_details()[0]["shape"])) == 10


def test_detect_by_signature() -> None:
    interpreter = made.opened(ARTIFACT, device=Device())
    expected = made.original(MODEL)
    for one in (interpreter, expected):
        made.run(one, random_inputs(MODEL))
    ours, theirs = get_objects(interpreter), get_objects(expected)
    assert made.same(theirs, ours)


def test_signature_runners_go_through_the_device() -> None:
    interpreter = made.opened(ARTIFACT, device=Device())
    (value,) = random_inputs(MODEL).values()
    result = interpreter.get_signature_runner("serving_default")(input_0=value)
    expected = made.original(MODEL).get_signature_runner("serving_default")(input_0=value)
    assert made.same(expected, result)
    assert interpreter.device.stats().parameter_loads == 1


@pytest.mark.parametrize("side", ["get_input_details", "get_output_details"])
def test_details_are_those_of_the_original_but_for_the_index(side: str) -> None:
    (ours,) = getattr(made.opened(ARTIFACT, device=Device()), side)()
    (theirs,) = getattr(made.original(MODEL), side)()
    for key in ("name", "dtype", "quantization"):
        assert ours[key] == theirs[key]
    assert list(ours["shape"]) == list(theirs["shape"])


def test_tensors_are_those_of_the_compiled_file() -> None:
    interpreter = made.opened(ARTIFACT, device=Device())
    names = [tensor.name for tensor in made.read(ARTIFACT).main.tensors]
    assert [details["name"] for details in interpreter.get_tensor_details()] == names


def test_kernels_that_there_are_not() -> None:
    with pytest.raises(ValueError, match="found kernels `fast`, allowed: default, reference"):
        make_interpreter(ARTIFACT, kernels="fast")


def test_a_model_that_was_not_compiled_runs_as_in_litert() -> None:
    for model in (MODEL, models.float_net()):
        values = random_inputs(model)
        assert made.same(made.run(made.original(model), values), made.run(made.opened(model), values))


def test_an_input_of_the_wrong_size_is_refused() -> None:
    interpreter = made.opened(ARTIFACT, device=Device())
    index = interpreter.get_input_details()[0]["index"]
    with pytest.raises(ValueError, match="Cannot set tensor"):
        interpreter.set_tensor(index, np.zeros((1, 31, 32, 3), np.uint8))
    interpreter.resize_tensor_input(index, (1, 16, 16, 3))
    with pytest.raises(RuntimeError, match=r'Unexpected input size for "input_0"\. Expected 3072 or 3072, got 768'):
        interpreter.allocate_tensors()

"""The caching-token state machine: the manual's figure 1 transition by transition, and what it leaves out."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest

from edgetpu_build.compiler import package
from edgetpu_build.runtime import Device, Event, OverlapWarning
from tests.runtime import made
from tests.support import models
from tests.support.litert import random_inputs

A, B = models.conv_net(), models.dense_net()
ALONE_A, ALONE_B = made.compiled(A), made.compiled(B)
TOGETHER_A, TOGETHER_B = made.compiled_together(A, B)
NOTHING_CACHED = made.compiled(models.chain_net(3))


def executables(artifact: bytes) -> dict[str, package.Executable]:
    operators = made.read(artifact).main.operators
    options = next(op.custom_options for op in operators if op.custom_code == made.CUSTOM_OPERATOR)
    return {executable.type: executable for executable in package.decode(options or b"").executables}


def cached_bytes(artifact: bytes) -> int:
    return len(executables(artifact)["PARAMETER_CACHING"].parameters)


def token_of(artifact: bytes) -> str:
    return f"{next(iter(executables(artifact).values())).token:016x}"


def invoked(*artifacts: bytes, device: Device, order: tuple[int, ...] = (0,)) -> Device:
    """The device after these files ran on it in this order, every file in one interpreter."""
    opened = [made.opened(artifact, device=device) for artifact in artifacts]
    for number in order:
        opened[number].invoke()
    return device


def test_a_fresh_device_has_done_nothing() -> None:
    assert Device().stats() == {
        "token": None,
        "parameter_loads": 0,
        "parameter_bytes_sent": 0,
        "streamed_bytes": 0,
        "wipes": 0,
        "overlaps": 0,
    }


def test_the_first_inference_loads_and_later_ones_find_the_parameters_there() -> None:
    stats = invoked(ALONE_A, device=Device(), order=(0, 0, 0)).stats()
    assert stats.token == token_of(ALONE_A)
    assert stats.parameter_loads == 1
    assert stats.parameter_bytes_sent == cached_bytes(ALONE_A)
    assert stats.wipes == 0


def test_the_bytes_are_in_the_memory_at_the_address_that_the_artifact_names() -> None:
    device = invoked(TOGETHER_A, TOGETHER_B, device=Device(), order=(0, 1))
    first, second = (bytes(executables(x)["PARAMETER_CACHING"].parameters) for x in (TOGETHER_A, TOGETHER_B))
    assert device.memory.read(0, len(first) + len(second)) == first + second


def test_another_token_wipes_and_loads_its_own() -> None:
    stats = invoked(ALONE_A, ALONE_B, device=Device(), order=(0, 0, 0, 1, 1, 1, 0, 0)).stats()
    assert (stats.wipes, stats.parameter_loads) == (2, 3)
    assert stats.token == token_of(ALONE_A)


def test_models_compiled_together_are_loaded_once_each_and_wipe_nothing() -> None:
    stats = invoked(TOGETHER_A, TOGETHER_B, device=Device(), order=(0, 1, 0, 1, 1, 0)).stats()
    assert (stats.wipes, stats.parameter_loads, stats.overlaps) == (0, 2, 0)
    assert stats.parameter_bytes_sent == cached_bytes(TOGETHER_A) + cached_bytes(TOGETHER_B)


def test_a_model_that_caches_nothing_wipes_what_others_left() -> None:
    assert list(executables(NOTHING_CACHED)) == ["STAND_ALONE"]
    foreign = made.retoken(NOTHING_CACHED, 0)
    stats = invoked(ALONE_A, foreign, device=Device(), order=(0, 0, 1, 1, 1, 1, 0)).stats()
    assert (stats.wipes, stats.parameter_loads) == (1, 2)


def test_a_model_that_caches_nothing_but_carries_the_token_wipes_nothing() -> None:
    sibling = made.retoken(NOTHING_CACHED, int(token_of(ALONE_A), 16))
    stats = invoked(ALONE_A, sibling, device=Device(), order=(0, 1, 1, 0)).stats()
    assert (stats.wipes, stats.parameter_loads) == (0, 1)


def test_after_a_model_that_caches_nothing_the_device_holds_no_token() -> None:
    assert invoked(ALONE_A, NOTHING_CACHED, device=Device(), order=(0, 1)).stats().token is None


def test_cached_parameters_without_a_token_are_refused() -> None:
    with pytest.raises(RuntimeError, match=r"Parameter caching tag is not set\."):
        invoked(made.retoken(ALONE_A, 0), device=Device())


def test_executables_of_two_tokens_reload_every_time() -> None:
    def change(found: package.Package) -> package.Package:
        main, cache = found.executables
        return replace(found, executables=(replace(main, token=main.token ^ 1), cache))

    stats = invoked(made.repackaged(ALONE_A, change), device=Device(), order=(0, 0, 0)).stats()
    assert (stats.wipes, stats.parameter_loads) == (2, 3)


def test_the_same_file_opened_twice_is_sent_twice_and_then_shared() -> None:
    stats = invoked(ALONE_A, ALONE_A, device=Device(), order=(0, 1, 0, 1)).stats()
    assert (stats.wipes, stats.parameter_loads, stats.overlaps) == (0, 2, 0)


def test_what_an_interpreter_loaded_stays_when_it_is_gone() -> None:
    device = invoked(ALONE_A, device=Device())
    gc.collect()
    assert device.stats().token == token_of(ALONE_A)
    assert invoked(ALONE_B, device=device).stats().wipes == 1


@pytest.mark.parametrize("way", ["reset", "close"])
def test_a_device_opened_again_has_forgotten_what_it_loaded(way: str) -> None:
    device = Device()
    interpreter = made.opened(ALONE_A, device=device)
    interpreter.invoke()
    getattr(device, way)()
    assert device.stats().token is None
    interpreter.invoke()
    assert (device.stats().parameter_loads, device.stats().wipes) == (2, 0)


def test_devices_know_nothing_of_each_other() -> None:
    first, second = Device(), Device()
    invoked(ALONE_A, device=first)
    invoked(ALONE_B, device=second)
    invoked(ALONE_A, device=first)
    assert [d.stats().wipes for d in (first, second)] == [0, 0]
    assert first.stats().token != second.stats().token


def test_streamed_parameters_are_sent_with_every_inference() -> None:
    net = models.Net()
    constant = net.tensor("constant", (1, 64), const=True, scale=0.02, zp=0)
    artifact = made.compiled(net.build([net.add(net.input((1, 64)), constant)]))
    streamed = sum(len(e.parameters) for t, e in executables(artifact).items() if t != "PARAMETER_CACHING")
    assert streamed
    stats = invoked(artifact, device=Device(), order=(0,) * 6).stats()
    assert (stats.streamed_bytes, stats.parameter_bytes_sent) == (6 * streamed, 0)


def test_a_batch_is_as_many_requests() -> None:
    device, seen = Device(), []
    device.observers.append(seen.append)
    interpreter = made.opened(ALONE_B, device=device)
    details = interpreter.get_input_details()[0]
    interpreter.resize_tensor_input(details["index"], (7, *details["shape"][1:]))
    interpreter.allocate_tensors()
    interpreter.invoke()
    assert [event.loaded for event in seen] == [True] + [False] * 6


def test_two_segments_on_one_device_are_told_and_never_compute_with_the_wrong_bytes() -> None:
    model = models.mobilenet_like(0.1, 32)
    device = Device()
    chain = [made.opened(artifact, device=device) for artifact in made.segments(model, 2)]
    expected = made.original(model)
    for seed in range(3):
        values = random_inputs(model, seed)
        with pytest.warns(OverlapWarning, match="device of its own"):
            got = made.run_chain(chain, values)
        assert made.same(made.run(expected, values), got)
    stats = device.stats()
    assert (stats.overlaps, stats.parameter_loads, stats.wipes) == (5, 6, 0)


def test_overwritten_memory_gives_other_answers_until_it_is_loaded_again() -> None:
    device = Device()
    interpreter = made.opened(ALONE_A, device=device)
    values = random_inputs(A)
    for _ in range(3):
        right = made.run(interpreter, values)
    noise = np.random.default_rng(1).integers(0, 256, cached_bytes(ALONE_A), np.uint8).tobytes()
    device.memory.write(0, noise)
    assert not made.same(right, made.run(interpreter, values))
    assert device.stats().parameter_loads == 1
    device.reset()
    assert made.same(right, made.run(interpreter, values))


def test_no_answer_is_right_by_accident() -> None:
    """Where only what the device does not compute with was overwritten, there is none, until it is loaded again."""
    device = Device()
    interpreter = made.opened(ALONE_A, device=device)
    interpreter.invoke()
    multiplier = device.memory.read(0, 4)
    device.memory.write(0, bytes(byte ^ 0xFF for byte in multiplier))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="were overwritten, and nothing else"):
            interpreter.invoke()
    device.memory.write(0, multiplier)
    interpreter.invoke()


@pytest.mark.parametrize("what", ["shape", "value"])
def test_another_model_in_memory_keeps_what_was_fed(what: str) -> None:
    device = Device()
    interpreter = made.opened(ALONE_B, device=device)
    details = interpreter.get_input_details()[0]
    values = random_inputs(B)["input_0"]
    if what == "shape":
        values = values.repeat(3, axis=0)
        interpreter.resize_tensor_input(details["index"], values.shape)
        interpreter.allocate_tensors()
    interpreter.set_tensor(details["index"], values)
    interpreter.invoke()
    right = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    device.memory.write(0, bytes(cached_bytes(ALONE_B)))
    interpreter.invoke()
    wrong = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert wrong.shape == right.shape
    assert not np.array_equal(wrong, right)
    device.reset()
    interpreter.invoke()
    assert np.array_equal(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]), right)


def test_parameters_that_do_not_fit_are_refused() -> None:
    with pytest.raises(RuntimeError, match=r"do not fit into 1\.00KiB"):
        invoked(ALONE_A, device=Device(sram="1 KiB"))


def test_observers_hear_of_every_request_in_order() -> None:
    device, seen = Device(), []
    device.observers.append(seen.append)
    invoked(ALONE_A, ALONE_B, device=device, order=(0, 0, 1))
    assert [(type(e), e.loaded, e.wiped) for e in seen] == [
        (Event, True, False),
        (Event, False, False),
        (Event, True, True),
    ]
    assert [e.loaded_bytes for e in seen] == [cached_bytes(ALONE_A), 0, cached_bytes(ALONE_B)]
    assert seen[0].input_bytes >= 32 * 32 * 3
    assert seen[0].output_bytes >= 10
    assert seen[0].streamed_bytes == len(executables(ALONE_A)["EXECUTION_ONLY"].parameters)


@pytest.mark.parametrize("options", [{"link": "usb1"}, {"clock": "fast"}, {"sram": "much"}])
def test_options_that_no_device_has_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"found link|is not a number"):
        Device(**options)  # type: ignore[arg-type]

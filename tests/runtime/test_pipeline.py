"""The pipeline as pycoral's users know it, and what fails for them."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import numpy as np
import pytest

from edgetpu_build.runtime import Device, PipelinedModelRunner
from tests.runtime import made
from tests.support import models
from tests.support.litert import random_inputs

MODEL = models.mobilenet_like(0.1, 32)
THREE = made.segments(MODEL, 3)


def runner(artifacts: list[bytes] = THREE) -> PipelinedModelRunner:
    return PipelinedModelRunner([made.opened(artifact, device=Device()) for artifact in artifacts])


def pushed(pipeline: PipelinedModelRunner, model: bytes, count: int) -> list[made.Tensors]:
    """What the original answers to the inputs that were pushed."""
    expected = made.original(model)
    answers = []
    for seed in range(count):
        values = random_inputs(model, seed)
        pipeline.push(values)
        answers.append(made.run(expected, values))
    return answers


def popped(pipeline: PipelinedModelRunner) -> list[made.Tensors]:
    found = []
    while (result := pipeline.pop()) is not None:
        found.append(result)
    return found


def test_results_come_in_order_and_are_those_of_the_whole_model() -> None:
    pipeline = runner()
    answers = pushed(pipeline, MODEL, 8)
    pipeline.push({})
    results = popped(pipeline)
    assert len(results) == 8
    assert all(made.same(*pair) and set(pair[0]) == set(pair[1]) for pair in zip(answers, results, strict=True))
    assert pipeline.pop() is None


def test_producer_and_consumer_may_be_different_threads() -> None:
    pipeline = runner()
    pipeline.set_input_queue_size(1)
    pipeline.set_output_queue_size(1)
    answers: list[made.Tensors] = []

    def produce() -> None:
        answers.extend(pushed(pipeline, MODEL, 12))
        pipeline.push({})

    producer = threading.Thread(target=produce)
    producer.start()
    results = popped(pipeline)
    producer.join()
    assert len(results) == 12
    assert all(made.same(*pair) for pair in zip(answers, results, strict=True))


class Slow:
    """An interpreter that does nothing, once it may."""

    def __init__(self, number: int, *, names: tuple[list[str], list[str]] | None = None, error: str = "") -> None:
        takes, gives = names or ([f"t{number}"], [f"t{number + 1}"])
        self.takes = [{"name": name, "index": i, "shape": (1,), "dtype": np.int8} for i, name in enumerate(takes)]
        self.gives = [{"name": name, "index": -1 - i, "shape": (1,), "dtype": np.int8} for i, name in enumerate(gives)]
        self.may = threading.Semaphore(0)
        self.began = threading.Semaphore(0)
        self.error = error
        self.values: dict[int, Any] = {}

    def get_input_details(self) -> list[dict[str, Any]]:
        return self.takes

    def get_output_details(self) -> list[dict[str, Any]]:
        return self.gives

    def set_tensor(self, index: int, value: Any) -> None:
        self.values[index] = value

    def get_tensor(self, index: int) -> Any:
        return self.values[0] + 1

    def invoke(self) -> None:
        self.began.release()
        self.may.acquire()
        if self.error:
            raise RuntimeError(self.error)


def one(value: int = 0) -> dict[str, np.ndarray]:
    return {"t0": np.array([value], np.int8)}


@pytest.mark.parametrize("count", [1, 2, 4])
def test_with_queues_of_one_exactly_two_per_segment_and_one_more_fit(count: int) -> None:
    """The law of pycoral's own test."""
    stages = [Slow(number) for number in range(count)]
    for stage in stages:
        stage.may.release(1000)
    pipeline = PipelinedModelRunner(stages)
    pipeline.set_input_queue_size(1)
    pipeline.set_output_queue_size(1)
    for _ in range(2 * count + 1):
        pipeline.push(one())
    blocked = threading.Thread(target=lambda: (pipeline.push(one()), pipeline.push({})))
    blocked.start()
    blocked.join(0.05)
    assert blocked.is_alive()
    assert len(popped(pipeline)) == 2 * count + 2
    blocked.join()


def test_all_segments_work_at_once() -> None:
    stages = [Slow(number) for number in range(3)]
    pipeline = PipelinedModelRunner(stages)
    for number in range(3):
        pipeline.push(one(number))
    stages[0].may.release(3)
    stages[1].may.release(1)
    for stage in stages:
        assert stage.began.acquire(timeout=10)
    for stage in stages[1:]:
        stage.may.release(10)
    pipeline.push({})
    assert [int(result["t3"][0]) for result in popped(pipeline)] == [3, 4, 5]


def test_a_tensor_that_only_a_later_segment_wants_is_carried_there() -> None:
    stages = [
        Slow(0, names=(["t0"], ["a", "b"])),
        Slow(1, names=(["a"], ["c"])),
        Slow(2, names=(["c", "b", "t0"], ["d"])),
    ]
    for stage in stages:
        stage.may.release(9)
    pipeline = PipelinedModelRunner(stages)
    pipeline.push(one(5))
    result = pipeline.pop()
    assert result is not None
    assert {name: int(value[0]) for name, value in result.items()} == {"d": 8}
    assert {i: int(v[0]) for i, v in stages[2].values.items()} == {0: 7, 1: 6, 2: 5}


def test_an_output_that_no_later_segment_wants_is_a_result() -> None:
    stages = [Slow(0, names=(["t0"], ["a", "early"])), Slow(1, names=(["a"], ["late"]))]
    for stage in stages:
        stage.may.release(9)
    pipeline = PipelinedModelRunner(stages)
    pipeline.push(one(5))
    assert set(pipeline.pop() or ()) == {"early", "late"}


def test_an_input_of_the_model_that_the_first_segment_does_not_take_is_refused_as_by_pycoral() -> None:
    chain = [made.opened(artifact, device=Device()) for artifact in made.cut(models.branching_net(), 0)]
    with pytest.raises(ValueError, match="Interpreter 1 can not get its input tensors"):
        PipelinedModelRunner(chain)


def test_float_outputs_have_their_type_and_shape() -> None:
    net = models.Net()
    x = net.conv(net.input((1, 8, 8, 4)), 8)
    y = net.conv(x, 8)
    flat = net.mean(y)
    out = net.tensor("real", net.shape(flat), "FLOAT32")
    model = net.build(
        [
            net.op("DEQUANTIZE", [flat], [out], version=2),
            net.op("DEQUANTIZE", [x], [net.tensor("early", net.shape(x), "FLOAT32")], version=2),
        ]
    )
    pipeline = runner(made.cut(model, 0))
    (answer,) = pushed(pipeline, model, 1)
    result = pipeline.pop()
    assert result is not None
    assert made.same(answer, result)
    assert {value.dtype for value in result.values()} == {np.dtype(np.float32)}


def test_what_is_pushed_may_be_changed_afterwards_and_need_not_be_contiguous() -> None:
    pipeline = runner()
    ((name, value),) = random_inputs(MODEL).items()
    expected = made.run(made.original(MODEL), {name: value})
    odd = np.asfortranarray(value)
    pipeline.push({name: odd})
    odd[:] = 0
    assert made.same(expected, pipeline.pop() or {})


def test_no_interpreter_is_refused() -> None:
    with pytest.raises(ValueError, match="At least one interpreter expected"):
        PipelinedModelRunner([])


def test_segments_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValueError, match="Interpreter 1 can not get its input tensors"):
        runner(THREE[::-1])


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"a": 1, "b": 2}, ValueError, "Expected input of length 1, but got 2"),
        ({"nobody": np.zeros(1, np.int8)}, KeyError, "nobody"),
        ({"t0": np.zeros(1, np.float32)}, ValueError, "numpy array of type"),
        ({"t0": [0]}, ValueError, "numpy array of type"),
        ({"t0": np.zeros(2, np.int8)}, ValueError, r"has the shape \(2,\), expected \(1,\)"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(given: Any, error: type[Exception], text: str) -> None:
    pipeline = PipelinedModelRunner([Slow(0)])
    with pytest.raises(error, match=text):
        pipeline.push(given)


def test_after_its_end_nothing_more_goes_in() -> None:
    pipeline = runner()
    pipeline.push({})
    for more in ({}, random_inputs(MODEL)):
        with pytest.raises(RuntimeError, match=r"Pipeline was turned off before\."):
            pipeline.push(more)
    assert pipeline.pop() is None


def test_an_error_is_told_after_the_results_from_before_and_ends_the_pipeline() -> None:
    good, bad = Slow(0), Slow(1)
    pipeline = PipelinedModelRunner([good, bad])
    good.may.release(9)
    bad.may.release(1)
    pipeline.push(one())
    assert pipeline.pop() is not None
    bad.error = "out of order"
    bad.may.release(1)
    pipeline.push(one())
    for _ in range(2):
        with pytest.raises(RuntimeError, match="Segment 1 runner error: out of order"):
            pipeline.pop()
    with pytest.raises(RuntimeError, match="Segment 1 runner error: out of order"):
        pipeline.push(one())


def test_a_failure_frees_whoever_waits_to_push() -> None:
    bad = Slow(0, error="broken")
    pipeline = PipelinedModelRunner([bad])
    pipeline.set_input_queue_size(1)
    told: list[str] = []

    def fill() -> None:
        try:
            while True:
                pipeline.push(one())
        except RuntimeError as problem:
            told.append(str(problem))

    filler = threading.Thread(target=fill)
    filler.start()
    bad.may.release(1)
    filler.join(30)
    assert told == ["Segment 0 runner error: broken"]


def test_interpreters_without_memory_are_told_at_pop() -> None:
    chain = [made.Interpreter(model_content=artifact, device=Device()) for artifact in THREE]
    pipeline = PipelinedModelRunner(chain)
    pipeline.push(random_inputs(MODEL))
    with pytest.raises(RuntimeError, match=r"Segment 0 runner error: Invoke called on model that is not ready\."):
        pipeline.pop()


def test_statistics_count_inferences_by_segment() -> None:
    pipeline = runner()
    assert [s.num_inferences for s in pipeline.segment_stats()] == [0, 0, 0]
    pushed(pipeline, MODEL, 4)
    pipeline.push({})
    assert [s.num_inferences for s in pipeline.segment_stats()] == [4, 4, 4]
    assert all(s.total_time_ns > 0 for s in pipeline.segment_stats())


def test_every_device_loads_its_segment_once() -> None:
    pipeline = runner()
    pushed(pipeline, MODEL, 5)
    pipeline.push({})
    stats = [interpreter.device.stats() for interpreter in pipeline.interpreters()]
    assert [(s.parameter_loads, s.wipes, s.overlaps) for s in stats] == [(1, 0, 0)] * 3
    assert len({s.token for s in stats}) == 1


def test_a_forgotten_pipeline_ends_its_threads() -> None:
    before = threading.active_count()
    pipeline = PipelinedModelRunner([Slow(0), Slow(1)])
    threads = list(pipeline._threads)
    gone = weakref.ref(pipeline)
    del pipeline
    gc.collect()
    for thread in threads:
        thread.join(30)
    assert gone() is None
    assert threading.active_count() == before

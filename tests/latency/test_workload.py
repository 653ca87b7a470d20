"""Requests, devices and what lies in their memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.latency.workload import Step, Task, at_random, periodic, run


def task(name: str, token: int, run: float = 1.0, load: float = 10.0) -> Task:
    return Task(name=name, run=run, load=load, token=token)


def only(found: Task, device: int = 0) -> list[list[Step]]:
    return [[Step(device=device, task=found)]]


def test_models_of_other_tokens_displace_each_other_and_co_compiled_ones_do_not() -> None:
    requests = [(100.0 * k, "ab"[k % 2]) for k in range(6)]
    apart = run(requests, {"a": only(task("a", 1)), "b": only(task("b", 2))}, 1)
    together = run(requests, {"a": only(task("a", 1)), "b": only(task("b", 1))}, 1)
    assert (apart.loads, apart.swaps, apart.loading) == (6, 5, 60.0)
    assert (together.loads, together.swaps, together.loading) == (2, 0, 20.0)
    assert apart.waits["a"].median == 11.0
    assert together.waits["a"].median == 1.0


def test_a_model_that_keeps_nothing_displaces_nothing() -> None:
    requests = [(100.0 * k, "ab"[k % 2]) for k in range(6)]
    found = run(requests, {"a": only(task("a", 1)), "b": only(task("b", 0))}, 1)
    assert (found.loads, found.swaps) == (1, 0)


def test_requests_wait_for_a_device_that_is_busy() -> None:
    found = run([(0.0, "a"), (0.0, "a"), (0.0, "a")], {"a": only(task("a", 0, run=2.0))}, 1)
    assert (found.waits["a"].median, found.waits["a"].most) == (4.0, 6.0)
    assert not found.keeps_up
    assert found.behind == 6.0


def test_a_request_takes_the_device_that_is_done_first_and_spares_what_lies_there() -> None:
    routes = {
        name: [[Step(device=k, task=task(name, token))] for k in range(2)] for name, token in (("a", 1), ("b", 2))
    }
    found = run([(100.0 * k, "ab"[k % 2]) for k in range(10)], routes, 2)
    assert (found.loads, found.swaps) == (2, 0)


def test_segments_of_a_pipeline_work_at_the_same_time() -> None:
    steps = [Step(device=k, task=task(str(k), 0, run=5.0), hand_over=1.0 if k == 0 else 0.0) for k in range(2)]
    found = run([(0.0, "a"), (0.0, "a")], {"a": [steps]}, 2)
    assert found.waits["a"].most == 16.0  # 5 + 1 + 5, and 5 more for the second
    assert found.seconds == pytest.approx(0.016)


@given(
    rates=st.dictionaries(st.sampled_from("abc"), st.floats(0.5, 50), min_size=1), seconds=st.integers(1, 5),
    devices=st.integers(1, 3), seed=st.integers(0, 9),
)  # fmt: skip
def test_every_request_is_answered_and_no_device_works_more_than_all_the_time(
    rates: dict[str, float], seconds: int, devices: int, seed: int
) -> None:
    routes = {name: [[Step(device=k, task=task(name, ord(name), run=3.0))] for k in range(devices)] for name in rates}
    for requests in (periodic(rates, seconds), at_random(rates, seconds, seed)):
        found = run(requests, routes, devices)
        assert sum(waits.count for waits in found.waits.values()) == len(requests)
        assert all(0 <= share <= 1 + 1e-9 for share in found.busy)
        for waits in found.waits.values():
            assert waits.median + 1e-6 >= 3.0
            assert waits.median <= waits.p95 <= waits.p99 <= waits.most


def test_calls_come_at_their_rate_and_at_random_ones_are_the_same_each_time() -> None:
    assert len(periodic({"a": 30.0, "b": 2.0}, 10)) == 320
    assert at_random({"a": 30.0}, 10, 4) == at_random({"a": 30.0}, 10, 4)
    assert 200 < len(at_random({"a": 30.0}, 10, 4)) < 400


def test_no_requests_are_no_failure() -> None:
    assert run([], {}, 1).keeps_up

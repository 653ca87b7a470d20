"""How long is waited, with a clock that is told what time it is; one test with real threads."""

from __future__ import annotations

import threading

import pytest

from edgetpu_build.store.remote.patience import PROMPT, RATE, Patience, Wait
from edgetpu_build.store.remote.place import TroubleError


def after(patience: Patience, *ends: tuple[float, float]) -> float:
    """What a request that starts long after these (start, end) of silence may take."""
    for start, end in ends:
        patience.charge(Wait(start), end)
    return patience.left(Wait(1000), 1000)


def test_all_silence_of_a_run_is_added_up() -> None:
    assert after(Patience(2), (0, 0.5), (1, 1.5)) == pytest.approx(1)
    assert after(Patience(2), (0, 1), (5, 6)) == pytest.approx(0)


def test_prompt_answers_are_for_free() -> None:
    assert after(Patience(2), *[(n, n + PROMPT) for n in range(100)]) == 2


def test_silence_at_the_same_time_counts_once() -> None:
    assert after(Patience(2), *[(10, 11)] * 8) == pytest.approx(1)
    assert after(Patience(2), (10, 11), (10.5, 11.5)) == pytest.approx(0.5)


def test_no_single_silence_is_longer_than_all() -> None:
    patience, wait = Patience(2), Wait(0)
    assert patience.left(wait, 0.5) == pytest.approx(1.5)
    patience.charge(Wait(0.1), 0.9)
    assert patience.left(wait, 2) <= 0


def test_bytes_earn_the_time_that_they_take() -> None:
    patience, wait = Patience(2), Wait(0)
    for second in range(1, 100):
        patience.note(wait, RATE, second)
    assert patience.left(wait, 99) == 2
    patience.charge(wait, 99)
    assert patience.left(Wait(1000), 1000) == 2


def test_a_drip_earns_nothing() -> None:
    patience, wait = Patience(2), Wait(0)
    for step in range(1, 20):
        patience.note(wait, 1, step / 10)
    assert patience.left(wait, 1.9) == pytest.approx(0.1, abs=0.01)


def test_what_arrived_before_does_not_pay_for_silence_after() -> None:
    patience, wait = Patience(2), Wait(0)
    patience.note(wait, 100 * RATE, 0.1)
    assert patience.left(wait, 2.2) <= 0


def test_nobody_waits_for_what_never_ends_and_nobody_asks_again() -> None:
    patience, never = Patience(0.05), threading.Event()
    others: list[BaseException] = []

    def other() -> None:
        with pytest.raises(TroubleError) as caught:
            patience.ask(lambda _progress: never.wait())
        others.append(caught.value)

    threads = [threading.Thread(target=other) for _ in range(3)]
    for thread in threads:
        thread.start()
    with pytest.raises(TroubleError, match="did not answer"):
        patience.ask(lambda _progress: never.wait())
    for thread in threads:
        thread.join()
    assert len(others) == 3
    started: list[int] = []
    with pytest.raises(TroubleError):
        patience.ask(lambda _progress: started.append(1))
    never.set()
    assert not started


def test_answers_and_failures_come_through() -> None:
    patience = Patience(60)
    assert patience.ask(lambda _progress: 7) == 7
    with pytest.raises(ZeroDivisionError):
        patience.ask(lambda _progress: 1 // 0)
    patience.end()
    with pytest.raises(TroubleError):
        patience.ask(lambda _progress: 7)

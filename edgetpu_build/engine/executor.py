"""Compiles at the same time, each in a process that may be killed or die without harm to the others.

A slot is a thread that owns at most one worker process; it waits for the store's locks and for its worker, while the
main thread waits for results and can be interrupted. A worker is a group of processes of its own: a compile that takes
too long is killed with all its children, and so is everything when the build is interrupted.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from edgetpu_build.compiler.interface import Backend, Progress, Request, Result
from edgetpu_build.errors import EdgeTpuBuildError, error
from edgetpu_build.units import format_duration

if TYPE_CHECKING:
    from types import FrameType

SMALL = 8 << 20
"""Bytes of models up to which a compile is over soon enough, and its memory small enough, to need no process."""

GRACE = 1.0
"""Seconds that a backend has to end itself at its time limit, and to say more than we could."""

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


class Compile(Protocol):
    """How a compile is done, wherever. ``key``: its fingerprint, by which a farm knows that two ask for the same."""

    def __call__(
        self, backend: Backend, request: Request, timeout: float, progress: Progress, *, key: str
    ) -> Result: ...


Each = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]


@contextmanager
def compiling(weights: Sequence[int], jobs: int, farm: str = "") -> Iterator[tuple[Each, Compile]]:
    """How to go through a number of units of so many bytes, and how to compile one. ``jobs`` 0: one a processor.

    A lone small unit is compiled in this process, which saves starting another; all else in processes of its own.
    ``farm``: the address of a scheduler whose workers compile instead.
    """
    if farm:
        from edgetpu_build.engine.farm import ROOM, Farm

        with Farm(farm) as workers:
            yield partial(in_slots, slots=min(jobs or ROOM, len(weights))), workers.compile
        return
    if len(weights) == 1 and weights[0] <= SMALL and _can_alarm():
        yield in_turn, here
        return
    slots = min(jobs or processors(), len(weights))
    from edgetpu_build.engine.workers import Workers

    with Workers() as workers:
        yield (in_turn if slots <= 1 else partial(in_slots, slots=slots)), workers.compile


def in_turn(do: Callable[[_Item], _Answer], items: Iterable[_Item]) -> Iterator[_Answer]:
    """One after the other, in this thread."""
    return map(do, items)


def in_slots(do: Callable[[_Item], _Answer], items: Iterable[_Item], slots: int) -> Iterator[_Answer]:
    """Answers as they come. Closing the iterator starts nothing more. What ``do`` raises is raised here."""
    from queue import SimpleQueue

    answers: SimpleQueue[tuple[bool, Any] | None] = SimpleQueue()
    waiting, lock, stop = iter(items), threading.Lock(), threading.Event()

    def take() -> Iterator[_Item]:
        while not stop.is_set():
            with lock:
                item = next(waiting, lock)
            if item is lock:
                return
            yield item  # type: ignore[misc]

    def slot() -> None:
        try:
            for item in take():
                answers.put((True, do(item)))
        except BaseException as failure:  # noqa: BLE001 - raised again where it can be seen
            answers.put((False, failure))
        finally:
            answers.put(None)

    threads = [threading.Thread(target=slot, daemon=True) for _ in range(slots)]
    for thread in threads:
        thread.start()
    running = slots
    try:
        while running:
            answer = answers.get()
            if answer is None:
                running -= 1
            elif answer[0]:
                yield answer[1]
            else:
                raise answer[1]
    finally:
        stop.set()


def here(backend: Backend, request: Request, timeout: float, progress: Progress, *, key: str = "") -> Result:
    """Compile in this process, which saves starting one; only in the main thread, where a timer can end it."""
    with _alarm(timeout):
        return backend.compile(request, timeout=timeout, progress=progress)


def took_too_long(timeout: float) -> EdgeTpuBuildError:
    """ETB313 for a compile that was stopped at its time limit."""
    return error("ETB313", f"the compile was stopped after {format_duration(timeout)}", "raise `timeout`")


def _can_alarm() -> bool:
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


def processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


@contextmanager
def _alarm(timeout: float) -> Iterator[None]:
    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise took_too_long(timeout)

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, timeout)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

"""How long a build waits for a store that does not answer: two seconds, all waits of the run together.

What counts is the time in which nothing comes. A slow line that keeps bringing bytes is waited for; a server that is
silent, or lets a byte drop now and then, uses the patience up, and nobody asks it again in this run. Each request runs
in a thread of its own, since neither a name lookup nor a hanging file system can be told to stop: whoever waits leaves
it behind.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from edgetpu_build.store.remote.place import Progress, TroubleError

SECONDS = 1.8
"""Two are promised; the rest is for starting threads and loading modules."""
PROMPT = 0.25
"""Seconds of latency that are for free: an object store on another continent is no sick one."""
RATE = 128 << 10
"""Bytes a second below which a line counts as silent."""

_Answer = TypeVar("_Answer")


class Wait:
    """One request: since when nothing came, and for how long nothing came before that."""

    def __init__(self, now: float) -> None:
        self.since, self.idle = now, 0.0
        self.done = False
        self.answer: Any = None
        self.failure: Exception | None = None

    def idle_at(self, now: float) -> float:
        return self.idle + max(0.0, now - self.since)


class Patience:
    """What is left of ``seconds``. ``over``: it was used up (or ended), and everything is refused from now on."""

    def __init__(self, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds, self.over = seconds, False
        self._clock, self._spent, self._counted = clock, 0.0, float("-inf")
        self._changed = threading.Condition()

    def ask(self, act: Callable[[Progress], _Answer]) -> _Answer:
        """What ``act`` answers or raises. TroubleError if it does not in time, or another one did not before.

        ``act`` calls its argument with the number of bytes that came or went since it last did.
        """
        wait = Wait(self._clock())
        if not self.over:
            threading.Thread(target=self._run, args=(wait, act), daemon=True).start()
        with self._changed:
            while not wait.done:
                left = self.left(wait, self._clock())
                if self.over or left <= 0:
                    self._end()
                    raise TroubleError(f"it did not answer within {self.seconds:g} s", final=True)
                self._changed.wait(left)
            self.charge(wait, self._clock())
        if wait.failure:
            raise wait.failure
        answer: _Answer = wait.answer
        return answer

    def end(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._end()

    def note(self, wait: Wait, count: int, now: float) -> None:
        """``count`` bytes came: the time that they may take is not idle."""
        wait.idle += max(0.0, now - wait.since - count / RATE)
        wait.since = now

    def left(self, wait: Wait, now: float) -> float:
        """Seconds that a request may go on with nothing coming. Of waits at the same time, the time counts once."""
        idle = wait.idle_at(now)
        counted = max(0.0, self._counted - (now - idle))
        return self.seconds - max(idle, self._spent + idle - counted)

    def charge(self, wait: Wait, now: float) -> None:
        """A request has ended: what it kept us waiting is used up, unless it was prompt."""
        idle = wait.idle_at(now)
        if idle > PROMPT:
            self._spent += max(0.0, now - max(now - idle, self._counted))
            self._counted = max(self._counted, now)

    def _run(self, wait: Wait, act: Callable[[Progress], Any]) -> None:
        def progress(count: int) -> None:
            with self._changed:
                self.note(wait, count, self._clock())

        answer, failure = None, None
        try:
            answer = act(progress)
        except Exception as raised:  # noqa: BLE001 - raised again where somebody waits for it
            failure = raised
        with self._changed:
            wait.answer, wait.failure, wait.done = answer, failure, True
            self._changed.notify_all()

    def _end(self) -> None:
        self.over = True
        self._changed.notify_all()

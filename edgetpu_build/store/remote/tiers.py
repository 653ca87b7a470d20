"""The shared stores behind the local one, nearest first. A hit fills those before it; what was compiled goes to all.

What is found is believed byte by byte only: a record and its blobs are whole and right, or they are a miss. Uploads
wait until the build has done its own work. They are read from the local store one by one, so the queue is as small as
its names.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from edgetpu_build.store.record import Record
from edgetpu_build.store.remote import tally
from edgetpu_build.store.remote.tier import Contents, Counts, Tier

if TYPE_CHECKING:
    from edgetpu_build.store.content import Store

UPLOADS = 4
"""At a time; so many blobs are in memory."""

_Made = TypeVar("_Made")
Accept = Callable[[Record, Contents], "_Made | None"]


class Tiers:
    """``store`` is the local one: it keeps what is found, and has what is sent."""

    def __init__(self, store: Store, tiers: Sequence[Tier]) -> None:
        self.tiers = tuple(tiers)
        self._store = store
        self._asked: set[str] = set()
        self._waiting: dict[str, tuple[Tier, ...]] = {}
        self._before = (0, 0)

    def fetch(self, fingerprint: str, accept: Accept[_Made]) -> _Made | None:
        """What ``accept`` makes of the first good record, by then in the local store. Asked once a run for each.

        ``accept`` answers None for a record that is not what it should be: the next store is asked.
        """
        if fingerprint in self._asked:
            return None
        self._asked.add(fingerprint)
        for position, tier in enumerate(self.tiers):
            found = tier.get(fingerprint, self._store.read)
            made = accept(*found) if found else None
            if found and made is not None:
                tier.count(hits=1)
                self._store.put(fingerprint, found[1], found[0].facts, durable=False)
                self._queue(fingerprint, self.tiers[:position])
                return made
            if found:
                tier.trouble(f"what it has for {fingerprint[:12]}… is not what this unit makes")
        return None

    def offer(self, fingerprint: str) -> None:
        """Send a unit that the local store has just kept, when the build is done."""
        self._queue(fingerprint, self.tiers)

    def flush(self) -> None:
        """Send what waits, and add this run's counts to those that are kept. Never fails."""
        waiting: SimpleQueue[tuple[str, tuple[Tier, ...]]] = SimpleQueue()
        for entry in self._waiting.items():
            waiting.put(entry)
        threads = [
            threading.Thread(target=self._send, args=(waiting,), daemon=True)
            for _ in range(min(UPLOADS, len(self._waiting)))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._waiting.clear()
        for tier in self.tiers:
            tier.close()
        if self._asked or threads:
            self._asked.clear()
            tally.add(self._store, self._counts())

    def _queue(self, fingerprint: str, tiers: Sequence[Tier]) -> None:
        if writable := tuple(tier for tier in tiers if tier.writes):
            self._waiting[fingerprint] = writable

    def _send(self, waiting: SimpleQueue[tuple[str, tuple[Tier, ...]]]) -> None:
        while True:
            try:
                fingerprint, tiers = waiting.get_nowait()
            except Empty:
                return
            record = self._store.peek(fingerprint)
            for tier in tiers if record else ():
                assert record is not None  # noqa: S101 - as the loop says
                tier.put(record, self._store.read)

    def _counts(self) -> Mapping[str, Counts]:
        """Since the last flush."""
        hits, misses = self._store.counters.hits, self._store.counters.misses
        counts = {tally.LOCAL: Counts(hits=hits - self._before[0], misses=misses - self._before[1])}
        self._before = (hits, misses)
        for tier in self.tiers:
            counts[tier.name], tier.counts = tier.counts, Counts()
        return counts

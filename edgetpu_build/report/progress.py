"""What a long build is doing, on stderr: one line rewritten in place on a terminal, a few plain lines elsewhere.

A short build shows nothing: what is over in a blink needs no progress.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from edgetpu_build.report.style import printable, shorten

_TERMINAL_DELAY = 0.3
_PLAIN_DELAY = 2.0
_PLAIN_PAUSE = 5.0


class Progress:
    """Owns the last line of the terminal until `close`. Call it with what is being done."""

    def __init__(
        self,
        stream: TextIO,
        *,
        terminal: bool,
        columns: int = 80,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._terminal = terminal
        self._columns = columns
        self._clock = clock
        self._shown_after = clock() + (_TERMINAL_DELAY if terminal else _PLAIN_DELAY)
        self._last = ""
        self._done = 0

    def __call__(self, message: str) -> None:
        if self._clock() < self._shown_after or message == self._last:
            return
        self._last = message
        if self._terminal:
            self._write(f"\r\x1b[2K{shorten(printable(message), self._columns - 1)}")
        else:
            self._shown_after = self._clock() + _PLAIN_PAUSE
            self._write(f"{printable(message)}\n")

    def unit(self, name: str, doing: str) -> None:
        """As a build reports: a unit's name and what happens to it; counts those that are done."""
        self._done += doing in ("done", "failed")
        done = f"{self._done} done, " if self._done else ""
        self(f"{done}{name}: {doing}")

    def close(self) -> None:
        """The terminal's line is free again."""
        if self._terminal and self._last:
            self._write("\r\x1b[2K")
        self._last = ""

    def _write(self, piece: str) -> None:
        try:
            self._stream.write(piece)
            self._stream.flush()
        except OSError:
            self._terminal = False
            self._shown_after = float("inf")

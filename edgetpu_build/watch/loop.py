"""The loop of `watch`: build, wait for hints, let them settle, look whether anything changed, build again.

Time and events come from outside, so a test never sleeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgetpu_build.engine.outcome import Outcome
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.watch.events import Events, Hint
from edgetpu_build.watch.seen import Looker

QUIET = 0.1
MOST = 2.0
IDLE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds. ``quiet``: how long no hint may come before a look; ``writing``: as long as a file is being written;
    ``most``: a look is never put off longer; ``idle``: how often the watched folders themselves are looked at."""

    quiet: float = QUIET
    writing: float = 1.0
    most: float = MOST
    idle: float = IDLE


class Watch:
    """Owns what was seen last. ``build`` never raises what a user should read; it is told by the outcome."""

    def __init__(
        self,
        looker: Looker,
        events: Events,
        build: Callable[[], Outcome],
        *,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._looker = looker
        self._events = events
        self._build = build
        self._patience = patience or Patience()
        self._clock = clock
        self._scope = looker.scope()
        self._seen: Mapping[str, str] = {}

    def build(self) -> Outcome:
        """Build now. What is on disk before is what was built; outputs and lock count as the build left them."""
        self._scope = self._looker.scope()
        self._events.watch(self._scope.folders)
        before = self._looker.digests(self._scope)
        outcome = self._build()
        self._looker.built(outcome)
        self._scope = self._looker.scope()
        self._events.watch(self._scope.folders)
        after = self._looker.digests(self._scope)
        self._seen = {path: after[path] if path in self._scope.ours else before.get(path, "") for path in after}
        return outcome

    def next(self) -> Outcome | None:
        """Wait for something to happen; the outcome if it led to a build, None if it did not."""
        if not self._something():
            return None
        return self.build() if self._changed() else None

    def _something(self) -> bool:
        """True when hints have come and settled, or a watched folder is another one than it was."""
        hint = self._events.wait(self._patience.idle)
        if hint is None:
            return self._events.watch(self._scope.folders)
        return self._settle(hint)

    def _settle(self, hint: Hint | None) -> bool:
        """Take hints until none comes for a while; whether any of them concerns us."""
        first = last = self._clock()
        writing: set[str] = set()
        concerned = False
        while True:
            if hint and self._scope.concerns(hint.path, folder=hint.folder):
                concerned = True
                last = self._clock()
                (writing.add if hint.writing else writing.discard)(hint.path)
            if not concerned:
                return False
            quiet = self._patience.writing if writing else max(self._patience.quiet, self._events.least)
            left = min(first + self._patience.most, last + quiet) - self._clock()
            hint = self._events.wait(left) if left > 0 else None
            if hint is None:
                return True

    def _changed(self) -> bool:
        self._scope = self._looker.scope()
        if self._events.watch(self._scope.folders):
            self._scope = self._looker.scope()  # what came into a new folder before it was watched
        return self._looker.digests(self._scope) != self._seen


def builder(root: Path, env: Mapping[str, str], names: Sequence[str] = ()) -> Callable[[], Outcome]:
    """A build as the command does it, from the configuration as it stands at each call."""

    def build() -> Outcome:
        from edgetpu_build.engine import build as engine
        from edgetpu_build.engine.project import Project

        try:
            return replace(engine.build(Project.load(root, env), names), command="watch")
        except EdgeTpuBuildError as problem:
            return Outcome(command="watch", diagnostics=problem.diagnostics)

    return build

"""A project on disk, and a world whose time passes only while the watcher waits."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path

import pytest

from edgetpu_build.config.load import load
from edgetpu_build.engine.outcome import MemberOutcome, Outcome, Output, UnitOutcome
from edgetpu_build.errors import Diagnostic, EdgeTpuBuildError
from edgetpu_build.figure import Figures
from edgetpu_build.watch.events import Hint
from edgetpu_build.watch.loop import Watch
from edgetpu_build.watch.seen import Looker


class World:
    """The clock and the events of a test. ``at(seconds, action, *paths)`` does something and tells of it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.least = 0.0
        self.watched: set[str] = set()
        self._order = itertools.count()
        self._plans: list[tuple[float, int, Callable[[], object] | None, Hint | None]] = []

    def clock(self) -> float:
        return self.now

    def at(self, when: float, action: Callable[[], object] | None, *hints: Hint | Path) -> None:
        told = [hint if isinstance(hint, Hint) else Hint(path=str(hint)) for hint in hints]
        for hint in told or [None]:
            heapq.heappush(self._plans, (when, next(self._order), action, hint))
            action = None

    def watch(self, folders: Iterable[str]) -> bool:
        new = set(folders) - self.watched
        self.watched = set(folders)
        return bool(new)

    def wait(self, seconds: float) -> Hint | None:
        end = self.now + seconds
        while self._plans and self._plans[0][0] <= end:
            when, _, action, hint = heapq.heappop(self._plans)
            self.now = max(self.now, when)
            if action:
                action()
            if hint:
                return hint
        self.now = end
        return None

    def close(self) -> None: ...


class Bench:
    """A project with a builder that "compiles" by appending to the source; it fails on a source that says so."""

    def __init__(self, root: Path, body: str) -> None:
        self.root = root
        self.world = World()
        self.builds: list[float] = []
        self.during: list[Callable[[], object]] = []
        (root / "models").mkdir()
        self.configure(body)
        self.watch = Watch(Looker(root, {}), self.world, self._build, clock=self.world.clock)

    def configure(self, body: str) -> None:
        (self.root / "pyproject.toml").write_text("[tool.edgetpu]\n" + body)

    def write(self, path: str, data: str) -> Callable[[], object]:
        return lambda: (self.root / path).write_text(data)

    def path(self, name: str) -> Path:
        return self.root / name

    def run(self, until: float) -> list[Outcome]:
        """Everything that is built until then."""
        made = []
        while self.world.now < until:
            outcome = self.watch.next()
            if outcome is not None:
                made.append(outcome)
        return made

    def _build(self) -> Outcome:
        self.builds.append(self.world.now)
        try:
            config = load(self.root, {})
        except EdgeTpuBuildError as problem:
            return Outcome(command="watch", diagnostics=problem.diagnostics)
        sources = [path for model in config.models for path in sorted(self.root.glob(model.source))]
        units = [self._compile(path) for path in sources if not path.name.endswith("_edgetpu.tflite")]
        for action in self.during:
            action()
        self.during = []
        (self.root / "edgetpu.lock").write_text("".join(f"{unit.name} {unit.state}\n" for unit in units))
        return Outcome(command="watch", units=tuple(units))

    def _compile(self, source: Path) -> UnitOutcome:
        data = source.read_text()
        if "broken" in data:
            problem = Diagnostic(code="ETB302", message="broken")
            return UnitOutcome(name=source.stem, kind="model", state="failed", why="", diagnostics=(problem,))
        target = source.with_name(source.stem + "_edgetpu.tflite")
        made = f"compiled {data}"
        state = "fresh" if target.exists() and target.read_text() == made else "compiled"
        target.write_text(made)
        output = Output(
            path=target.relative_to(self.root).as_posix(), sha256=sha256(made.encode()).hexdigest(), size=len(made)
        )
        member = MemberOutcome(name=source.stem, source=str(source), outputs=(output,), figures=Figures())
        return UnitOutcome(name=source.stem, kind="model", state=state, why="", members=(member,))


@pytest.fixture
def bench(tmp_path: Path) -> Callable[[str], Bench]:
    return lambda body: Bench(tmp_path.resolve(), body)

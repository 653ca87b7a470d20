"""What got better or worse: the figures that the lock held until now against those of this run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from edgetpu_build.engine.outcome import MemberOutcome
from edgetpu_build.figure import Figure, Figures
from edgetpu_build.report import text

Verdict = Literal["better", "worse", "changed"]


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure worth comparing. ``good``: -1 if less of it is better, 1 if more is, 0 if neither."""

    key: str
    title: str
    good: int
    render: Callable[[float], str] = text.count


MEASURES = (
    Measure("off_chip", "off-chip", -1, text.size),
    Measure("on_chip_used", "on-chip", 0, text.size),
    Measure("cpu_operators", "CPU operators", -1),
    Measure("edgetpu_operators", "Edge TPU operators", 1),
    Measure("subgraphs", "Edge TPU subgraphs", -1),
    Measure("latency_ms", "latency", -1, text.milliseconds),
)


@dataclass(frozen=True, slots=True)
class Change:
    measure: Measure
    before: Figure
    after: Figure
    verdict: Verdict

    def sentence(self, arrow: str = "→") -> str:
        """ "off-chip 0 B → 412.0 KiB (worse)"."""
        render = self.measure.render
        moved = f"{text.figure(self.before, render)} {arrow} {text.figure(self.after, render)}"
        return f"{self.measure.title} {moved}" + (f" ({self.verdict})" if self.verdict != "changed" else "")

    @property
    def delta(self) -> str:
        """The difference with its sign, `?` where one side is unknown."""
        if self.before.value is None or self.after.value is None:
            return "?"
        return text.signed(self.after.value - self.before.value, self.measure.render)


def between(before: Figures | None, after: Figures) -> tuple[Change, ...]:
    """Every measure whose number moved; what is unknown on either side says nothing."""
    if before is None:
        return ()
    pairs = ((m, getattr(before, m.key), getattr(after, m.key)) for m in MEASURES)
    return tuple(Change(m, old, new, _verdict(m, old, new)) for m, old, new in pairs if _moved(old, new))


def of(member: MemberOutcome) -> tuple[Change, ...]:
    return between(member.before, member.figures)


def _moved(old: Figure, new: Figure) -> bool:
    return old.value is not None and new.value is not None and old.value != new.value


def _verdict(measure: Measure, old: Figure, new: Figure) -> Verdict:
    direction = ((new.value or 0) - (old.value or 0)) * measure.good
    return "better" if direction > 0 else "worse" if direction < 0 else "changed"

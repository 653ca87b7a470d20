"""The line that a rebuild is worth."""

from __future__ import annotations

from edgetpu_build.engine.outcome import MemberOutcome, Outcome, UnitOutcome
from edgetpu_build.errors import Diagnostic
from edgetpu_build.figure import Figures, estimated, exact
from edgetpu_build.report.style import Style
from edgetpu_build.watch import lines

NOW = Figures(on_chip_used=exact(3 << 20), off_chip=exact(12 << 10), cpu_operators=exact(2), latency_ms=estimated(4))
STYLE = Style(color=False, unicode=True, width=None)


def outcome(state: str, before: Figures | None = None) -> Outcome:
    member = MemberOutcome(name="a", source="a.tflite", outputs=(), figures=NOW, before=before)
    problem = (Diagnostic(code="ETB302", message="broken"),) if state == "failed" else ()
    unit = UnitOutcome(
        name="a", kind="model", state=state, why="", seconds=0.118, members=(member,), diagnostics=problem
    )
    return Outcome(command="watch", units=(unit,))


def told(found: Outcome, **more: bool) -> list[str]:
    return list(lines.of(found, "14:03:05", STYLE, **more))


def test_a_compile_has_its_memory() -> None:
    assert told(outcome("compiled")) == ["14:03:05  a  compiled in 118 ms  on-chip 3.00 MiB  off-chip 12.0 KiB"]


def test_what_got_worse_is_told_and_nothing_else() -> None:
    before = Figures(on_chip_used=exact(2 << 20), off_chip=exact(0), cpu_operators=exact(3), latency_ms=exact(4))
    assert told(outcome("compiled", before))[0].endswith("  worse: off-chip 0 B → 12.0 KiB")


def test_a_failure_has_no_figures() -> None:
    assert told(outcome("failed")) == ["14:03:05  a  failed"]


def test_what_is_fresh_is_not_told() -> None:
    assert told(outcome("fresh")) == []


def test_but_that_all_is_well_again_is() -> None:
    assert told(outcome("fresh"), failed_before=True) == ["14:03:05  up to date again"]
    assert len(told(outcome("compiled"), failed_before=True)) == 1
    assert len(told(outcome("failed"), failed_before=True)) == 1

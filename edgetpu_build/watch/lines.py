"""What `watch` prints of a rebuild: a line a unit that was touched, with its memory and what got worse."""

from __future__ import annotations

from collections.abc import Iterator

from edgetpu_build import units
from edgetpu_build.engine.outcome import Outcome, UnitOutcome
from edgetpu_build.report import changes, rows, text
from edgetpu_build.report.style import PLAIN, Style, printable

_COLORS = {"compiled": "green", "cached": "cyan", "failed": "red", "stale": "yellow"}


def of(outcome: Outcome, when: str, style: Style = PLAIN, *, failed_before: bool = False) -> Iterator[str]:
    """One line for each unit that is not just fresh; one in all when what failed before is well again."""
    touched = [unit for unit in outcome.units if unit.state != "fresh"]
    for unit in touched:
        yield f"{style.paint(when, 'dim')}  {_line(unit, style)}"
    if failed_before and not touched and not outcome.exit_code:
        yield f"{style.paint(when, 'dim')}  {style.paint('up to date again', 'green')}"


def _line(unit: UnitOutcome, style: Style) -> str:
    parts = [printable(unit.name), style.paint(unit.state, _COLORS[unit.state])]
    if unit.state in ("failed", "stale"):
        return "  ".join(parts)
    figures = next(rows.of([unit])).figures
    parts[1] += f" in {units.format_duration(unit.seconds)}"
    parts.append(f"on-chip {text.figure(figures.on_chip_used, text.size)}")
    parts.append(f"off-chip {text.figure(figures.off_chip, text.size)}")
    worse = [change for member in unit.members for change in changes.of(member) if change.verdict == "worse"]
    if worse:
        told = ", ".join(change.sentence(style.glyph("→", "->")).removesuffix(" (worse)") for change in worse)
        parts.append(style.paint(f"worse: {told}", "red"))
    return "  ".join(parts)

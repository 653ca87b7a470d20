"""Tables for pull requests and job summaries: GitHub's Markdown, readable as plain text too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from edgetpu_build.engine.outcome import Outcome
from edgetpu_build.engine.why import Cause
from edgetpu_build.report import diagnostics, difference, human, rows
from edgetpu_build.report.rows import COLUMNS
from edgetpu_build.report.style import printable


def cell(value: str) -> str:
    """Safe inside a table: no pipe, no line end, no tag."""
    safe = printable(value).replace("\\", "\\\\").replace("|", "\\|")
    return safe.replace("<", "&lt;").replace("`", "\\`")


def table(titles: Sequence[str], lines: Iterable[Sequence[str]], right: Sequence[bool]) -> str:
    """A pipe table; ``right``: which columns hold numbers."""
    rule = ["--:" if numbers else "---" for numbers in right]
    return "\n".join(f"| {' | '.join(line)} |" for line in [titles, rule, *lines])


def outcome_table(outcome: Outcome) -> str:
    """The same columns as at the terminal."""
    lines = [
        [("↳ " if row.depth else "") + cell(c.cell(row)) if c.title == "model" else cell(c.cell(row)) for c in COLUMNS]
        for row in rows.of(outcome.units)
    ]
    return table([c.title for c in COLUMNS], lines, [c.right for c in COLUMNS])


def summary(outcome: Outcome, why: Mapping[str, Cause] | None = None) -> str:
    """A job's summary page: the one line, the table, what changed (worst first, with the cause), what is wrong."""
    found = outcome.all_diagnostics
    members = [m for unit in outcome.units for m in unit.members if m.before]
    moved = difference.markdown_table(
        (line for m in members for line in difference.lines(m.name, m.before, m.figures)),
        why,
        {m.name: unit.why for unit in outcome.units for m in unit.members},
    )
    blocks = [f"### edgetpu-build {outcome.command}", human.summary(outcome)]
    if outcome.units:
        blocks.append(outcome_table(outcome))
    if moved:
        blocks.append(moved)
    if found:
        blocks.append("\n".join(f"- **{d.severity}**: {cell(diagnostics.headline(d))} ({d.code})" for d in found))
    return "\n\n".join(blocks) + "\n"

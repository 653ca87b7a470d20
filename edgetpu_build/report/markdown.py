"""Tables for pull requests and job summaries: GitHub's Markdown, readable as plain text too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgetpu_build.engine.outcome import MemberOutcome, Outcome
from edgetpu_build.report import changes, diagnostics, human, rows, text
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


def diff_table(members: Iterable[MemberOutcome]) -> str:
    """What moved against ``before``: a line a figure, worse ones in bold; members that are new say so."""
    lines = [line for member in members for line in _diff_lines(member)]
    if not lines:
        return "No figure changed."
    return table(["model", "figure", "before", "now", "difference"], lines, [False, False, True, True, True])


def summary(outcome: Outcome) -> str:
    """A job's summary page: the one line, the table, what changed, what is wrong."""
    found = outcome.all_diagnostics
    members = [m for unit in outcome.units for m in unit.members if changes.of(m)]
    blocks = [f"### edgetpu-build {outcome.command}", human.summary(outcome)]
    if outcome.units:
        blocks.append(outcome_table(outcome))
    if members:
        blocks.append(diff_table(members))
    if found:
        blocks.append("\n".join(f"- **{d.severity}**: {cell(diagnostics.headline(d))} ({d.code})" for d in found))
    return "\n\n".join(blocks) + "\n"


def _diff_lines(member: MemberOutcome) -> list[list[str]]:
    name = cell(member.name)
    if member.before is None:
        size = text.figure(member.figures.off_chip, text.size)
        return [[name, "off-chip", "", size, "new"]]
    return [
        [
            name,
            change.measure.title,
            text.figure(change.before, change.measure.render),
            text.figure(change.after, change.measure.render),
            f"**{change.delta}**" if change.verdict == "worse" else change.delta,
        ]
        for change in changes.of(member)
    ]

"""`diff` and what a pull request shows: before, now and the difference, one figure a line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from edgetpu_build.engine.diff import Diff, MemberDiff
from edgetpu_build.figure import Figures
from edgetpu_build.report import changes, text
from edgetpu_build.report.changes import Verdict
from edgetpu_build.report.style import PLAIN, Style, pad, printable, width

_TITLES = ("model", "figure", "before", "now", "difference")
_RIGHT = (False, False, True, True, True)
_COLORS = {"better": "green", "worse": "red", "changed": "dim"}


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    figure: str
    before: str
    now: str
    difference: str
    verdict: Verdict = "changed"

    @property
    def cells(self) -> tuple[str, ...]:
        return (self.name, self.figure, self.before, self.now, self.difference)


def lines(name: str, before: Figures | None, after: Figures | None, *, changed: bool = False) -> list[Line]:
    """What moved. A model that is new or gone has its off-chip bytes on one side only."""
    if before is None or after is None:
        sides = [text.figure(side.off_chip, text.size) if side else "" for side in (before, after)]
        return [Line(name, "off-chip", sides[0], sides[1], "new" if before is None else "removed")]
    moved = [
        Line(
            name,
            change.measure.title,
            text.figure(change.before, change.measure.render),
            text.figure(change.after, change.measure.render),
            change.delta,
            change.verdict,
        )
        for change in changes.between(before, after)
    ]
    return moved or ([Line(name, "content", "", "", "changed")] if changed else [])


def human(diff: Diff, style: Style = PLAIN) -> str:
    found = _lines(diff.members)
    if not found:
        return f"nothing changed since `{diff.rev}`"
    rows = [_TITLES, *(tuple(printable(cell) for cell in line.cells) for line in found)]
    widths = [max(width(row[i]) for row in rows) for i in range(len(_TITLES))]
    drawn = [
        "  ".join(pad(c, w, right=r) for c, w, r in zip(row, widths, _RIGHT, strict=True)).rstrip() for row in rows
    ]
    colors = ["dim", *(_COLORS[line.verdict] for line in found)]
    return "\n".join(style.paint(row, color) for row, color in zip(drawn, colors, strict=True))


def markdown(diff: Diff) -> str:
    """A table for a pull request; what is worse is bold."""
    return markdown_table(_lines(diff.members)) or f"No figure changed since `{diff.rev}`."


def markdown_table(found: Iterable[Line]) -> str:
    from edgetpu_build.report.markdown import cell, table

    rows = [[*map(cell, line.cells[:-1]), _emphasised(line)] for line in found]
    return table(_TITLES, rows, _RIGHT) if rows else ""


def to_json(diff: Diff) -> dict[str, Any]:
    """``rev`` and ``members``: name, unit, changed, before and after (figures, or null where it is not there)."""
    return {"rev": diff.rev, "members": [_member(member) for member in diff.members]}


def _lines(members: Iterable[MemberDiff]) -> list[Line]:
    return [line for m in members for line in lines(m.name, m.before, m.after, changed=m.changed)]


def _emphasised(line: Line) -> str:
    return f"**{line.difference}**" if line.verdict == "worse" else line.difference


def _member(member: MemberDiff) -> dict[str, Any]:
    return {
        "name": member.name,
        "unit": member.unit,
        "changed": member.changed,
        "before": member.before.to_json() if member.before else None,
        "after": member.after.to_json() if member.after else None,
    }

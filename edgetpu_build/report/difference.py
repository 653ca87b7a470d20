"""`diff` and what a pull request shows: before, now and the difference, one figure a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edgetpu_build.engine.diff import Diff, MemberDiff
from edgetpu_build.engine.why import Cause
from edgetpu_build.figure import Figures
from edgetpu_build.report import causes, changes, text
from edgetpu_build.report.changes import Verdict
from edgetpu_build.report.style import PLAIN, Style, pad, printable, width

_TITLES = ("model", "figure", "before", "now", "difference")
_RIGHT = (False, False, True, True, True)
_ORDER: tuple[Verdict, ...] = ("worse", "changed", "better")
_COLORS = {"better": "green", "worse": "red", "changed": "dim"}


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    figure: str
    before: str
    now: str
    difference: str
    verdict: Verdict = "changed"
    measure: str = ""
    amount: float = 0.0

    @property
    def cells(self) -> tuple[str, ...]:
        return (self.name, self.figure, self.before, self.now, self.difference)

    @property
    def rank(self) -> tuple[int, int, float]:
        """The worst first: what got worse, by the order of the figures and then by how much."""
        keys = [measure.key for measure in changes.MEASURES]
        at = keys.index(self.measure) if self.measure else len(keys)
        return _ORDER.index(self.verdict), at, -abs(self.amount)


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
            change.measure.key,
            (change.after.value or 0) - (change.before.value or 0),
        )
        for change in changes.between(before, after)
    ]
    return moved or ([Line(name, "content", "", "", "changed")] if changed else [])


def human(diff: Diff, style: Style = PLAIN, why: Mapping[str, Cause] | None = None) -> str:
    """``why``: below the table, a line for each member whose causes are known."""
    found = _lines(diff.members)
    if not found:
        return f"nothing changed since `{diff.rev}`"
    rows = [_TITLES, *(tuple(printable(cell) for cell in line.cells) for line in found)]
    widths = [max(width(row[i]) for row in rows) for i in range(len(_TITLES))]
    drawn = [
        "  ".join(pad(c, w, right=r) for c, w, r in zip(row, widths, _RIGHT, strict=True)).rstrip() for row in rows
    ]
    colors = ["dim", *(_COLORS[line.verdict] for line in found)]
    table = "\n".join(style.paint(row, color) for row, color in zip(drawn, colors, strict=True))
    told = causes.summary((m.name, why[m.name]) for m in diff.members if m.name in why) if why else []
    return "\n\n".join([table, "\n".join(map(printable, told))]) if told else table


def markdown(diff: Diff, why: Mapping[str, Cause] | None = None) -> str:
    """A table for a pull request, worst first; what is worse is bold."""
    return markdown_table(_lines(diff.members), why) or f"No figure changed since `{diff.rev}`."


def markdown_table(
    found: Iterable[Line], why: Mapping[str, Cause] | None = None, otherwise: Mapping[str, str] | None = None
) -> str:
    """``why``: causes by member, for a column of their own. ``otherwise``: what to say of a member without one."""
    from edgetpu_build.report.markdown import cell, table

    ordered = sorted(found, key=lambda line: line.rank)
    rows = [[*map(cell, line.cells[:-1]), _emphasised(line)] for line in ordered]
    if not rows:
        return ""
    told = _once(ordered, [_why(line, why or {}, otherwise or {}) for line in ordered])
    if not any(told):
        return table(_TITLES, rows, _RIGHT)
    rows = [[*row, cell(sentence)] for row, sentence in zip(rows, told, strict=True)]
    return table((*_TITLES, "why"), rows, (*_RIGHT, False))


def to_json(diff: Diff, why: Mapping[str, Cause] | None = None) -> dict[str, Any]:
    """``rev`` and ``members``: name, unit, changed, before and after (figures, or null where it is not there), and with
    ``why`` the causes, or null where they are not known.
    """
    members = [_member(member) for member in diff.members]
    if why is not None:
        for member in members:
            cause = why.get(member["name"])
            member["why"] = causes.to_json(cause) if cause else None
    return {"rev": diff.rev, "members": members}


def _lines(members: Iterable[MemberDiff]) -> list[Line]:
    return [line for m in members for line in lines(m.name, m.before, m.after, changed=m.changed)]


def _once(ordered: Iterable[Line], sentences: Iterable[str]) -> list[str]:
    """A sentence that a row of the same model says already is not said again."""
    said: set[tuple[str, str]] = set()
    told = []
    for line, sentence in zip(ordered, sentences, strict=True):
        told.append("as above" if sentence and (line.name, sentence) in said else sentence)
        said.add((line.name, sentence))
    return told


def _why(line: Line, why: Mapping[str, Cause], otherwise: Mapping[str, str]) -> str:
    cause = why.get(line.name)
    return (causes.sentence(cause, line.measure) if cause else "") or otherwise.get(line.name, "")


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

"""An outcome as lines of a table, and the one list of its columns: terminal and Markdown differ in drawing only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from edgetpu_build import units
from edgetpu_build.engine.outcome import MemberOutcome, SegmentOutcome, UnitOutcome
from edgetpu_build.figure import UNKNOWN, Figure, Figures, total
from edgetpu_build.report import text


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """``depth``: 0 for a unit, 1 for a group's member or a segment. ``segments`` 0: not cut, or not known."""

    name: str
    figures: Figures
    depth: int = 0
    state: str = ""
    why: str = ""
    segments: int = 0
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """``right``: numbers. ``keep``: the last ones to go when a terminal is narrow have the highest."""

    title: str
    cell: Callable[[Row], str]
    right: bool = True
    keep: int = 9


def _figure(row: Row, key: str, render: Callable[[float], str] = text.count) -> str:
    """Nothing for a unit that failed: it has no figures, which is more than not knowing them."""
    value: Figure = getattr(row.figures, key)
    return "" if row.state == "failed" and value.value is None else text.figure(value, render)


def _time(row: Row) -> str:
    return "" if row.seconds is None else units.format_duration(row.seconds)


def _segments(row: Row) -> str:
    return str(row.segments) if row.segments else "" if row.depth else "1"


COLUMNS = (
    Column("model", lambda row: row.name, right=False),
    Column("state", lambda row: row.state, right=False),
    Column("on-chip", lambda row: _figure(row, "on_chip_used", text.size)),
    Column("off-chip", lambda row: _figure(row, "off_chip", text.size)),
    Column("on CPU", lambda row: _figure(row, "cpu_operators"), keep=8),
    Column("segments", _segments, keep=7),
    Column("time", _time, keep=6),
)


def of(units: Iterable[UnitOutcome]) -> Iterator[Row]:
    """A line a unit; below a group its members, below a segmented model its segments."""
    for unit in units:
        parts = list(_parts(unit))
        yield Row(
            name=unit.name,
            state=unit.state,
            why=unit.why,
            figures=_sum(unit),
            segments=sum(len(m.segments) for m in unit.members),
            seconds=unit.seconds if unit.state in ("compiled", "failed") or unit.seconds else None,
        )
        yield from parts


def _parts(unit: UnitOutcome) -> Iterator[Row]:
    for member in unit.members:
        if unit.kind == "group":
            yield Row(name=member.name, depth=1, figures=member.figures)
        if len(member.segments) > 1:
            yield from map(_segment, member.segments)


def _segment(segment: SegmentOutcome) -> Row:
    """Named as its file is."""
    return Row(name=f"segment {segment.index}", depth=1, figures=segment.figures)


def _sum(unit: UnitOutcome) -> Figures:
    """A unit's own figures: its only member's, or the sum over its members."""
    members = [_whole(m) for m in unit.members]
    if len(members) == 1:
        return members[0]
    return _added(members)


def _whole(member: MemberOutcome) -> Figures:
    """A segmented model's figures are its segments' sum where the compiler gave none for the whole."""
    if member.segments and member.figures.off_chip == UNKNOWN:
        return _added([s.figures for s in member.segments])
    return member.figures


def _added(parts: list[Figures]) -> Figures:
    def add(key: str) -> Figure:
        return total(getattr(p, key) for p in parts) if parts else UNKNOWN

    available = max((p.on_chip_available for p in parts), key=lambda f: f.value or 0, default=UNKNOWN)
    keys = ("on_chip_used", "off_chip", "cached_bytes", "streamed_bytes", "edgetpu_operators", "cpu_operators")
    return Figures(on_chip_available=available, subgraphs=add("subgraphs"), **{key: add(key) for key in keys})

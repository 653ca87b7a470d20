"""Are the figures within their bounds? The same question to a compile's result and to the lock.

A bound is one row of a table: where its figure comes from, how it is written, and the way out. A figure that is not
exact decides all the same and says so; with `strict-figures` it decides nothing and fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from edgetpu_build.config.model import Budget
from edgetpu_build.engine.outcome import MemberOutcome, Output
from edgetpu_build.engine.plan import Unit
from edgetpu_build.errors import Diagnostic, error
from edgetpu_build.figure import UNKNOWN, Figure, Figures, estimated, exact, total
from edgetpu_build.units import format_duration, format_size


class Part(NamedTuple):
    """What is judged in one piece: a model, one of its segments, or a whole group."""

    label: str
    figures: Figures
    outputs: tuple[Output, ...]


class Bound(NamedTuple):
    """One budget key. ``each``: segments are judged one by one. ``floor``: it is a minimum."""

    key: str
    says: str
    way_out: str
    figure: Callable[[Part], Figure]
    write: Callable[[float], str]
    each: bool = False
    floor: bool = False

    def limit(self, budget: Budget) -> float | None:
        value: float | None = getattr(budget, self.field)
        return value

    @property
    def field(self) -> str:
        return "min_edgetpu_operators" if self.floor else self.key.replace("-", "_")


def _count(value: float) -> str:
    return str(int(value))


def _size(value: float) -> str:
    return format_size(value) if value != int(value) or value >= 1024 else f"{int(value)} B"


def _duration(seconds: float) -> str:
    """Three digits below a second: what is judged are fractions of milliseconds."""
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else format_duration(seconds)


def _artifact_size(part: Part) -> Figure:
    return exact(sum(output.size for output in part.outputs))


def _latency(part: Part) -> Figure:
    ms = part.figures.latency_ms
    return UNKNOWN if ms.value is None else Figure(ms.value / 1000, ms.confidence)


BOUNDS = (
    Bound(
        key="off-chip",
        says="streams {found} of parameters from off-chip memory per inference",
        way_out="cut it with `segments`, make the model smaller, or raise `off-chip`",
        figure=lambda part: part.figures.off_chip,
        write=_size,
        each=True,
    ),
    Bound(
        key="on-chip",
        says="caches {found} of parameters on-chip",
        way_out="make the model smaller, or raise `on-chip`",
        figure=lambda part: part.figures.on_chip_used,
        write=_size,
        each=True,
    ),
    Bound(
        key="cpu-operators",
        says="leaves {found} operators on the CPU",
        way_out="`edgetpu-build inspect` says which and why; change the model, or raise `cpu-operators`",
        figure=lambda part: part.figures.cpu_operators,
        write=_count,
    ),
    Bound(
        key="edgetpu-operators",
        says="has {found} operators on the Edge TPU",
        way_out="`edgetpu-build inspect` says what keeps the others off; change the model, or lower `min`",
        figure=lambda part: part.figures.edgetpu_operators,
        write=_count,
        floor=True,
    ),
    Bound(
        key="subgraphs",
        says="has {found} Edge TPU subgraphs",
        way_out="replace the operators that break it up, or raise `subgraphs`",
        figure=lambda part: part.figures.subgraphs,
        write=_count,
    ),
    Bound(
        key="artifact-size",
        says="is {found} long when compiled",
        way_out="make the model smaller, or raise `artifact-size`",
        figure=_artifact_size,
        write=_size,
        each=True,
    ),
    Bound(
        key="latency",
        says="is predicted to take {found} per inference",
        way_out="make the model smaller, cut it with `segments`, or raise `latency`",
        figure=_latency,
        write=_duration,
        each=True,
    ),
)


def judge(
    unit: Unit, members: tuple[MemberOutcome, ...], baseline: Mapping[str, Figures] | None = None
) -> tuple[Diagnostic, ...]:
    """Every bound of a unit that is broken (ETB101), or kept or broken by a figure that is not exact (ETB102, a note).

    ``baseline``: figures by member, that growth is measured against; None or a missing member: nothing grew.
    """
    found: list[Diagnostic] = []
    for member, outcome in zip(unit.members, members, strict=True):
        if not _bounds(member.budget) and member.budget.growth is None:
            continue
        parts = _segments(outcome) or (Part(f"`{member.name}`", outcome.figures, outcome.outputs),)
        whole = (Part(f"`{member.name}`", outcome.figures, outcome.outputs),)
        found += _judge(member.budget, parts, whole, unit.name, member.line)
        found += _growth(member.budget, (outcome,), baseline or {}, f"`{member.name}`", unit.name, member.line)
    if unit.kind == "group":
        group = (Part(f"group `{unit.name}`", _sum(members), tuple(o for m in members for o in m.outputs)),)
        found += _judge(unit.budget, group, group, unit.name, unit.line)
        found += _growth(unit.budget, members, baseline or {}, f"group `{unit.name}`", unit.name, unit.line)
    return tuple(found)


def wants_baseline(units: Iterable[Unit]) -> bool:
    """Whether any unit has a `growth` budget."""
    return any(b.growth is not None for unit in units for b in (unit.budget, *(m.budget for m in unit.members)))


def nothing_mapped(unit: Unit, members: tuple[MemberOutcome, ...]) -> tuple[Diagnostic, ...]:
    """ETB308 for each member of which no operator runs on the Edge TPU, unless its budget allows that."""
    return tuple(
        _nothing_mapped(outcome, unit.name, member.line)
        for member, outcome in zip(unit.members, members, strict=True)
        if outcome.figures.edgetpu_operators.value == 0 and member.budget.min_edgetpu_operators != 0
    )


def _nothing_mapped(outcome: MemberOutcome, unit: str, line: int) -> Diagnostic:
    first = next((op for op in outcome.operators if op.target == "cpu"), None)
    reason = f": operator {first.index} ({first.name}): {first.reason or first.status}" if first else ""
    hint = (first.hint if first else "") or "`edgetpu-operators = { min = 0 }` in its budget allows it"
    message = f"no operator of `{outcome.name}` can run on the Edge TPU{reason}"
    rule = first.rule if first else ""
    return error("ETB308", message, hint, unit=unit, file="pyproject.toml", line=line, rule=rule).diagnostics[0]


def _segments(outcome: MemberOutcome) -> tuple[Part, ...]:
    return tuple(Part(f"segment {s.index} of `{outcome.name}`", s.figures, s.outputs) for s in outcome.segments)


def _sum(members: tuple[MemberOutcome, ...]) -> Figures:
    names = ("off_chip", "on_chip_used", "cpu_operators", "edgetpu_operators", "subgraphs", "latency_ms")
    return Figures(**{name: total(getattr(m.figures, name) for m in members) for name in names})


def _judge(
    budget: Budget, parts: tuple[Part, ...], whole: tuple[Part, ...], unit: str, line: int
) -> Iterator[Diagnostic]:
    for bound, limit in _bounds(budget):
        for part in parts if bound.each else whole:
            figure = bound.figure(part)
            told = bound.says.format(found=_written(figure, bound.write))
            amount = bound.write(limit) + (" at least" if bound.floor else "")
            broken = figure.value is not None and (figure.value < limit if bound.floor else figure.value > limit)
            place = (unit, budget.lines.get(bound.key, line))
            yield from _verdict(
                budget, bound.key, figure, f"{part.label} {told}, budget {amount}", bound.way_out, place, broken
            )


@lru_cache(maxsize=256)  # thousands of models have the same
def _bounds(budget: Budget) -> tuple[tuple[Bound, float], ...]:
    limits = ((bound, bound.limit(budget)) for bound in BOUNDS)
    return tuple((bound, limit) for bound, limit in limits if limit is not None)


def _growth(
    budget: Budget,
    members: tuple[MemberOutcome, ...],
    baseline: Mapping[str, Figures],
    label: str,
    unit: str,
    line: int,
) -> Iterator[Diagnostic]:
    known = [(baseline[m.name].off_chip, m.figures.off_chip) for m in members if m.name in baseline]
    if budget.growth is None or not known:
        return
    before, after = total(old for old, _ in known), total(new for _, new in known)
    if before.value is None or after.value is None:
        grown = UNKNOWN
    else:
        sure = before.confidence == after.confidence == "exact"
        grown = (exact if sure else estimated)(after.value - before.value)
    told = f"{label} streams {_written(grown, _size)} more off-chip than the lock had, budget {_size(budget.growth)}"
    broken = grown.value is not None and grown.value > budget.growth
    hint = "`edgetpu-build diff` shows what grew; commit the lock to accept it, or raise `growth`"
    yield from _verdict(budget, "growth", grown, told, hint, (unit, budget.lines.get("growth", line)), broken)


def _verdict(
    budget: Budget, key: str, figure: Figure, told: str, hint: str, place: tuple[str, int], broken: bool
) -> Iterator[Diagnostic]:
    where: dict[str, str | int] = {"file": "pyproject.toml", "line": place[1], "key": f"budget.{key}", "unit": place[0]}
    if broken:
        yield error("ETB101", told, hint, **where).diagnostics[0]
    elif figure.confidence != "exact":
        message = f"{told}: decided by a figure that is {figure.confidence}"
        severity = "error" if budget.strict_figures else "note"
        reason = "`strict-figures` accepts exact figures only" if budget.strict_figures else ""
        yield Diagnostic(code="ETB102", message=message, hint=reason, severity=severity, **where)  # type: ignore[arg-type]


def _written(figure: Figure, write: Callable[[float], str]) -> str:
    if figure.value is None:
        return "an unknown amount"
    return write(figure.value) + ("" if figure.confidence == "exact" else " (estimated)")

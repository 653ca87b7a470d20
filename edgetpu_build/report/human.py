"""An outcome for a person at a terminal: a table, what got better or worse, one line that sums it up.

Diagnostics are not in it: they go to stderr (`diagnostics`), while this is the result itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgetpu_build import units
from edgetpu_build.engine.outcome import Outcome, UnitOutcome
from edgetpu_build.figure import Figures
from edgetpu_build.report import changes, rows, text
from edgetpu_build.report.brief import nothing_to_do
from edgetpu_build.report.rows import COLUMNS, Column, Row
from edgetpu_build.report.style import PLAIN, Style, pad, printable, shorten, width

_STATES = {
    "compiled": ("✓", "+", "green"),
    "cached": ("✓", "+", "cyan"),
    "fresh": ("·", ".", "dim"),
    "stale": ("!", "!", "yellow"),
    "failed": ("✗", "x", "red"),
}
_VERDICTS = {"better": "green", "worse": "red", "changed": "dim"}
_GAP = "  "
_BAR = 12
_MANY = 24


def render(outcome: Outcome, style: Style = PLAIN, *, verbose: bool = False, explain: bool = False) -> str:
    """The whole report, without a last line feed.

    ``explain``: the recorded sentence below each unit. Units with nothing to do are left out of long tables unless
    ``verbose``.
    """
    if not (verbose or explain) and (line := nothing_to_do(outcome)):
        return line
    shown = _worth_showing(outcome.units, verbose=verbose or explain)
    blocks = [
        table(list(rows.of(shown)), style, explain=explain),
        "\n".join(_changed(outcome.units, style)),
        "\n".join(_on_the_cpu(shown, style)),
        summary(outcome, style),
    ]
    return "\n\n".join(block for block in blocks if block)


def table(lines: Sequence[Row], style: Style = PLAIN, *, explain: bool = False) -> str:
    """The rows under their titles, no wider than the terminal, and the legend that they call for."""
    if not lines:
        return ""
    cells = [[_cell(column, row, style) for column in COLUMNS] for row in lines]
    widths = [max(width(c.title), *(width(row[i]) for row in cells)) for i, c in enumerate(COLUMNS)]
    bars = [_bar(row.figures, style) for row in lines]
    kept, widths, with_bar = _fit(widths, style, bar=any(bars))
    out = [style.paint(_line([COLUMNS[i].title for i in kept], kept, widths).rstrip(), "dim")]
    for row, cell, bar in zip(lines, cells, bars, strict=True):
        line = _line([shorten(cell[i], widths[i], style.glyph("…", "..")) for i in kept], kept, widths)
        out.append(_painted(line + (_GAP + bar if with_bar else ""), row, style).rstrip())
        if explain and row.why:
            out.append(style.paint(f"    {printable(row.why)}", "dim"))
    return "\n".join(out + _legend(cells, style, bar=with_bar))


def summary(outcome: Outcome, style: Style = PLAIN) -> str:
    """ "4 units: 2 compiled, 1 cached, 1 fresh, 1 error in 1.2 s", and what was written besides outputs."""
    states = [unit.state for unit in outcome.units]
    counted = [f"{states.count(state)} {state}" for state in _STATES if state in states]
    line = text.plural(len(states), "unit") + (f": {', '.join(counted)}" if counted else "")
    found = [d.severity for d in set(outcome.all_diagnostics)]
    for severity in ("error", "warning"):
        if severity in found:
            line += f", {text.plural(found.count(severity), severity)}"
    if outcome.seconds:
        line += f" in {units.format_duration(outcome.seconds)}"
    if outcome.removed:
        line += f"; removed {', '.join(f'`{printable(path)}`' for path in outcome.removed)}"
    if outcome.lock_changed:
        line += "; wrote `edgetpu.lock`"
    color = "red" if outcome.exit_code else "green"
    return style.paint(line, "bold", color)


def _worth_showing(found: Sequence[UnitOutcome], *, verbose: bool) -> list[UnitOutcome]:
    if verbose or len(found) <= _MANY:
        return list(found)
    return [unit for unit in found if unit.state != "fresh"]


def _cell(column: Column, row: Row, style: Style) -> str:
    value = printable(column.cell(row))
    if column.title == "model":
        return "  " * row.depth + value
    if column.title == "state" and value:
        fancy, plain, _ = _STATES[value]
        return f"{style.glyph(fancy, plain)} {value}"
    return value


def _line(cells: Iterable[str], kept: Sequence[int], widths: Sequence[int]) -> str:
    return _GAP.join(pad(cell, widths[i], right=COLUMNS[i].right) for i, cell in zip(kept, cells, strict=True))


def _fit(widths: Sequence[int], style: Style, *, bar: bool) -> tuple[list[int], list[int], bool]:
    """Which columns stay and how wide: the bar goes first, then the least important column, then long names shrink."""
    kept, fitted = list(range(len(widths))), list(widths)
    if style.width is None:
        return kept, fitted, bar

    def needed() -> int:
        return sum(fitted[i] for i in kept) + len(_GAP) * (len(kept) - 1)

    if bar and needed() + len(_GAP) + _BAR > style.width:
        bar = False
    for i in sorted(kept, key=lambda i: COLUMNS[i].keep)[: len(kept) - 4]:
        if needed() > style.width and fitted[0] <= style.width // 2:
            kept.remove(i)
    fitted[0] = max(8, fitted[0] - max(0, needed() + (len(_GAP) + _BAR if bar else 0) - style.width))
    return kept, fitted, bar


def _bar(figures: Figures, style: Style) -> str:
    """Parameters on the chip, those that stream, and the room left, to scale; empty where a figure is unknown."""
    used, off, room = (f.value for f in (figures.on_chip_used, figures.off_chip, figures.on_chip_available))
    if used is None or off is None or not room or used > room:
        return ""
    scale = _BAR / max(room, used + off)
    streamed = min(_cells(off, scale), _BAR - 1)
    cached = min(_cells(used, scale), _BAR - streamed)
    on, away, free = _shades(style)
    return on * cached + away * streamed + free * (_BAR - cached - streamed)


def _shades(style: Style) -> tuple[str, str, str]:
    return ("█", "▒", "░") if style.unicode else ("#", "%", ".")


def _cells(amount: float, scale: float) -> int:
    """Something is at least one cell, so that a little streaming is seen."""
    return max(1, round(amount * scale)) if amount else 0


def _painted(line: str, row: Row, style: Style) -> str:
    if row.depth or row.state == "fresh":
        return style.paint(line.rstrip(), "dim")
    fancy, plain, color = _STATES.get(row.state, ("", "", "dim"))
    label = f"{style.glyph(fancy, plain)} {row.state}"
    return line.replace(label, style.paint(label, color), 1) if row.state else line


def _legend(cells: Iterable[Sequence[str]], style: Style, *, bar: bool) -> list[str]:
    """Only the signs that were used."""
    numbers = "".join(cell for row in cells for cell in row[2:])
    signs = [f"{sign} {meaning}" for sign, meaning in text.LEGEND.items() if sign in numbers]
    if bar:
        on, away, free = _shades(style)
        signs += [f"{on} on-chip", f"{away} streamed", f"{free} free"]
    return [style.paint(_GAP.join(signs), "dim")] if signs else []


def _changed(found: Iterable[UnitOutcome], style: Style) -> list[str]:
    """A line for each member whose figures moved."""
    lines = []
    for member in (m for unit in found for m in unit.members):
        moved = [
            style.paint(change.sentence(style.glyph("→", "->")), _VERDICTS[change.verdict])
            for change in changes.of(member)
        ]
        if moved:
            lines.append(f"{printable(member.name)}: {', '.join(moved)}")
    return lines


def _on_the_cpu(found: Iterable[UnitOutcome], style: Style) -> list[str]:
    """A line for each member that leaves operators to the CPU: how many, and what stands in the way first."""
    lines = []
    for member in (m for unit in found for m in unit.members):
        left = [operator for operator in member.operators if operator.target == "cpu"]
        blocker = next((operator for operator in left if operator.follows < 0 and operator.reason), None)
        if blocker:
            count = text.plural(len(left), "operator")
            rule = f" (rule `{blocker.rule}`)" if blocker.rule else ""
            name = style.paint(printable(member.name), "bold")
            why = printable(f"first {blocker.index} {blocker.name}{rule}: {blocker.reason}")
            lines.append(f"{name}: {count} on the CPU, {why}")
    return lines

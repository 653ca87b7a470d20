"""`simulate` for a person and for a program: a line a choice, and which to take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgetpu_build.compiler.choices import Choice
from edgetpu_build.latency.workload import Outcome
from edgetpu_build.report import text
from edgetpu_build.report.style import PLAIN, Style, pad, printable, width

Row = tuple[Choice, Outcome]


def best(rows: Sequence[Row]) -> Row:
    """The one to take: of those that keep up the fewest devices, then the shortest waits; else who is least behind."""
    up = [row for row in rows if row[1].keeps_up]
    if up:
        return min(up, key=lambda row: (row[0].devices, _worst(row[1]), row[1].loads))
    return min(rows, key=lambda row: (row[1].behind, row[0].devices))


def human(rows: Sequence[Row], assumes: str, calls: dict[str, float], style: Style = PLAIN) -> str:
    models = list(rows[0][1].waits)
    table = [("", "busy", "loads", "swaps", *(f"{printable(m)} p50 / p95 / p99" for m in models), "streams")]
    for choice, found in rows:
        busy = f"{max(found.busy):.0%}" if found.keeps_up else "overloaded"
        waits = (f"{w.median:.2f} / {w.p95:.2f} / {w.p99:.2f}" for w in found.waits.values())
        streams = text.size(sum(choice.off_chip.values()))
        table.append((choice.name, busy, str(found.loads), str(found.swaps), *waits, streams))
    widths = [max(width(row[i]) for row in table) for i in range(len(table[0]))]
    lines = [f"predicted for {assumes}: {rows[0][1].seconds:.1f} s of {_asked(calls)}; times in ms"]
    for number, row in enumerate(table):
        cells = [pad(cell, widths[i], right=i > 0) for i, cell in enumerate(row)]
        line = "  ".join(cells).rstrip()
        lines.append(style.paint(line, "dim") if number == 0 else line)
    return "\n".join([*lines, *_advice(rows, style)])


def to_json(rows: Sequence[Row]) -> dict[str, Any]:
    return {"best": best(rows)[0].name, "choices": [_row_json(choice, found) for choice, found in rows]}


def _row_json(choice: Choice, found: Outcome) -> dict[str, Any]:
    return {
        "name": choice.name,
        "devices": choice.devices,
        "keeps_up": found.keeps_up,
        "busy": [round(share, 4) for share in found.busy],
        "loads": found.loads,
        "swaps": found.swaps,
        "loading_ms": round(found.loading, 3),
        "seconds": round(found.seconds, 3),
        "streamed_bytes": dict(choice.off_chip),
        "models": {
            name: {
                "requests": waits.count,
                "p50_ms": round(waits.median, 3),
                "p95_ms": round(waits.p95, 3),
                "p99_ms": round(waits.p99, 3),
                "max_ms": round(waits.most, 3),
            }
            for name, waits in found.waits.items()
        },
    }


def _worst(found: Outcome) -> float:
    return max((waits.p95 for waits in found.waits.values()), default=0.0)


def _asked(calls: dict[str, float]) -> str:
    return ", ".join(f"{printable(name)} {rate:g} a second" for name, rate in calls.items()) or "the trace"


def _advice(rows: Sequence[Row], style: Style) -> list[str]:
    choice, found = best(rows)
    if not found.keeps_up:
        lag = f"{found.behind / 1000:.1f} s behind at the end"
        return [style.paint(f"nothing keeps up; least far behind: {choice.name}, {lag}", "bold")]
    return [style.paint(f"take: {choice.name}", "bold")]

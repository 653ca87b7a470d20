"""What the Edge TPU runs: the tables of operators and rules, for a person and for a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgetpu_build.chip import rules
from edgetpu_build.chip.generations import Generation
from edgetpu_build.chip.operators import OPERATORS, available, highest_version
from edgetpu_build.report.style import PLAIN, Style, pad, width


def human(generation: Generation, runtime: int, style: Style = PLAIN) -> str:
    """Operators of a compiler for a runtime, then the rules. Those that came later are named below the table."""
    here = [kind for kind in OPERATORS if available(kind, generation, runtime)]
    later = [kind for kind in OPERATORS if kind not in here]
    lines = [f"Compiler {generation.name}, runtime {runtime}: {len(here)} operators", ""]
    lines += _table(
        [("operator", "since", "version", "rules", "notes"), *(_row(kind, generation) for kind in here)], style
    )
    if later:
        lines += ["", f"Not yet: {', '.join(later)}"]
    lines += ["", "Rules, highest precedence first (`edgetpu-build explain RULE` tells more):", ""]
    lines += _table([("rule", "what must hold"), *((rule.id, rule.must) for rule in rules.RULES)], style)
    return "\n".join(lines)


def to_json(generation: Generation, runtime: int) -> dict[str, Any]:
    """``operators`` (all, with ``available``) and ``rules``; ``version`` is the highest that the compiler loads."""
    return {
        "compiler": generation.version,
        "runtime_version": runtime,
        "operators": [
            {
                "name": kind,
                "since": facts.since,
                "available": available(kind, generation, runtime),
                "version": highest_version(kind, generation),
                "rules": [rule.id for rule in rules.RULES if kind in rule.kinds],
                "note": facts.note,
                "source": facts.source,
            }
            for kind, facts in OPERATORS.items()
        ],
        "rules": [
            {
                "id": rule.id,
                "must": rule.must,
                "operators": list(rule.kinds),
                "status": rule.status,
                "evidence": rule.evidence,
                "known": rule.known,
            }
            for rule in rules.RULES
        ],
    }


def _row(kind: str, generation: Generation) -> tuple[str, ...]:
    facts, highest = OPERATORS[kind], highest_version(kind, generation)
    return kind, str(facts.since), str(highest or ""), rules.limits(kind).replace("`", ""), facts.note


def _table(found: Sequence[Sequence[str]], style: Style) -> list[str]:
    columns = [max(width(row[i]) for row in found) for i in range(len(found[0]))]
    lines = ["  ".join(pad(cell, columns[i]) for i, cell in enumerate(row)).rstrip() for row in found]
    return [style.paint(lines[0], "bold"), *lines[1:]]

"""A diagnostic as a person reads it: what is wrong and where on one line, what to do on the next."""

from __future__ import annotations

from collections.abc import Iterable

from edgetpu_build.errors import Diagnostic
from edgetpu_build.report.style import PLAIN, Style, printable

_COLORS = {"error": "red", "warning": "yellow", "note": "blue"}


def place(diagnostic: Diagnostic) -> str:
    """ "pyproject.toml:14", "models/a.tflite", or nothing."""
    if not diagnostic.file:
        return ""
    return f"{diagnostic.file}:{diagnostic.line}" if diagnostic.line else diagnostic.file


def headline(diagnostic: Diagnostic) -> str:
    """Place, unit and message, each once."""
    parts = [place(diagnostic), diagnostic.message]
    if diagnostic.unit and diagnostic.unit not in diagnostic.message:
        parts.insert(1, diagnostic.unit)
    return ": ".join(part for part in parts if part)


def render(diagnostic: Diagnostic, style: Style = PLAIN) -> str:
    """`error: pyproject.toml:14: message [ETB203]` and, indented below it, `hint: ...`."""
    severity = style.paint(f"{diagnostic.severity}:", "bold", _COLORS[diagnostic.severity])
    code = style.paint(f"[{diagnostic.code}]", "dim")
    first, *others = headline(diagnostic).splitlines() or [""]
    lines = [f"{severity} {printable(first)} {code}", *(f"  {printable(line)}" for line in others)]
    if diagnostic.hint:
        lines += _hint(diagnostic.hint, style)
    return "\n".join(lines)


def render_all(diagnostics: Iterable[Diagnostic], style: Style = PLAIN) -> str:
    """Notes and warnings first, errors last: the end of the output is what is read. Each text once."""
    ranked = sorted(diagnostics, key=lambda d: ("note", "warning", "error").index(d.severity))
    return "\n".join(dict.fromkeys(render(d, style) for d in ranked))


def _hint(hint: str, style: Style) -> list[str]:
    first, *others = hint.splitlines()
    return [
        f"  {style.paint('hint:', 'bold', 'cyan')} {printable(first)}",
        *(f"        {printable(line)}" for line in others),
    ]

"""GitHub Actions: annotations on the right line of pyproject.toml, and the job's summary page.

GitHub shows at most 10 annotations of a kind for a step and drops the rest without a word, so from the 10th on they
are summed up in one. Escapes: https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgetpu_build.errors import Diagnostic
from edgetpu_build.report import text
from edgetpu_build.report.diagnostics import headline

LIMIT = 10
SUMMARY_LIMIT = 1 << 20
_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def annotate(diagnostics: Iterable[Diagnostic], folder: str = "") -> list[str]:
    """Workflow commands, errors first. ``folder``: the project's, relative to the repository's root."""
    found = list(dict.fromkeys(diagnostics))
    lines = []
    for severity, command in _COMMANDS.items():
        lines += _of_a_kind(command, [d for d in found if d.severity == severity], folder)
    return lines


def data(value: str) -> str:
    """Escaped as the message of a workflow command."""
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def property_value(value: str) -> str:
    """Escaped as a property of a workflow command."""
    return data(value).replace(":", "%3A").replace(",", "%2C")


def clipped(summary: str) -> str:
    """No more than GitHub takes for a step's summary."""
    raw = summary.encode()
    return summary if len(raw) <= SUMMARY_LIMIT else raw[: SUMMARY_LIMIT - 8].decode(errors="ignore") + "\n\n…\n"


def _of_a_kind(command: str, found: Sequence[Diagnostic], folder: str) -> list[str]:
    shown = found if len(found) <= LIMIT else found[: LIMIT - 1]
    lines = [_annotation(command, d, folder) for d in shown]
    rest = len(found) - len(shown)
    if rest:
        lines.append(
            f"::{command} title=edgetpu-build::and {text.plural(rest, f'more {command}')}; the log has them all"
        )
    return lines


def _annotation(command: str, diagnostic: Diagnostic, folder: str) -> str:
    properties = {"title": f"edgetpu-build {diagnostic.code}"}
    if diagnostic.file:
        properties["file"] = f"{folder}/{diagnostic.file}" if folder else diagnostic.file
    if diagnostic.line:
        properties["line"] = str(diagnostic.line)
    body = diagnostic.message if diagnostic.file else headline(diagnostic)
    if diagnostic.unit and diagnostic.unit not in body:
        body = f"{diagnostic.unit}: {body}"
    if diagnostic.hint:
        body += f"\nhint: {diagnostic.hint}"
    fields = ",".join(
        f"{key}={property_value(properties[key])}" for key in ("file", "line", "title") if key in properties
    )
    return f"::{command} {fields}::{data(body)}"

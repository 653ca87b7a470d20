"""Where a command's answer goes: results to stdout, diagnostics and progress to stderr, JSON as one object.

A command hands over values and gets its exit code back; it prints nothing itself.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from edgetpu_build.errors import Diagnostic, error, exit_code

if TYPE_CHECKING:  # what only some commands need is loaded by those
    from edgetpu_build.engine.outcome import Outcome
    from edgetpu_build.engine.why import Cause
    from edgetpu_build.report.progress import Progress
    from edgetpu_build.report.style import Style


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the common options ask for. ``project`` is the folder as the user wrote it, None for "find it"."""

    format: str = "human"
    color: str = "auto"
    quiet: int = 0
    verbose: int = 0
    project: str | None = None

    @classmethod
    def of(cls, args: Namespace) -> View:
        return cls(format=args.format, color=args.color, quiet=args.quiet, verbose=args.verbose, project=args.project)

    @property
    def json(self) -> bool:
        return self.format == "json"


def outcome(
    view: View, outcome: Outcome, *, explain: bool = False, why: Mapping[str, Cause] | None = None, **more: Any
) -> int:
    """The answer of build, check and verify. ``why``: causes, for a job's summary. ``more``: keys for JSON."""
    if view.json:
        from edgetpu_build.report import json_form

        emit_json(json_form.outcome_report(outcome, **more))
        return outcome.exit_code
    if view.format == "markdown":
        from edgetpu_build.report import markdown

        emit(markdown.summary(outcome).rstrip())
    elif not view.quiet:
        emit(_for_a_person(view, outcome, explain=explain))
    if view.format == "github":
        from edgetpu_build.report import markdown

        step_summary(markdown.summary(outcome, why))
    tell(view, outcome.all_diagnostics)
    return outcome.exit_code


def answer(
    view: View,
    command: str,
    text: str,
    *,
    units: Iterable[Mapping[str, Any]] = (),
    diagnostics: Iterable[Diagnostic] = (),
    **more: Any,
) -> int:
    """The answer of any other command: ``text`` for a person, the rest as JSON keys for a program."""
    found = tuple(diagnostics)
    if view.json:
        from edgetpu_build.report import json_form

        emit_json(json_form.document(command, units=units, diagnostics=found, **more))
    else:
        if text:
            emit(text)
        tell(view, found)
    return exit_code(found)


def failed(view: View, command: str, diagnostics: Iterable[Diagnostic]) -> int:
    """A command that came to nothing."""
    return answer(view, command, "", diagnostics=diagnostics)


def tell(view: View, diagnostics: Iterable[Diagnostic]) -> None:
    """Diagnostics to stderr, or as annotations to stdout where GitHub reads them. Not with JSON: they are in it."""
    hidden = ((), ("note",), ("note", "warning"))[min(view.quiet, 2)]
    found = [d for d in diagnostics if d.severity not in hidden]
    if not found or view.json:
        return
    if view.format == "github":
        from edgetpu_build.report import github

        emit("\n".join(github.annotate(found, _folder(view))))
        return
    from edgetpu_build.report import diagnostics as report

    _write(sys.stderr, report.render_all(found, style(view, sys.stderr)) + "\n")


def note(view: View, message: str) -> None:
    """A remark beside the result, to stderr; silent with `-q`."""
    if not view.quiet and not view.json:
        _write(sys.stderr, message + "\n")


def emit(text: str) -> None:
    """A result, to stdout."""
    _write(sys.stdout, text + "\n")


def emit_json(document: Mapping[str, Any]) -> None:
    import json

    emit(json.dumps(document, indent=2, ensure_ascii=True))


def progress(view: View) -> Progress:
    """For `contextlib.closing`. With `-q` it goes nowhere."""
    from edgetpu_build.report.progress import Progress

    if view.quiet:
        from io import StringIO

        return Progress(StringIO(), terminal=False)
    terminal = sys.stderr.isatty() and not os.environ.get("CI")
    return Progress(sys.stderr, terminal=terminal, columns=columns())


def style(view: View, stream: TextIO) -> Style:
    """NO_COLOR, FORCE_COLOR (https://no-color.org, https://force-color.org), then whether it is a terminal."""
    from edgetpu_build.report.style import Style

    encoding = (getattr(stream, "encoding", "") or "").lower().replace("-", "")
    return Style(
        color=_color(view.color, stream),
        unicode=encoding.startswith("utf") or encoding == "",
        width=columns() if stream.isatty() else None,
    )


def prepare() -> None:
    """Streams that cannot fail: file names that are not text are printed escaped, closed streams lead nowhere."""
    if sys.stdout is None or sys.stderr is None:
        nowhere = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")


def _for_a_person(view: View, outcome: Outcome, *, explain: bool) -> str:
    from edgetpu_build.report.brief import nothing_to_do

    verbose = bool(view.verbose)
    line = "" if verbose or explain else nothing_to_do(outcome)
    if line:
        return line
    from edgetpu_build.report import human

    return human.render(outcome, style(view, sys.stdout), verbose=verbose, explain=explain or verbose)


def _color(wish: str, stream: TextIO) -> bool:
    if wish != "auto":
        return wish == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def columns() -> int:
    """COLUMNS, else what the terminal says, else 80."""
    wanted = os.environ.get("COLUMNS", "")
    if wanted.isascii() and wanted.isdigit() and int(wanted):
        return int(wanted)
    for stream in (1, 2):
        with suppress(OSError):
            return os.get_terminal_size(stream).columns or 80
    return 80


def _folder(view: View) -> str:
    """The project's folder relative to the repository's root, as GitHub wants paths."""
    workspace = os.environ.get("GITHUB_WORKSPACE")
    if not workspace:
        return ""
    from edgetpu_build.cli.project import nearest

    folder = os.path.realpath(view.project or nearest())
    relative = os.path.relpath(folder, os.path.realpath(workspace)).replace(os.sep, "/")
    return "" if relative == "." or relative.startswith("..") else relative


def step_summary(page: str) -> None:
    """Onto the page of a job at GitHub; nothing anywhere else."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    from pathlib import Path

    from edgetpu_build.report import github

    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(github.clipped(page))
    except OSError as problem:
        _write(sys.stderr, f"warning: the job's summary cannot be written: {problem}\n")


def _write(stream: TextIO, text: str) -> None:
    """A reader who has had enough (`| head`) is no error, and the exit code stays what it is. A full disk is one."""
    try:
        stream.write(text)
        stream.flush()
    except OSError as problem:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
        if stream is sys.stdout and not isinstance(problem, BrokenPipeError):
            raise error("ETB501", f"output cannot be written: {problem.strerror}", "free some space") from None

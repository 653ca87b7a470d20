"""From words on the command line to an exit code, and the one place where exceptions end.

Theirs (EdgeTpuBuildError) is rendered and gives its code; ours (anything else) is written to a report file, exit 70.
Commands themselves catch nothing.
"""

from __future__ import annotations

import gc
import sys
from importlib import import_module

from edgetpu_build.cli import commands, options, output
from edgetpu_build.cli.commands import Command
from edgetpu_build.cli.output import View
from edgetpu_build.errors import BUG_EXIT, Diagnostic, EdgeTpuBuildError

_ALLOCATIONS = 50_000
"""How many objects are made before cycles are looked for: a command makes many that stay, and hardly a cycle."""


def main(argv: list[str]) -> int:
    """Runs one command; never raises but for the interpreter's own end."""
    gc.set_threshold(_ALLOCATIONS)
    output.prepare()
    view = View(
        format=options.wanted("--format", argv, "human"),
        color=options.wanted("--color", argv, "auto"),
        project=options.wanted("--project", argv, "") or None,
    )
    _, name, _ = options.split(argv)
    command = commands.find(name)
    try:
        code = _run(argv)
    except EdgeTpuBuildError as problem:
        if problem.exit_code == BUG_EXIT:
            return _bug(view, name, argv, problem)
        code = output.failed(view, name, problem.diagnostics)
    except Exception as problem:  # noqa: BLE001 the last line of defence: every bug becomes a report file
        return _bug(view, name, argv, problem)
    return min(code, 1) if command and command.google_style and not view.json and code != BUG_EXIT else code


def _run(argv: list[str]) -> int:
    leading, name, rest = options.split(argv)
    if name == "help" and rest:
        leading, name, rest = [], rest[0], ["--help"]
    if name in ("", "help"):
        return _without_command(leading)
    command = _known(name)
    module = import_module(command.module)
    parser = options.parser_for(command, module)
    try:
        args = options.parse(parser, [*leading, *rest])
    except SystemExit as end:  # argparse has printed help or a version
        return int(end.code or 0)
    result: int = module.run(args)
    return result


def _without_command(leading: list[str]) -> int:
    if "--version" in leading or "-V" in leading:
        from edgetpu_build import __version__

        output.emit(f"edgetpu-build {__version__}")
        return 0
    if "-h" in leading or "--help" in leading or not leading:
        output.emit(commands.help_page().rstrip())
        return 0
    raise options.usage_error("no command given", "`edgetpu-build --help` lists them")


def _known(name: str) -> Command:
    command = commands.find(name)
    if command:
        return command
    near = options.nearest(name, (c.name for c in commands.COMMANDS))
    hint = f"did you mean `edgetpu-build {near}`?" if near else "`edgetpu-build --help` lists the commands"
    raise options.usage_error(f"unknown command `{name}`", hint)


def _bug(view: View, name: str, argv: list[str], problem: Exception) -> int:
    from edgetpu_build.cli import bug

    path = bug.write_report(argv, problem)
    message = f"this is a bug in edgetpu-build: {_in_short(problem)}"
    hint = (
        f"what happened is in `{path}`; send it with the steps that led here"
        if path
        else "its report cannot be written"
    )
    output.failed(view, name, [Diagnostic(code="ETB701", message=message, hint=hint)])
    if not path:
        import traceback

        traceback.print_exception(problem, file=sys.stderr)
    return BUG_EXIT


def _in_short(problem: Exception) -> str:
    """One line. A worker's bug arrives as the text of its traceback, whose last line says what it was."""
    lines = str(problem).strip().splitlines() or [""]
    if len(lines) > 1 and lines[0].startswith("Traceback"):
        return lines[-1]
    return f"{type(problem).__name__}: {lines[0]}"

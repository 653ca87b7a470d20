"""docs/reference/commands.md, made from the table of commands and their parsers: it cannot say what is not so."""

from __future__ import annotations

import argparse
from importlib import import_module

from edgetpu_build.cli import commands, options
from edgetpu_build.cli.commands import Command

_INTRODUCTION = """\
# Commands

<!-- Made by `edgetpu_build.cli.reference`; a test holds it against the code. -->

`edgetpu-build COMMAND [options]`; `python -m edgetpu_build` is the same. Results go to stdout, messages and progress to
stderr. With `--format json` stdout is one object ([JSON](json.md)), whatever the exit code.
"""

_EXITS = """\
## Exit codes

| code | meaning |
| --- | --- |
| 0 | done |
| 1 | a check or budget failed; all units were tried |
| 2 | usage or configuration |
| 3 | a model cannot be compiled |
| 4 | the compiler is missing or of the wrong version |
| 5 | cache, lock or file system |
| 70 | a bug of ours; a report file is written and named |
| 130 | interrupted |

Where several apply, the smallest above 1 wins. `compile` ends with 0 or 1, as Google's compiler does, unless
`--format json` is given. What each code's errors mean: [Error codes](errors.md).
"""

_VARIABLES = """\
## Environment

`NO_COLOR` and `FORCE_COLOR` decide about colour where `--color` is `auto`. With `CI` set, progress is plain lines.
With `--format github` the job's summary goes to `$GITHUB_STEP_SUMMARY`. `EDGETPU_BUILD_*` are described with the
[configuration](configuration.md).
"""


def page() -> str:
    """The whole page."""
    parts = [_INTRODUCTION, _common()]
    for group, title in commands.GROUPS.items():
        parts.append(f"## {title}\n")
        parts += [_section(command) for command in commands.COMMANDS if command.group == group]
    return "\n".join([*parts, _EXITS, _VARIABLES])


def _common() -> str:
    rows = [f"| `{option}` | {_cell(text)} |" for option, text in commands.GLOBAL_OPTIONS]
    return "\n".join(["## Options of every command", "", "| option | meaning |", "| --- | --- |", *rows, ""])


def _section(command: Command) -> str:
    lines = [f"### {command.name}", "", f"{command.help}.", ""]
    parser = options.Parser(prog=f"edgetpu-build {command.name}", add_help=False, allow_abbrev=False)
    import_module(command.module).configure(parser)
    rows = [_row(action) for action in options.actions(parser) if action.help != argparse.SUPPRESS]
    table = ["| argument | meaning |", "| --- | --- |", *rows, ""] if rows else []
    return "\n".join([*lines, *table])


def _row(action: argparse.Action) -> str:
    value = action.metavar or (action.dest.upper() if action.nargs != 0 else "")
    word = " ".join(value) if isinstance(value, tuple) else value
    names = [f"`{name} {word}`".replace(" `", "`") for name in action.option_strings]
    many = "..." if action.nargs in ("*", "+") and not names else ""
    return f"| {_cell(', '.join(names) or f'`{word}{many}`')} | {_cell(action.help or '')} |"


def _cell(text: str) -> str:
    return text.replace("%%", "%").replace("|", "\\|")

"""How options are read: the options that every command has, value types with our own words, and did-you-mean."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from edgetpu_build.cli import output
from edgetpu_build.cli.commands import Command
from edgetpu_build.errors import EdgeTpuBuildError, error

_WORDS = (
    ("the following arguments are required: ", "missing: "),
    ("not allowed with argument ", "not allowed together with "),
    ("invalid choice: ", "found "),
    ("invalid int value: ", "not a whole number: "),
)
_VALUED = ("--project", "--format", "--color")


class _Formatter(argparse.HelpFormatter):
    """Told its width: argparse makes one for every option, and would load `shutil` to ask for it."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=output.columns() - 2)


class Parser(argparse.ArgumentParser):
    """argparse, but what it has to complain about is raised as one of our errors."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=_Formatter, **settings)

    def error(self, message: str) -> NoReturn:
        raise usage_error(_reworded(message), f"`{self.prog} --help` shows what there is")


def usage_error(message: str, hint: str = "") -> EdgeTpuBuildError:
    return error("ETB214", message, hint)


def parser_for(command: Command, module: Any) -> Parser:
    """The parser of one command: its own options and the common ones."""
    parser = Parser(prog=f"edgetpu-build {command.name}", description=f"{module.HELP}.", allow_abbrev=False)
    module.configure(parser)
    add_common(parser, command)
    return parser


def add_common(parser: argparse.ArgumentParser, command: Command) -> None:
    """`--project`, `--format`, `--color`, `-q`, `-v`; without the short ones where Google's program has its own."""
    short = not command.google_style
    group = parser.add_argument_group("options of every command")
    group.add_argument(
        "--project", metavar="DIR", help="the folder of pyproject.toml (default: here or the nearest above)"
    )
    group.add_argument(
        "--format", metavar="FORM", type=one_of(*command.formats), default="human", help=" | ".join(command.formats)
    )
    group.add_argument(
        "--color", metavar="WHEN", type=one_of("auto", "always", "never"), default="auto", help="auto | always | never"
    )
    group.add_argument(
        *(["-q"] if short else []), "--quiet", action="count", default=0, help="say less; twice: errors only"
    )
    group.add_argument(*(["-v"] if short else []), "--verbose", action="count", default=0, help="say more")


def parse(parser: Parser, argv: Sequence[str]) -> argparse.Namespace:
    """Options may stand anywhere among names. What nobody knows is refused, with the nearest known option."""
    try:
        args, unknown = parser.parse_known_intermixed_args(argv)
    except TypeError:  # positionals that take the remainder cannot be intermixed
        args, unknown = parser.parse_known_args(argv)
    if unknown:
        raise _unknown(parser, unknown[0])
    return args


def actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The arguments that a parser takes."""
    return parser._actions  # noqa: SLF001 argparse has no other way to ask


def split(argv: Sequence[str]) -> tuple[list[str], str, list[str]]:
    """Options before the command, the command ("" if there is none), what follows it."""
    at = 0
    while at < len(argv) and argv[at].startswith("-"):
        at += 2 if argv[at] in _VALUED else 1
    return list(argv[:at]), argv[at] if at < len(argv) else "", list(argv[at + 1 :])


def wanted(option: str, argv: Sequence[str], default: str) -> str:
    """The last value of a long option, read before (or without) knowing the command."""
    end = argv.index("--") if "--" in argv else len(argv)
    value = default
    for i, word in enumerate(argv[:end]):
        if word.startswith(f"{option}="):
            value = word.partition("=")[2]
        elif word == option and i + 1 < end:
            value = argv[i + 1]
    return value


def one_of(*allowed: str) -> Callable[[str], str]:
    """A value type: one of the given words."""

    def read(value: str) -> str:
        if value not in allowed:
            raise argparse.ArgumentTypeError(
                f"found `{value}`, allowed: {', '.join(allowed)}{did_you_mean(value, allowed)}"
            )
        return value

    return read


def whole(minimum: int = 0) -> Callable[[str], int]:
    """A value type: a whole number of at least ``minimum``."""

    def read(value: str) -> int:
        number = int(value) if value.isascii() and value.removeprefix("-").isdigit() else minimum - 1
        if number < minimum:
            raise argparse.ArgumentTypeError(f"found `{value}`, allowed: a whole number of at least {minimum}")
        return number

    return read


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` or nothing."""
    near = nearest(found, known)
    return f"; did you mean `{near}`?" if near else ""


def nearest(found: str, known: Iterable[str]) -> str:
    """The known word most like the one found, "" if none is near."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(found, list(known), n=1, cutoff=0.6)), "")


def _unknown(parser: Parser, word: str) -> EdgeTpuBuildError:
    if not word.startswith("-"):
        return usage_error(f"unexpected argument `{word}`", f"`{parser.prog} --help` shows what it takes")
    known = [option for action in actions(parser) for option in action.option_strings]
    near = nearest(word.partition("=")[0], known)
    hint = f"did you mean `{near}`?" if near else f"`{parser.prog} --help` lists the options"
    return usage_error(f"unknown option `{word.partition('=')[0]}` of `{parser.prog}`", hint)


def _reworded(message: str) -> str:
    """argparse's sentences in the house's words."""
    name, colon, rest = message.partition(": ")
    if name.startswith("argument ") and colon:
        message = f"`{name.removeprefix('argument ')}`: {rest}"
    for theirs, ours in _WORDS:
        message = message.replace(theirs, ours, 1)
    return message

"""`edgetpu-build check`: does everything agree? Compiles nothing and needs no compiler."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from edgetpu_build.cli import output, project

NAME = "check"
HELP = "Check configuration, lock, outputs and budgets; compiles nothing"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="models or groups (default: all)")
    parser.add_argument("--staged", action="store_true", help="judge what git's index holds, not the working tree")
    parser.add_argument("--base", metavar="REV", help="the commit whose lock `growth` budgets compare with")


def run(args: Namespace) -> int:
    found = project.load(args)
    from edgetpu_build.engine.check import check

    return output.outcome(project.view(args, found), check(found, args.names, staged=args.staged, base=args.base))

"""`edgetpu-build check`: does everything agree? Compiles nothing and needs no compiler."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from edgetpu_build.cli import output, project, quick

NAME = "check"
HELP = "Check configuration, lock, outputs and budgets; compiles nothing"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="models or groups (default: all)")
    parser.add_argument("--staged", action="store_true", help="judge what git's index holds, not the working tree")
    parser.add_argument("--base", metavar="REV", help="the commit whose lock `growth` budgets compare with")


def run(args: Namespace) -> int:
    found = project.load(args)
    from edgetpu_build.engine.check import check

    root, whole = str(found.root), args.staged and not args.names and args.base is None
    before = quick.entries(root, found.env) if whole else None
    outcome = check(found, args.names, staged=args.staged, base=args.base)
    if whole:
        quick.remember(root, found.env, outcome, before)
    view = project.view(args, found)
    if view.json:
        from edgetpu_build.engine.placement import with_operators

        outcome = with_operators(found, outcome)
    return output.outcome(view, outcome)

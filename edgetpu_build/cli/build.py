"""`edgetpu-build build`: every output up to date, budgets judged, the lock written."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from contextlib import closing

from edgetpu_build.cli import output, project
from edgetpu_build.cli.options import usage_error, whole

NAME = "build"
HELP = "Bring compiled models, budgets and edgetpu.lock up to date"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="models or groups (default: all)")
    parser.add_argument("-j", "--jobs", type=jobs, default=0, metavar="N", help="parallel compiles, or auto")
    parser.add_argument("--locked", action="store_true", help="fail if edgetpu.lock would change")
    parser.add_argument("--frozen", action="store_true", help="compile nothing: stored or committed outputs only")
    parser.add_argument("--force", action="store_true", help="compile even what is up to date")
    going = parser.add_mutually_exclusive_group()
    going.add_argument("--fail-fast", action="store_true", help="stop at the first unit that fails")
    going.add_argument("--keep-going", action="store_true", help="try every unit (the default)")
    parser.add_argument("--explain", action="store_true", help="say why each unit was or was not built")
    parser.add_argument("--dry-run", action="store_true", help="say what would be built; write nothing")


def run(args: Namespace) -> int:
    if args.force and args.frozen:
        raise usage_error("`--force` and `--frozen` exclude each other", "`--frozen` compiles nothing")
    found = project.load(args)
    view = project.view(args, found)
    from edgetpu_build.engine.build import build

    with closing(output.progress(view)) as progress:
        outcome = build(
            found,
            args.names,
            force=args.force,
            locked=args.locked,
            frozen=args.frozen,
            jobs=args.jobs,
            fail_fast=args.fail_fast,
            dry_run=args.dry_run,
            progress=progress.unit,
        )
    return output.outcome(view, outcome, explain=args.explain)


def jobs(value: str) -> int:
    """0 for "auto", which is what the configuration says or one a core."""
    return 0 if value == "auto" else whole(1)(value)

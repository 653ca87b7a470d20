"""`edgetpu-build build`: every output up to date, budgets judged, the lock written."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from edgetpu_build.cli import output, pages, project
from edgetpu_build.cli.options import usage_error, whole

if TYPE_CHECKING:
    from edgetpu_build.cli.output import View
    from edgetpu_build.engine.outcome import Outcome
    from edgetpu_build.engine.project import Project
    from edgetpu_build.engine.why import Cause

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
    parser.add_argument("--compare", action="store_true", help="also say where builtin and Google's compiler differ")
    parser.add_argument("--contribute", metavar="FILE", help="with --compare: write it as facts, to be sent to us")
    parser.add_argument("--dry-run", action="store_true", help="say what would be built; write nothing")
    parser.add_argument(
        "--executor",
        type=executor,
        default="local",
        metavar="WHERE",
        help="compile in local processes, or on dask://HOST:PORT",
    )
    parser.add_argument("--report", type=pages.path, metavar="PAGE", help="write a page with pictures")


def run(args: Namespace) -> int:
    if args.force and args.frozen:
        raise usage_error("`--force` and `--frozen` exclude each other", "`--frozen` compiles nothing")
    if args.contribute is not None and not args.compare:
        raise usage_error("`--contribute` needs `--compare`", "add `--compare`")
    if args.compare and (args.dry_run or args.frozen):
        raise usage_error("`--compare` compiles, which `--dry-run` and `--frozen` exclude", "leave one out")
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
            farm=args.executor,
            progress=progress.unit,
        )
    if view.json:
        from edgetpu_build.engine.placement import with_operators

        outcome = with_operators(found, outcome)
    if args.report:
        pages.write(view, args.report, pages.of_build(found, outcome))
    if args.compare:
        return _compared(args, view, found, outcome)
    return output.outcome(view, outcome, explain=args.explain, why=_why(view, found, outcome))


def _why(view: View, found: Project, outcome: Outcome) -> dict[str, Cause]:
    """For a job's summary only: it takes compiling the committed sources once more."""
    if view.format != "github":
        return {}
    from edgetpu_build.engine.why import of_build

    return of_build(found, outcome)


def _compared(args: Namespace, view: View, found: Project, outcome: Outcome) -> int:
    from edgetpu_build.engine.compare import compare
    from edgetpu_build.report import comparison

    with closing(output.progress(view)) as progress:
        both = compare(found, args.names, say=progress.unit)
    if args.contribute is not None:
        from edgetpu_build import files

        files.write_atomic(args.contribute, comparison.contribution(both).encode())
    outcome = replace(outcome, diagnostics=(*outcome.diagnostics, *both.failures))
    code = output.outcome(view, outcome, explain=args.explain, comparison=comparison.to_json(both))
    if not view.json and not view.quiet and both.members:
        output.emit(comparison.human(both, output.style(view, sys.stdout)))
    return code


def executor(value: str) -> str:
    """The address of a farm, "" for none. ETB214 for anything else."""
    if value == "local":
        return ""
    from edgetpu_build.engine.farm import place_of

    place_of(value)
    return value


def jobs(value: str) -> int:
    """0 for "auto", which is what the configuration says or one a core."""
    return 0 if value == "auto" else whole(1)(value)

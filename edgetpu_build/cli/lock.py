"""`edgetpu-build lock`: the lock, written from what exists."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from edgetpu_build.cli import output, project

NAME = "lock"
HELP = "Write edgetpu.lock from what exists"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("--upgrade", action="store_true", help="take the compiler that is found now")


def run(args: Namespace) -> int:
    found = project.load(args)
    from edgetpu_build.engine.lockfile import refresh

    return output.outcome(project.view(args, found), refresh(found, upgrade=args.upgrade))

"""`edgetpu-build verify`: outputs against lock and store, a sample of them against a fresh compile."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from edgetpu_build.cli import output, project
from edgetpu_build.cli.options import whole

NAME = "verify"
HELP = "Compare outputs with lock and store, or with a fresh compile"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--recompile", type=whole(0), default=0, metavar="N", help="compile N units afresh and compare the bytes"
    )


def run(args: Namespace) -> int:
    found = project.load(args)
    from edgetpu_build.engine.verify import verify

    return output.outcome(project.view(args, found), verify(found, recompile=args.recompile))

"""`edgetpu-build diff`: figures now against the lock of a commit."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from edgetpu_build.cli import output, project

NAME = "diff"
HELP = "Show what changed against the lock of a commit"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("rev", nargs="?", default="HEAD", metavar="REV", help="the commit (default: HEAD)")


def run(args: Namespace) -> int:
    found = project.load(args)
    view = project.view(args, found)
    from edgetpu_build.engine.diff import diff
    from edgetpu_build.report import difference

    result = diff(found, args.rev)
    if view.format == "markdown":
        text = difference.markdown(result)
    else:
        text = difference.human(result, output.style(view, sys.stdout))
    return output.answer(view, NAME, text, diagnostics=result.diagnostics, **difference.to_json(result))

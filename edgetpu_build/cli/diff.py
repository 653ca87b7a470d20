"""`edgetpu-build diff`: figures now against the lock of a commit."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from edgetpu_build.cli import output, project

if TYPE_CHECKING:
    from edgetpu_build.engine.diff import Diff
    from edgetpu_build.engine.project import Project
    from edgetpu_build.engine.why import Cause

NAME = "diff"
HELP = "Show what changed against the lock of a commit"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("rev", nargs="?", default="HEAD", metavar="REV", help="the commit (default: HEAD)")
    parser.add_argument("--why", action="store_true", help="say which layers and operators moved, and why")


def run(args: Namespace) -> int:
    found = project.load(args)
    view = project.view(args, found)
    from edgetpu_build.engine.diff import diff
    from edgetpu_build.report import difference

    result = diff(found, args.rev)
    causes = _causes(found, result) if args.why or view.format == "github" else None
    if view.format == "markdown":
        text = difference.markdown(result, causes)
    else:
        text = difference.human(result, output.style(view, sys.stdout), causes if args.why else None)
    if view.format == "github":
        output.step_summary(f"### edgetpu-build diff {args.rev}\n\n{difference.markdown(result, causes)}\n")
    return output.answer(view, NAME, text, diagnostics=result.diagnostics, **difference.to_json(result, causes))


def _causes(found: Project, result: Diff) -> dict[str, Cause]:
    from edgetpu_build.engine.why import why

    return why(found, result.rev, [member.name for member in result.members])

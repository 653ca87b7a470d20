"""`edgetpu-build watch`: build now and at every change, until Ctrl-C."""

from __future__ import annotations

import os
import sys
import time
from argparse import ArgumentParser, Namespace
from contextlib import closing

from edgetpu_build.cli import output, project
from edgetpu_build.cli.options import whole
from edgetpu_build.engine.outcome import Outcome

NAME = "watch"
HELP = "Build now and at every change"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="models or groups (default: all)")
    parser.add_argument("--poll", action="store_true", help="look for changes by polling (network file systems)")
    parser.add_argument(
        "--debounce", type=whole(0), default=100, metavar="MS", help="quiet time before a rebuild (default: 100)"
    )
    parser.add_argument("--exec", metavar="CMD", dest="command", help="run by the shell after each good build")
    parser.add_argument("--once", action="store_true", help="build, then end with the exit code of `build`")


def run(args: Namespace) -> int:
    from edgetpu_build.watch import events, loop, seen

    found = project.load(args)
    view = project.view(args, found)
    patience = loop.Patience(quiet=args.debounce / 1000)
    looker = seen.Looker(found.root, os.environ)
    build = loop.builder(found.root, os.environ, args.names)
    if args.once:
        outcome = build()
        code = output.outcome(view, outcome)
        _execute(args, outcome)
        return code
    hints = events.open_events(looker.scope().folders, poll=args.poll)
    with closing(hints):
        output.note(view, f"watching {found.root}{_how(hints.reason)}; Ctrl-C ends")
        watch = loop.Watch(looker, hints, build, patience=patience)
        reason = hints.reason
        outcome = watch.build()
        _tell(view, args, outcome)
        while True:
            following = watch.next()
            if following is not None:
                _tell(view, args, following, failed_before=outcome.exit_code != 0)
                outcome = following
            if hints.reason != reason:
                reason = hints.reason
                output.note(view, f"from now on{_how(reason)}")


def _how(reason: str) -> str:
    return f" by polling: {reason}" if reason else ""


def _tell(view: output.View, args: Namespace, outcome: Outcome, *, failed_before: bool = False) -> None:
    if view.json:
        import json

        from edgetpu_build.report import json_form

        output.emit(json.dumps(json_form.outcome_report(outcome)))
    else:
        from edgetpu_build.watch import lines

        style = output.style(view, sys.stdout)
        for line in lines.of(outcome, time.strftime("%H:%M:%S"), style, failed_before=failed_before):
            output.emit(line)
        output.tell(view, outcome.all_diagnostics)
    _execute(args, outcome)


def _execute(args: Namespace, outcome: Outcome) -> None:
    """Run `--exec` after a good build; what it makes of itself is its own affair, a failure is told."""
    if args.command and not outcome.exit_code:
        import subprocess

        code = subprocess.run(args.command, shell=True, check=False).returncode  # noqa: S602 - the user's own command line
        if code:
            output.note(output.View.of(args), f"`{args.command}` ended with {code}")

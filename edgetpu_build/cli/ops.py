"""`edgetpu-build ops`: the operators that the Edge TPU runs, since when, and the rules that keep one on the CPU."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from edgetpu_build.cli import options, output
from edgetpu_build.cli.output import View
from edgetpu_build.errors import error

NAME = "ops"
HELP = "List the operators that the Edge TPU runs, and their limits"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-m", "--min-runtime-version", metavar="N", type=options.whole(1), help="for this Edge TPU runtime"
    )
    parser.add_argument(
        "--emulate-compiler", metavar="VERSION", default="16.0", help="of this compiler (default: 16.0)"
    )


def run(args: Namespace) -> int:
    from edgetpu_build.chip.generations import generation
    from edgetpu_build.report import operators

    view, known = View.of(args), generation(args.emulate_compiler)
    runtime = args.min_runtime_version or known.rules
    if runtime not in known.runtimes:
        allowed = ", ".join(map(str, known.runtimes))
        message = f"found `--min-runtime-version {runtime}`, allowed with {known.name}: {allowed}"
        raise error("ETB205", message, key="min-runtime-version")
    text = operators.human(known, runtime, output.style(view, sys.stdout))
    return output.answer(view, NAME, text, **operators.to_json(known, runtime))

"""`edgetpu-build run`: a compiled model, or its segments, on simulated or real devices."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from edgetpu_build.cli import bench, options, output
from edgetpu_build.cli.output import View
from edgetpu_build.errors import EdgeTpuBuildError, error

NAME = "run"
HELP = "Run a compiled model, or its segments, on a simulated or real device"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="a compiled file, or the segments of one")
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="[NAME=]FILE",
        help="what to feed: an array (.npy) or a picture (.pgm, .ppm; others with Pillow); once for each input",
    )
    parser.add_argument("--repeat", type=options.whole(1), default=1, metavar="N", help="how often (default: once)")
    parser.add_argument(
        "--devices",
        default="",
        metavar="NAMES",
        help="for each file, such as :0,:1 or usb:0,pci:0; simulated ones are as the project's `device` table has them",
    )
    parser.add_argument(
        "--kernels",
        type=options.one_of("default", "reference"),
        default="default",
        metavar="WHICH",
        help="LiteRT's kernels that the simulated device computes with: default | reference",
    )


def run(args: Namespace) -> int:
    view = View.of(args)
    try:
        from edgetpu_build.report import run as report
        from edgetpu_build.runtime import devices, session
    except ImportError as problem:
        hint = "`pip install 'edgetpu-build[runtime]'`"
        raise error("ETB215", f"`run` needs LiteRT and numpy: {problem}", hint) from None
    own = bench.configured(args)
    devices.plug(devices.simulated(link=own.link, clock=own.clock, sram=own.sram, count=own.count))
    files, *others = bench.grouped(args.files)
    names = [name for name in args.devices.split(",") if name]
    try:
        found = session.run(
            args.files if others else files, args.input, repeat=args.repeat, devices=names, kernels=args.kernels
        )
    except EdgeTpuBuildError:
        raise
    except (ValueError, RuntimeError) as problem:  # LiteRT's own
        raise error("ETB321", " ".join(str(problem).split())) from None
    text = report.human(found, output.style(view, sys.stdout))
    return output.answer(view, NAME, text, diagnostics=found.warnings, **report.to_json(found))

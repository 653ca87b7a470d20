"""`edgetpu-build bench`: what an inference would take, operator by operator, as picture and trace if asked for.

Predicted, never measured: docs/explanation/latency.md says how and how far off.
"""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from edgetpu_build.cli import options, output, pages
from edgetpu_build.cli.output import View
from edgetpu_build.errors import error

if TYPE_CHECKING:
    from edgetpu_build.compiler.interface import Options
    from edgetpu_build.config.model import DeviceConfig
    from edgetpu_build.latency.model import Device
    from edgetpu_build.report.bench import Bench

NAME = "bench"
HELP = "Predict latency by operator, segment and pipeline"
_SEGMENT = re.compile(r"(.*)_segment_([0-9]+)_of_([0-9]+)(_edgetpu)?\.tflite")


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="models or files that builtin compiled; segments of one are a pipeline"
    )
    add = parser.add_argument
    add("--segments", metavar="N", type=options.whole(1), default=1, help="cut models into N segments")
    add(
        "--balance",
        metavar="BY",
        type=options.one_of("parameters", "latency"),
        default="parameters",
        help="what --segments balances: parameters (default) or latency",
    )
    add_device(parser)
    add("--inferences", metavar="N", type=options.whole(1), default=3, help="in picture and trace (default: 3)")
    add("--warm", action="store_true", help="in picture and trace, leave out the loading of cached parameters")
    add("--svg", metavar="FILE", help="write the timeline as a picture")
    add("--trace", metavar="FILE", help="write the timeline as a trace for ui.perfetto.dev")
    add("--html", type=pages.path, metavar="PAGE", help="write a page with pictures of all of it")


def add_device(parser: ArgumentParser) -> None:
    """The options that say what is assumed of the device; unset ones are as the project's `device` table has them."""
    group = parser.add_argument_group("the device")
    links, clocks, hosts = ("pcie", "usb3", "usb2"), ("max", "std"), ("x86", "arm")
    group.add_argument("--link", metavar="LINK", type=options.one_of(*links), help=" | ".join(links))
    group.add_argument("--clock", metavar="RATE", type=options.one_of(*clocks), help=" | ".join(clocks))
    group.add_argument("--host", metavar="KIND", type=options.one_of(*hosts), default="x86", help="x86 (default) | arm")


def device(args: Namespace) -> Device:
    """The device of the options, else of the project here, else an Edge TPU on USB 3 at full clock."""
    from edgetpu_build.config.model import DeviceConfig
    from edgetpu_build.latency.model import Device

    own = DeviceConfig() if args.link and args.clock else configured(args)
    return Device(link=args.link or own.link, clock=args.clock or own.clock, host=args.host)


def run(args: Namespace) -> int:
    from edgetpu_build.compiler.interface import Options
    from edgetpu_build.report import bench as report

    view, assumed = View.of(args), device(args)
    asked = Options(segments=args.segments, balance=args.balance, link=assumed.link, clock=assumed.clock)
    found = [_bench(files, asked, assumed) for files in grouped(args.files)]
    _write(args, found)
    if args.html:
        from edgetpu_build.report.html import latency

        pages.write(view, args.html, latency.render(found, args.inferences))
    text = report.human(found, output.style(view, sys.stdout), every=bool(view.verbose))
    return output.answer(view, NAME, text, latency=report.to_json(found))


def grouped(paths: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Segments of one model together, in order; every other file by itself."""
    sets: dict[str, list[tuple[int, str]]] = {}
    for path in paths:
        match = _SEGMENT.fullmatch(path)
        key = f"{match[1]} {match[3]} {match[4]}" if match else path
        sets.setdefault(key, []).append((int(match[2]) if match else 0, path))
    for members in sets.values():
        yield tuple(path for _, path in sorted(members))


def _bench(paths: Sequence[str], asked: Options, assumed: Device) -> Bench:
    from edgetpu_build.compiler import stages
    from edgetpu_build.engine import oneoff
    from edgetpu_build.report.bench import Bench

    found = tuple(stage for path in paths for stage in stages.of_file(oneoff.read(path), _stem(path), asked, assumed))
    return Bench(name=_name(paths), device=assumed, stages=found)


def configured(args: Namespace) -> DeviceConfig:
    """The `device` table of the project here; what it is without one where there is no project."""
    from edgetpu_build.cli import project
    from edgetpu_build.config.load import load
    from edgetpu_build.config.model import DeviceConfig

    root = project.root(args)
    if args.project is None and not (root / "pyproject.toml").is_file():
        return DeviceConfig()
    import os

    from edgetpu_build.errors import EdgeTpuBuildError

    try:
        return load(root, os.environ).device
    except EdgeTpuBuildError as problem:
        if args.project is None and problem.diagnostics[0].code in ("ETB201", "ETB202"):
            return DeviceConfig()  # a folder that is no project of ours
        raise


def _write(args: Namespace, found: Sequence[Bench]) -> None:
    """Picture and trace of the first file or pipeline."""
    if not args.svg and not args.trace:
        return
    if len(found) > 1:
        raise error("ETB214", "`--svg` and `--trace` show one model or pipeline", "name one file, or segments of one")
    from edgetpu_build import files
    from edgetpu_build.latency.timeline import spans
    from edgetpu_build.report import timeline, trace

    one = found[0]
    devices = [stage.name for stage in one.stages]
    happens = list(spans([stage.latencies for stage in one.stages], args.inferences, loaded=args.warm))
    if args.svg:
        subtitle = f"predicted for {one.device}; ~{1000 / one.flow.pace:.0f} inferences a second once loaded"
        files.write_atomic(args.svg, timeline.svg(one.name, subtitle, happens, devices).encode())
    if args.trace:
        import json

        files.write_atomic(args.trace, json.dumps(trace.document(happens, devices)).encode())


def _stem(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2].removesuffix(".tflite")


def _name(paths: Sequence[str]) -> str:
    first = _stem(paths[0])
    return first.partition("_segment_")[0] if len(paths) > 1 else first

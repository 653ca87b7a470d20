"""`edgetpu-build partition`: the options of `partition_with_profiling`, without a device for each segment."""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgetpu_build.cli import options, output
from edgetpu_build.cli.output import View
from edgetpu_build.errors import error

if TYPE_CHECKING:
    from edgetpu_build.compiler.interface import Options, Source
    from edgetpu_build.compiler.partition import Search
    from edgetpu_build.engine.partitioning import Partitioned

NAME = "partition"
HELP = "Cut a model into segments that take equally long"
LINKS = {"pcionly": "pcie", "usbonly": "usb3", "any": "usb3"}


def configure(parser: ArgumentParser) -> None:
    parser.usage = "edgetpu-build partition [options] --num_segments N MODEL"
    parser.add_argument("model", nargs="?", metavar="MODEL", help="the model; or --model_path")
    add = parser.add_argument_group("options of partition_with_profiling").add_argument
    add("--edgetpu_compiler_binary", metavar="FILE", help="Google's compiler, for the outputs (default: builtin)")
    add("--model_path", metavar="FILE", help="the model")
    add("--num_segments", metavar="N", type=options.whole(2), help="how many segments")
    add("--output_dir", metavar="DIR", default="/tmp/models/", help="where they go (default: /tmp/models/)")  # noqa: S108 the manual's default
    add(
        "--device_type",
        metavar="TYPE",
        type=options.one_of(*LINKS),
        default="any",
        help="how devices are attached: pcionly, usbonly or any (default; as usbonly where nothing is plugged in)",
    )
    add(
        "--diff_threshold_ns",
        metavar="N",
        type=options.whole(0),
        default=1_000_000,
        help="stop when slowest and fastest segment are closer (default: 1000000)",
    )
    add(
        "--partition_search_step",
        metavar="N",
        type=options.whole(1),
        default=1,
        help="operators added to or taken from a segment at a time (default: 1)",
    )
    add(
        "--delegate_search_step",
        metavar="N",
        type=options.whole(1),
        default=1,
        help="step of the delegate search when compiling (default: 1)",
    )
    add("--initial_lower_bound_ns", metavar="N", type=_bound, help="latency of the fastest segment to begin with")
    add("--initial_upper_bound_ns", metavar="N", type=_bound, help="latency of the slowest segment to begin with")
    add = parser.add_argument_group("options of our own").add_argument
    add(
        "--profiler",
        metavar="WHICH",
        type=options.one_of("simulated", "device"),
        default="simulated",
        help="simulated (default: predicted latency) or device",
    )
    add("--resume", action="store_true", help="go on with what an interrupted run measured")


def run(args: Namespace) -> int:
    from edgetpu_build.engine import oneoff, partitioning

    started, view = time.monotonic(), View.of(args)
    path = _model(args)
    _check(args, path)
    source, asked, search = _source(path), _options(args), _search(args)
    with closing(output.progress(view)) as progress:
        oneoff.make_folder(args.output_dir)
        done = partitioning.by_profile(
            source, asked, search, args.output_dir, resume=args.resume, say=(lambda _: None) if view.json else progress
        )
        if args.edgetpu_compiler_binary:
            _by_google(args, path, done, progress)
        else:
            pieces = oneoff.pieces(done.result, [path], [len(source.data)], args.output_dir)
            oneoff.write([piece for made in pieces for piece in made], keep_segments=True)
    partitioning.forget(args.output_dir, path)
    return _answer(args, view, path, done, time.monotonic() - started)


def _answer(args: Namespace, view: View, path: str, done: Partitioned, seconds: float) -> int:
    from edgetpu_build.compiler.timing import device_of
    from edgetpu_build.engine import oneoff
    from edgetpu_build.report import json_form
    from edgetpu_build.report import partition as report

    if view.json:
        pieces = oneoff.pieces(done.result, [path], [0], args.output_dir)
        outputs = [[piece.published for piece in made] for made in pieces]
        document = json_form.compile_report(
            done.result, command=NAME, sources=[path], outputs=outputs, seconds=seconds, partition=report.to_json(done)
        )
        output.emit_json(document)
        return 0
    text = report.human(done, str(device_of(_options(args))))
    saved = f"Segments have been saved under {args.output_dir}\nTotal time: {seconds:.3f}s."
    diagnostics = [*done.result.warnings, *(w for member in done.result.members for w in member.warnings)]
    return output.answer(view, NAME, f"{text}\n{saved}", diagnostics=diagnostics)


def _bound(value: str) -> int | None:
    """Nanoseconds; -1 leaves it to the search, as in the original."""
    try:
        number = int(value)
    except ValueError:
        number = -2
    if number < -1:
        raise ArgumentTypeError(f"found `{value}`, allowed: nanoseconds, or -1 to have it found")
    return None if number < 0 else number


def _model(args: Namespace) -> str:
    given = [path for path in (args.model, args.model_path) if path]
    if len(given) != 1:
        raise options.usage_error("name the model once, as MODEL or with `--model_path`")
    path: str = given[0]
    return path


def _check(args: Namespace, path: str) -> None:
    """What the original refuses too, before anything is measured."""
    if args.num_segments is None:
        raise options.usage_error("missing: `--num_segments`", "say how many segments, 2 at least")
    for option, file in (("edgetpu_compiler_binary", args.edgetpu_compiler_binary), ("model_path", path)):
        if file and not Path(file).is_file():
            raise error("ETB211", f"{option} `{file}` does not exist or cannot be opened")
    folder = Path(args.output_dir)
    if folder.exists() and not folder.is_dir():
        raise error("ETB501", f"output_dir `{args.output_dir}` is not a valid directory")
    if folder.is_dir() and not os.access(folder, os.W_OK):
        raise error("ETB501", f"permission denied to output_dir `{args.output_dir}`")
    if args.profiler == "device":
        raise _no_devices(args.num_segments)


def _no_devices(wanted: int) -> Any:
    """Whatever is plugged in: this version measures by prediction only."""
    told = f"`--profiler device` would need {wanted} Edge TPUs, and this version cannot measure on them yet"
    return error("ETB213", told, "leave it out: the simulated profiler needs none")


def _source(path: str) -> Source:
    from edgetpu_build.compiler.interface import Source
    from edgetpu_build.engine import oneoff

    return Source(label=path, data=oneoff.read(path))


def _options(args: Namespace) -> Options:
    from edgetpu_build.compiler.interface import Options

    link: Any = LINKS[args.device_type]
    return Options(segments=args.num_segments, delegate_step=args.delegate_search_step, link=link)


def _search(args: Namespace) -> Search:
    from edgetpu_build.compiler.partition import Search

    return Search(
        operators=0,
        segments=args.num_segments,
        threshold=args.diff_threshold_ns,
        step=args.partition_search_step,
        lower=args.initial_lower_bound_ns,
        upper=args.initial_upper_bound_ns,
    )


def _by_google(args: Namespace, path: str, done: Partitioned, say: Any) -> None:
    """Each segment compiled by Google's program; the figures told stay those of the prediction."""
    from edgetpu_build import files
    from edgetpu_build.compiler import choose
    from edgetpu_build.compiler.interface import Options, Request, Source

    compiler = choose.backend(
        "google", command=[args.edgetpu_compiler_binary], requires_compiler=None, generation="16.0"
    )
    segments, stem = done.result.members[0].segments, Path(path).stem
    asked = Options(delegate_step=args.delegate_search_step)
    for segment in segments:
        name = f"{stem}_segment_{segment.index}_of_{len(segments)}"
        say(f"compiling {name} with {args.edgetpu_compiler_binary}")
        request = Request(sources=(Source(label=f"{name}.tflite", data=segment.plain),), options=asked)
        (member,) = compiler.compile(request, timeout=180, progress=say).members
        folder = Path(args.output_dir)
        files.write_atomic(str(folder / f"{name}.tflite"), segment.plain)
        files.write_atomic(str(folder / f"{name}_edgetpu.tflite"), member.artifact)
        files.write_atomic(str(folder / f"{name}_edgetpu.log"), member.log.encode("utf-8", "surrogateescape"))

"""`edgetpu-build partition`: the options of `partition_with_profiling`, without a device for each segment."""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgetpu_build.cli import options, output
from edgetpu_build.cli.output import View
from edgetpu_build.errors import EdgeTpuBuildError, error

if TYPE_CHECKING:
    from edgetpu_build.compiler.interface import Backend, MemberResult, Options, Source
    from edgetpu_build.compiler.partition import Search
    from edgetpu_build.engine.outcome import Output
    from edgetpu_build.engine.partitioning import Partitioned, Profiler

NAME = "partition"
HELP = "Cut a model into segments that take equally long"
TIMEOUT = 180  # seconds a compile, as the original
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
        help="simulated (default: predicted latency) or device (one is enough; needs --edgetpu_compiler_binary)",
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
            source,
            asked,
            search,
            args.output_dir,
            resume=args.resume,
            say=(lambda _: None) if view.json else progress,
            profiler=_profiler(args),
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
        outputs = [[_written(piece.output) for piece in made] for made in pieces]
        result = done.result
        if args.edgetpu_compiler_binary:
            result = replace(result, compiler=_google(args).identify())
        document = json_form.compile_report(
            result, command=NAME, sources=[path], outputs=outputs, seconds=seconds, partition=report.to_json(done)
        )
        output.emit_json(document)
        return 0
    how = f"predicted for {device_of(_options(args))}" if args.profiler == "simulated" else "measured on a device"
    text = report.human(done, how)
    saved = f"Segments have been saved under {args.output_dir}\nTotal time: {seconds:.3f}s."
    diagnostics = [*done.result.warnings, *(w for member in done.result.members for w in member.warnings)]
    return output.answer(view, NAME, f"{text}\n{saved}", diagnostics=diagnostics)


def _written(path: str) -> Output:
    """An output as it lies on disk."""
    from hashlib import sha256

    from edgetpu_build.engine.outcome import Output

    data = Path(path).read_bytes()
    return Output(path=path, sha256=sha256(data).hexdigest(), size=len(data))


def _google(args: Namespace) -> Backend:
    from edgetpu_build.compiler import choose

    command = [args.edgetpu_compiler_binary]
    return choose.backend("google", command=command, requires_compiler=None, generation="16.0")


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
    if args.profiler == "device" and not args.edgetpu_compiler_binary:
        told = "`--profiler device` measures what Google's compiler makes"
        raise options.usage_error(told, "name it with `--edgetpu_compiler_binary`")


def _profiler(args: Namespace) -> Profiler | None:
    """What measures on a real device, None for prediction."""
    if args.profiler == "simulated":
        return None
    try:
        from edgetpu_build.runtime import profiler
    except ImportError as problem:
        hint = "`pip install 'edgetpu-build[runtime]'`"
        raise error("ETB215", f"`--profiler device` needs LiteRT and numpy: {problem}", hint) from None
    name = profiler.device(args.device_type)
    if not name:
        told = f"`--profiler device` needs an Edge TPU ({args.device_type}), and none is plugged in"
        raise error("ETB321", told, "leave it out: the simulated profiler needs none")

    def measure(plain: bytes) -> float:
        try:
            return profiler.milliseconds(_googles(args, "segment", plain).artifact, name)
        except (EdgeTpuBuildError, ValueError, RuntimeError):  # a segment that compiles or runs nowhere is none
            return float("inf")

    return measure


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
    """Each segment compiled by Google's program, files named as it names them."""
    from edgetpu_build import files
    from edgetpu_build.compiler import text

    segments, stem, folder = done.result.members[0].segments, Path(path).stem, Path(args.output_dir)
    for segment in segments:
        name = f"{stem}_segment_{segment.index}_of_{len(segments)}"
        say(f"compiling {name} with {args.edgetpu_compiler_binary}")
        member = _googles(args, name, segment.plain)
        output = str(folder / f"{name}_edgetpu.tflite")
        log = text.fill(member.log, source=f"{name}.tflite", output=output)
        files.write_atomic(str(folder / f"{name}.tflite"), segment.plain)
        files.write_atomic(output, member.artifact)
        files.write_atomic(str(folder / f"{name}_edgetpu.log"), log.encode("utf-8", "surrogateescape"))


def _googles(args: Namespace, name: str, plain: bytes) -> MemberResult:
    """An uncompiled segment, compiled by Google's program."""
    from edgetpu_build.compiler.interface import Options, Request, Source

    request = Request(
        sources=(Source(label=f"{name}.tflite", data=plain),), options=Options(delegate_step=args.delegate_search_step)
    )
    return _google(args).compile(request, timeout=TIMEOUT, progress=lambda _: None).members[0]

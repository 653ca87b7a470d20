"""`edgetpu-build compile`: the options, files and text of Google's `edgetpu_compiler`, without a project.

Everything that its manual lists, with the same letters; what is ours stands behind long options of its own.
"""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser, Namespace
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgetpu_build.cli import options, output
from edgetpu_build.cli.output import View
from edgetpu_build.errors import EdgeTpuBuildError, error, warning

if TYPE_CHECKING:
    from edgetpu_build.chip.generations import Generation
    from edgetpu_build.compiler.interface import Backend, Progress, Request, Result
    from edgetpu_build.engine.oneoff import Piece

NAME = "compile"
HELP = "Compile models without a project, with edgetpu_compiler's options"
TIMEOUT = 180


def configure(parser: ArgumentParser) -> None:
    parser.usage = "edgetpu-build compile [options] MODEL..."
    parser.set_defaults(first_line="")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="several are compiled to share on-chip memory")
    _google_options(parser)
    _own_options(parser)


def _google_options(parser: ArgumentParser) -> None:
    add = parser.add_argument_group("options of edgetpu_compiler").add_argument
    add(
        "-i",
        "--intermediate_tensors",
        metavar="NAMES",
        help="outputs of the Edge TPU operator: commas between names, colons between models",
    )
    add(
        "-m",
        "--min_runtime_version",
        metavar="N",
        type=options.whole(1),
        help="oldest runtime that must run it (default: 14)",
    )
    add("-n", "--num_segments", metavar="N", type=options.whole(1), default=1, help="cut the model into N segments")
    add("-o", "--out_dir", metavar="DIR", default="", help="where outputs and logs go (default: here)")
    add("-s", "--show_operations", action="store_true", help="print the table of operators")
    add(
        "-a",
        "--enable_multiple_subgraphs",
        action="store_true",
        help="map every part that can be, not only the first",
    )
    add(
        "-d",
        "--search_delegate",
        action="store_true",
        help="if compiling fails, try with fewer operators; builtin guesses whether it would",
    )
    add("-k", "--delegate_search_step", metavar="N", type=options.whole(1), help="fewer by N each time (default: 1)")
    add(
        "-t",
        "--timeout_sec",
        metavar="N",
        type=options.whole(1),
        default=TIMEOUT,
        help=f"give up after N seconds (default: {TIMEOUT})",
    )
    add("-v", "--version", action="store_true", help="print the version and exit")


def _own_options(parser: ArgumentParser) -> None:
    add = parser.add_argument_group("options of our own").add_argument
    add(
        "--intermediate-tensor",
        metavar="NAME",
        action="append",
        default=[],
        help="one name of -i, colons and commas included; can be repeated",
    )
    add("--cuts", metavar="NAMES", action="append", default=[], help="cut the model at these tensors instead of -n")
    add(
        "--balance",
        metavar="BY",
        type=options.one_of("parameters", "latency", "profile"),
        default="parameters",
        help="what -n balances: parameters, latency or profile",
    )
    add(
        "--link",
        metavar="LINK",
        type=options.one_of("pcie", "usb3", "usb2"),
        default="usb3",
        help="how the device is attached whose latency is predicted: pcie, usb3 (default) or usb2",
    )
    add("--keep-segments", action="store_true", help="also write the segments as they are before compiling")
    add("--emulate-compiler", metavar="VERSION", default="16.0", help="predict this compiler (default: 16.0)")
    add("--explain", action="store_true", help="say of each operator on the CPU why, and what to do")
    add("--restore-metadata", action="store_true", help="put back the metadata that Google's compiler drops")
    add(
        "--backend",
        metavar="NAME",
        type=options.one_of("builtin", "google"),
        default="builtin",
        help="builtin (default) or google",
    )


def run(args: Namespace) -> int:
    from edgetpu_build.chip.generations import generation
    from edgetpu_build.compiler import text

    view, known = View.of(args), generation(args.emulate_compiler)
    if args.backend == "google" and (args.version or args.models):
        args.first_line, known = _googles(args)
    if args.version:
        output.emit(args.first_line or text.program_line(known))
        return 0
    _check(args, known)
    try:
        done = _compile(args, known, view)
    except EdgeTpuBuildError as problem:
        if problem.exit_code == 3 and not view.json:
            _emit(_failure(args, known, problem))
        raise
    return _answer(args, known, view, done)


def backend(args: Namespace) -> Backend:
    """The compiler asked for; after a failure of Google's, `--explain` looks for the operator by compiling again."""
    from edgetpu_build.compiler import choose

    if args.backend == "builtin":
        return choose.backend("builtin", command=(), requires_compiler=None, generation=args.emulate_compiler)
    command = ["edgetpu_compiler"]
    if os.environ.get("EDGETPU_BUILD_COMMAND"):
        from shlex import split

        command = split(os.environ["EDGETPU_BUILD_COMMAND"])
    return choose.backend("google", command=command, requires_compiler=None, generation="", locate=args.explain)


def _googles(args: Namespace) -> tuple[str, Generation]:
    """How Google's program calls itself, and the generation whose text and limits it has."""
    from edgetpu_build.chip.generations import LATEST
    from edgetpu_build.compiler.google.command import BANNER, known

    version = backend(args).identify().version
    return BANNER + version, known(version) or LATEST


def _check(args: Namespace, known: Generation) -> None:
    """What the manual refuses; nothing is read before."""
    if not args.models:
        raise options.usage_error("no model given", "`edgetpu-build compile --help` shows what there is")
    if args.min_runtime_version is not None and args.min_runtime_version not in known.runtimes:
        allowed = ", ".join(map(str, known.runtimes))
        message = f"found `--min_runtime_version {args.min_runtime_version}`, allowed with {known.name}: {allowed}"
        raise error("ETB205", message, key="min_runtime_version")
    several, cut = len(args.models) > 1, args.num_segments > 1 or bool(args.cuts)
    stopped = args.intermediate_tensors is not None or bool(args.intermediate_tensor)
    excluded = (
        (cut and several, "-n` (or `--cuts`) and several models"),
        (cut and stopped, "-n` (or `--cuts`) and `-i"),
        (args.num_segments > 1 and bool(args.cuts), "-n` and `--cuts"),
        (args.search_delegate and several, "-d` and several models"),
        (bool(args.intermediate_tensor) and several, "--intermediate-tensor` and several models"),
    )
    for found, names in excluded:
        if found:
            raise error("ETB207", f"`{names}` exclude each other".replace("models`", "models"), "leave one out")
    if args.search_delegate and not known.supervised:
        raise error("ETB205", f"`-d` came with compiler 16.0, and {known.name} is asked for", "leave it out")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """The compiler's answer, the size of each source in bytes, and how long it took."""

    result: Result
    sizes: list[int]
    seconds: float


def _compile(args: Namespace, known: Generation, view: View) -> _Done:
    from edgetpu_build.engine import oneoff

    started = time.monotonic()
    oneoff.check_names(args.models, args.out_dir)
    request = _request(args, known)
    compiler = backend(args)
    with closing(output.progress(view)) as progress:
        say: Progress = (lambda _: None) if view.json else progress
        if args.backend == "google":
            result = compiler.compile(request, timeout=args.timeout_sec, progress=say)
        else:
            with oneoff.bounded(args.timeout_sec):
                result = compiler.compile(request, timeout=args.timeout_sec, progress=say)
    sizes = [len(source.data) for source in request.sources]
    return _Done(result=result, sizes=sizes, seconds=time.monotonic() - started)


def _request(args: Namespace, known: Generation) -> Request:
    from edgetpu_build.chip.generations import generation
    from edgetpu_build.compiler.interface import Options, Request, Source
    from edgetpu_build.engine import oneoff

    asked = Options(
        min_runtime_version=args.min_runtime_version or known.rules,
        segments=args.num_segments,
        balance=args.balance,
        cuts=tuple(name for names in args.cuts for name in names.split(",") if name),
        delegate_step=(args.delegate_search_step or 1) if args.search_delegate else 0,
        multiple_subgraphs=args.enable_multiple_subgraphs,
        restore_metadata=args.restore_metadata,
        link=args.link,
        generation=known.name if generation(known.name) is known else known.version,
    )
    stops = _intermediate_tensors(args)
    sources = [
        Source(label=path, data=oneoff.read(path), intermediate_tensors=names)
        for path, names in zip(args.models, stops, strict=True)
    ]
    return Request(sources=tuple(sources), options=asked)


def _intermediate_tensors(args: Namespace) -> list[tuple[str, ...]]:
    """The names for each model: lists between colons in the order of the models."""
    if args.intermediate_tensors is None:
        return [tuple(args.intermediate_tensor), *((),) * (len(args.models) - 1)]
    lists = [tuple(filter(None, names.split(","))) for names in args.intermediate_tensors.split(":")]
    if len(lists) != len(args.models):
        message = f"`-i` gives {len(lists)} lists of tensors for {len(args.models)} models"
        raise options.usage_error(message, "a name that holds a colon can be given with `--intermediate-tensor NAME`")
    lists[0] = (*lists[0], *args.intermediate_tensor)
    return lists


def _answer(args: Namespace, known: Generation, view: View, done: _Done) -> int:
    from edgetpu_build.engine import oneoff

    result = done.result
    members = oneoff.pieces(result, args.models, done.sizes, args.out_dir)
    made = [piece for pieces in members for piece in pieces]
    oneoff.make_folder(args.out_dir)
    oneoff.write(made, keep_segments=args.keep_segments)
    notes = [_NO_SEARCH] if args.delegate_search_step and not args.search_delegate else []
    if view.json:
        from edgetpu_build.report import json_form

        outputs = [[piece.published for piece in pieces] for pieces in members]
        report = json_form.compile_report(
            result, sources=args.models, outputs=outputs, seconds=done.seconds, diagnostics=notes
        )
        output.emit_json(report)
        return 0
    _emit(_success(args, known, done, made))
    if args.explain:
        _explain(result)
    if args.backend == "builtin":
        _tell_doubts(view, made)
    output.tell(view, [*notes, *result.warnings, *(note for member in result.members for note in member.warnings)])
    return 0


_NO_SEARCH = warning("ETB214", "`-k` has no effect without `-d`", "add `-d`")


def _success(args: Namespace, known: Generation, done: _Done, made: list[Piece]) -> str:
    from edgetpu_build.compiler import text

    result = done.result
    return text.stdout_text(
        [piece.block() for piece in made],
        generation=known,
        milliseconds=round(done.seconds * 1000),
        show_operations=args.show_operations,
        timeout_sec=args.timeout_sec,
        attempts=result.attempts,
        search_step=result.options.delegate_step,
        segments=any(member.segments for member in result.members),
        first_line=args.first_line,
    )


def _failure(args: Namespace, known: Generation, failure: EdgeTpuBuildError) -> str:
    from edgetpu_build.compiler import text
    from edgetpu_build.compiler.search import VainSearchError

    problem = failure.diagnostics[0]
    path = next((p for p in args.models if p == problem.file or f"`{p}`" in problem.message), args.models[0])
    step = (args.delegate_search_step or 1) if args.search_delegate else 0
    return text.failure_text(
        problem,
        generation=known,
        source=path,
        timeout_sec=args.timeout_sec,
        attempts=failure.attempts if isinstance(failure, VainSearchError) else (),
        search_step=step,
        first_line=args.first_line,
    )


def _tell_doubts(view: View, made: list[Piece]) -> None:
    """Google's layout has no room for how sure a figure is, so it is said beside it."""
    from edgetpu_build.compiler import text

    doubtful = text.doubtful(piece.figures for piece in made)
    if doubtful:
        output.note(view, f"note: predicted, not exact: {', '.join(doubtful)}")


def _explain(result: Result) -> None:
    from edgetpu_build.compiler import text

    for member in result.members:
        output.emit(f"\n{member.label}: {text.explanation(member.operators)}".rstrip("\n"))


def _emit(words: str) -> None:
    output.emit(words.removesuffix("\n"))

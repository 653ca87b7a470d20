"""`edgetpu-build simulate`: a workload over devices, in every way that its models can share them."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from edgetpu_build.cli import bench, options, output, project
from edgetpu_build.errors import error

if TYPE_CHECKING:
    from edgetpu_build.latency.workload import Request

NAME = "simulate"
HELP = "Run a workload over devices, however its models can share them"
RATE = 10.0


def configure(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("name", nargs="?", metavar="GROUP", help="a group, or a model (default: the only group, else all models)")
    add(
        "--calls",
        action="append",
        default=[],
        type=_calls,
        metavar="NAME=RATE",
        help=f"calls a second, instead of the group's `calls` (default: {RATE:g} each); can be repeated",
    )
    add("--trace", metavar="FILE", help="requests to play instead: a line each, `SECONDS NAME`")
    add("--seconds", metavar="N", type=options.whole(1), default=10, help="how long (default: 10)")
    add("--random", metavar="SEED", type=options.whole(0), help="calls at random times instead of evenly")
    add("--devices", metavar="N", type=options.whole(1), help="at most so many (default: as configured, 2 at least)")
    bench.add_device(parser)


def run(args: Namespace) -> int:
    from edgetpu_build.compiler.choices import choices
    from edgetpu_build.engine import members
    from edgetpu_build.latency import workload
    from edgetpu_build.report import simulate as report

    found = project.load(args)
    view, assumed = project.view(args, found), bench.device(args)
    group = members.read(found, args.name)
    calls = _rates(args, list(group.models), group.calls)
    requests = _requests(args, calls)
    asked = replace(group.options, segments=1, cuts=(), link=assumed.link, clock=assumed.clock)
    most = args.devices or max(2, found.config.device.count)
    rows = [
        (choice, workload.run(requests, choice.routes, choice.devices))
        for choice in choices(group.models, calls, asked, assumed, most)
    ]
    shown = {} if args.trace else calls
    text = report.human(rows, str(assumed), shown, output.style(view, sys.stdout))
    return output.answer(view, NAME, text, assumes=str(assumed), calls=shown, **report.to_json(rows))


def _calls(value: str) -> tuple[str, float]:
    name, _, rate = value.rpartition("=")
    try:
        number = float(rate)
    except ValueError:
        number = -1.0
    if not name or not 0 < number < 1e6:
        raise ArgumentTypeError(f"found `{value}`, allowed: NAME=RATE, calls a second")
    return name, number


def _rates(args: Namespace, names: list[str], configured: Mapping[str, float]) -> dict[str, float]:
    """Calls a second by model: as asked for, else as configured, else ten."""
    given = dict(args.calls)
    unknown = [name for name in given if name not in names]
    if unknown:
        hint = f"the models are {', '.join(names)}"
        raise error("ETB209", f"`--calls {unknown[0]}=...` names no model of the workload", hint)
    return {name: given.get(name, configured.get(name, RATE)) for name in names}


def _requests(args: Namespace, calls: dict[str, float]) -> list[Request]:
    from edgetpu_build.latency import workload

    if args.trace:
        return _played(args.trace, calls)
    if args.random is not None:
        return workload.at_random(calls, args.seconds, args.random)
    return workload.periodic(calls, args.seconds)


def _played(path: str, known: Mapping[str, float]) -> list[Request]:
    """The requests of a trace file: seconds and name a line; blank lines and `#` comments count nothing."""
    from edgetpu_build.engine import oneoff

    found: list[Request] = []
    for number, line in enumerate(oneoff.read(path).decode("utf-8", "replace").splitlines(), 1):
        words = line.partition("#")[0].split(maxsplit=1)
        if not words:
            continue
        try:
            at, name = float(words[0]), words[1].strip()
        except (ValueError, IndexError):
            raise error("ETB205", f"found `{line.strip()}`, allowed: SECONDS NAME", file=path, line=number) from None
        if name not in known:
            hint = f"the models are {', '.join(known)}"
            raise error("ETB209", f"`{name}` is no model of the workload", hint, file=path, line=number)
        if not 0 <= at < 1e9:
            raise error("ETB205", f"found `{words[0]}`, allowed: seconds from the start", file=path, line=number)
        found.append((at * 1000, name))
    if not found:
        raise error("ETB205", "the trace holds no request", file=path)
    return sorted(found)

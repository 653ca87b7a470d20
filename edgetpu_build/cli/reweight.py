"""`edgetpu-build reweight`: the artifact of a retrained model, from the one that its predecessor was compiled to."""

from __future__ import annotations

import os
import sys
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from edgetpu_build import files
from edgetpu_build.cli import output
from edgetpu_build.cli.output import View
from edgetpu_build.errors import error

if TYPE_CHECKING:
    from edgetpu_build.tflite.model import Model

NAME = "reweight"
HELP = "Put a retrained model's numbers into a compiled file"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("old", metavar="OLD", help="the model that was compiled")
    parser.add_argument("compiled", metavar="OLD_EDGETPU", help="what Google's compiler made of it")
    parser.add_argument("new", metavar="NEW", help="the same model with other weights and scales")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="what to write (default: NEW_edgetpu.tflite in the current folder)"
    )
    parser.add_argument("--explain", action="store_true", help="list what was proven of each operator")


def run(args: Namespace) -> int:
    from edgetpu_build.compiler.reweight import prove

    view, started = View.of(args), time.monotonic()
    target = args.output or f"{Path(args.new).stem}_edgetpu.tflite"
    _check(target, (args.old, args.compiled, args.new))
    found = prove(_read(args.old, model=True), _read(args.compiled, model=False), _read(args.new, model=True))
    files.write_atomic(target, found.data)
    from edgetpu_build.report import reweight as report

    made = report.Made(path=target, source=args.new, old=args.compiled, seconds=time.monotonic() - started)
    if view.json:
        return output.answer(view, NAME, "", units=[report.to_json(found, made)], reweighted=report.proof(found, made))
    return output.answer(view, NAME, report.human(found, made, output.style(view, sys.stdout), explain=args.explain))


def _check(target: str, sources: tuple[str, ...]) -> None:
    """ETB212 where the output would fall on an input."""
    for source in sources:
        if os.path.realpath(source) == os.path.realpath(target):
            raise error("ETB212", f"the output `{target}` falls on `{source}`", "name another with `-o`")


def _read(path: str, *, model: bool) -> Model:
    """ETB211 where there is no such file, ETB304 or ETB323 where it is compiled and should not be, or the other way."""
    from edgetpu_build.compiler.package import CUSTOM_OPERATORS
    from edgetpu_build.tflite.reader import read

    if not Path(path).is_file():
        found = "is not a regular file" if Path(path).exists() else "does not exist"
        raise error("ETB211", f"`{path}` {found}", "name a .tflite file", file=path)
    read_model = read(files.read_bytes(path), label=path)
    codes = {o.custom_code for s in read_model.subgraphs for o in s.operators} & set(CUSTOM_OPERATORS)
    if model and codes:
        raise error("ETB304", f"`{path}` is compiled already", "give the model that was compiled", file=path)
    if not model and CUSTOM_OPERATORS[0] not in codes:
        what = "is an artifact for the simulated device" if codes else "is not compiled"
        raise error("ETB323", f"`{path}` {what}", "give what Google's compiler wrote", file=path)
    return read_model

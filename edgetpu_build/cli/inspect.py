"""`edgetpu-build inspect`: what is in a .tflite file, ours or Google's; what two of them differ in."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from edgetpu_build.cli import output, pages
from edgetpu_build.cli.output import View
from edgetpu_build.errors import error

if TYPE_CHECKING:
    from edgetpu_build.compiler.inspection import Inspection

NAME = "inspect"
HELP = "Show what is in a .tflite or compiled file, or how two differ"


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a model or a compiled file")
    parser.add_argument("others", nargs="*", metavar="FILE2", help="what to compare it with; several are shown in turn")
    parser.add_argument("--html", type=pages.path, metavar="PAGE", help="write a page with pictures")


def run(args: Namespace) -> int:
    from edgetpu_build.compiler import inspection
    from edgetpu_build.report import inspect as report

    view = View.of(args)
    files = [read(path) for path in (args.file, *args.others)]
    style = output.style(view, sys.stdout)
    more = {}
    if len(files) == 2:
        blocks = [report.human_differences(files[0], files[1], style)]
        more["differences"] = report.differences_json(inspection.differences(files[0], files[1]))
    else:
        blocks = [report.human(found, style) for found in files]
    if len(files) > 1:
        blocks.append(report.human_tokens(files))
        more["shared_tokens"] = report.tokens_json(files)
    text = "\n\n".join(filter(None, blocks))
    if args.html:
        from edgetpu_build.report import html

        pages.write(view, args.html, html.render(html.of_files(files)))
    warnings = [warning for found in files for warning in found.warnings]
    return output.answer(view, NAME, text, units=[report.to_json(files)], diagnostics=warnings, **more)


def read(path: str) -> Inspection:
    """The file inspected; errors place themselves at its path."""
    from edgetpu_build.compiler.inspection import inspect

    file = Path(path)
    if not file.is_file():
        what = "is not a regular file" if file.exists() else "does not exist"
        raise error("ETB211", f"`{path}` {what}", "name a .tflite file")
    try:
        return inspect(file.read_bytes(), label=path)
    except OSError as problem:
        raise error("ETB501", f"`{path}` cannot be read: {problem.strerror}", "check its permissions") from None

"""`edgetpu-build schema`: the JSON Schema of `[tool.edgetpu]`, for editors and validators."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from edgetpu_build.cli import output

NAME = "schema"
HELP = "Print the JSON Schema of [tool.edgetpu]"


def configure(parser: ArgumentParser) -> None:
    """No options of its own: the schema is JSON in every format."""


def run(args: Namespace) -> int:
    from edgetpu_build.config.schema import schema

    output.emit_json(schema())
    return 0

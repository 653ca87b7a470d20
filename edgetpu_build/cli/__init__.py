"""The front door: `edgetpu-build` and `python -m edgetpu_build`.

What is asked for most often is answered first: a build with nothing to do and `--version` load nothing beyond os and
sys, a help page loads the table of commands, and only a real command loads its own module.
"""

import sys

INTERRUPTED = 130


def main(argv: "list[str] | None" = None) -> int:
    """The exit code of one run of the command; ``argv`` is what follows the program's name."""
    try:
        return _run(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(arguments: "list[str]") -> int:
    if arguments in (["--version"], ["-V"]):
        return _version()
    if arguments in (["--help"], ["-h"], ["help"]):
        from edgetpu_build.cli import commands

        return commands.print_help()
    done = _staged(arguments) if arguments[:2] == ["check", "--staged"] else _nothing_to_do(arguments)
    if done is not None:
        return done
    from edgetpu_build.cli import dispatch

    return dispatch.main(arguments)


def _nothing_to_do(arguments: "list[str]") -> "int | None":
    from edgetpu_build import noop

    return noop.main(arguments)


def _staged(arguments: "list[str]") -> "int | None":
    from edgetpu_build.cli import quick

    if arguments[2:] not in ([], ["-q"], ["--quiet"]):
        return None
    line = quick.answer_here()
    if line and not arguments[2:]:
        print(line)
    return 0 if line else None


def _version() -> int:
    from edgetpu_build import __version__

    print(f"edgetpu-build {__version__}")
    return 0

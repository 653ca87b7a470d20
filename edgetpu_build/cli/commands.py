"""The table of commands: the one source of the help page, of dispatch, of did-you-mean and of the reference page.

A command's module holds ``NAME``, ``HELP``, ``configure(parser)`` and ``run(args) -> int``; it is imported when it is
called and not before.
"""

from __future__ import annotations


class Command:  # no dataclass and no NamedTuple: the help page must not wait for `typing`, `re` and `inspect`
    """One command, and what the help page says of it.

    ``google_style``: the command stands in for one of Google's programs, so its short options are theirs (`-v` is
    `--version`) and so are its exit codes (0 or 1) unless JSON is asked for.
    """

    def __init__(
        self,
        name: str,
        help: str,  # noqa: A002 argparse's word for it
        group: str,
        *,
        google_style: bool = False,
        formats: tuple[str, ...] = ("human", "json", "github"),
    ) -> None:
        self.name = name
        self.help = help
        self.group = group
        self.google_style = google_style
        self.formats = formats

    @property
    def module(self) -> str:
        return f"edgetpu_build.cli.{self.name}"


GROUPS = {
    "project": "Your project",
    "look": "Look closer",
    "single": "Single files",
    "setup": "Set up",
}

COMMANDS: tuple[Command, ...] = (
    Command("build", "Bring compiled models, budgets and edgetpu.lock up to date", "project"),
    Command("check", "Check configuration, lock, outputs and budgets; compiles nothing", "project"),
    Command("watch", "Build now and at every change", "project"),
    Command("lock", "Write edgetpu.lock from what exists", "project"),
    Command(
        "diff",
        "Show what changed against the lock of a commit",
        "project",
        formats=("human", "json", "github", "markdown"),
    ),
    Command("verify", "Compare outputs with lock and store, or with a fresh compile", "project"),
    Command("explain", "Explain a model's fingerprint, a placement rule or an error code", "look"),
    Command("inspect", "Show what is in a .tflite or compiled file, or how two differ", "look"),
    Command("simulate", "Run a workload over devices, however its models can share them", "look"),
    Command("ops", "List the operators that the Edge TPU runs, and their limits", "look"),
    Command(
        "compile", "Compile models without a project, with edgetpu_compiler's options", "single", google_style=True
    ),
    Command("partition", "Cut a model into segments that take equally long", "single"),
    Command("bench", "Predict latency by operator, segment and pipeline", "single"),
    Command("run", "Run a compiled model, or its segments, on a simulated or real device", "single"),
    Command("reweight", "Put a retrained model's numbers into a compiled file", "single"),
    Command("init", "Write [tool.edgetpu] into pyproject.toml", "setup"),
    Command("add", "Add models to [tool.edgetpu]", "setup"),
    Command("doctor", "Say what was found, what is missing and what to do", "setup"),
    Command("cache", "Show, prune, clear or verify the store", "setup"),
    Command("schema", "Print the JSON Schema of [tool.edgetpu]", "setup"),
)

GLOBAL_OPTIONS = (
    ("--project DIR", "the folder of pyproject.toml (default: here or the nearest above)"),
    ("--format FORM", "human, json (one object on stdout) or github (annotations)"),
    ("-q, --quiet", "say less: errors and warnings; twice: errors"),
    ("-v, --verbose", "say more: every unit, reasons"),
    ("--color WHEN", "auto, always or never"),
    ("-h, --help", "this page, or a command's"),
    ("--version", "the version"),
)

USAGE = "edgetpu-build COMMAND [options]"


def find(name: str) -> Command | None:
    return next((command for command in COMMANDS if command.name == name), None)


def help_page() -> str:
    """The page of `edgetpu-build --help`, readable at 80 columns."""
    lines = ["Edge TPU models, compiled as part of your Python package's build.", "", f"usage: {USAGE}"]
    for group, title in GROUPS.items():
        lines += ["", f"{title}:"]
        lines += [f"  {c.name:<10}{c.help}" for c in COMMANDS if c.group == group]
    lines += ["", "Options of every command:"]
    lines += [f"  {option:<16}{text}" for option, text in GLOBAL_OPTIONS]
    lines += ["", "`edgetpu-build COMMAND --help` shows a command's own options."]
    return "\n".join(lines) + "\n"


def print_help() -> int:
    print(help_page(), end="")
    return 0

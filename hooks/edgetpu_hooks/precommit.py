"""The two pre-commit hooks: thin doors from `pre-commit` to ``engine.check`` and ``engine.build``.

Both are quiet when all is well, need no network, and look at every project of the repository that has `[tool.edgetpu]`,
or at those that `--project` names. git itself is asked what is staged, in the environment that git gave us: under `git
commit FILE` that is another index than usual. Nothing is imported before it is needed: most commits change no model.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing's own would have to be imported
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edgetpu_build.engine.outcome import Outcome
    from edgetpu_build.errors import Diagnostic

    Judge = Callable[[Path], list[Diagnostic]]

_NO_TABLE = "ETB202"
_INTERRUPTED = 130


def check(argv: list[str] | None = None) -> int:
    """`edgetpu-check`: judge what is staged. Compiles nothing and needs no compiler."""
    from edgetpu_build.cli import quick

    arguments = sys.argv[1:] if argv is None else argv
    if not arguments and quick.all_in_order(os.environ):
        return 0
    judged: list[Path] = []
    code = _run(_check, arguments, "--cached", judged)
    if not arguments and not code:
        quick.remember_all(map(str, judged), os.environ)
    return code


def build(argv: list[str] | None = None) -> int:
    """`edgetpu-build`: build; 1 if that wrote what a commit should hold, and the `git add` that adds it."""
    return _run(_build, sys.argv[1:] if argv is None else argv, "--untracked", [])


def _check(root: Path) -> list[Diagnostic]:
    from edgetpu_build.cli import quick
    from edgetpu_build.config.model import Config
    from edgetpu_build.engine.check import check
    from edgetpu_build.engine.project import Project
    from edgetpu_build.store import open_store

    # Not Project.load: the pyproject.toml of the work tree may be another than the staged one, or not there at all.
    project = Project(root=root, config=Config(), env=os.environ, store=open_store(os.environ))
    before = quick.entries(str(root), os.environ)
    outcome = check(project, staged=True)
    quick.remember(str(root), os.environ, outcome, before)
    return _findings(outcome)


def _build(root: Path) -> list[Diagnostic]:
    from edgetpu_build.engine.build import build
    from edgetpu_build.engine.project import Project
    from edgetpu_build.errors import error

    outcome = build(Project.load(root, os.environ))
    found = _findings(outcome)
    paths = _to_stage(root, outcome)
    if paths:
        import shlex

        names = shlex.join(os.path.relpath(root / path) for path in paths)
        message = f"{len(paths)} file{'s were' if len(paths) > 1 else ' was'} written that the commit does not hold yet"
        found += error("ETB108", message, f"run `git add {names}`").diagnostics
    return found


def _findings(outcome: Outcome) -> list[Diagnostic]:
    """Everything if something is wrong, else nothing."""
    return list(outcome.all_diagnostics) if outcome.exit_code else []


def _to_stage(root: Path, outcome: Outcome) -> list[str]:
    """What the build wrote or removed, less what git ignores or never knew."""
    from edgetpu_build.engine import git

    written = dict.fromkeys(outcome.written)
    ignored = git.ignored(root, written, os.environ) or frozenset()
    index = git.index(git.listing(root, os.environ) or b"")
    return [path for path in written if path in index or (path not in ignored and (root / path).exists())]


def _run(judge: Judge, arguments: list[str], where: str, judged: list[Path]) -> int:
    """The exit code over all projects, which ``judged`` collects."""
    from edgetpu_build.errors import EdgeTpuBuildError, exit_code

    found: list[Diagnostic] = []
    try:
        for root in _named(arguments) or _projects(where):
            try:
                found += judge(root)
            except EdgeTpuBuildError as problem:
                if [told.code for told in problem.diagnostics] == [_NO_TABLE]:
                    continue
                found += problem.diagnostics
            judged.append(root)
    except KeyboardInterrupt:
        return _INTERRUPTED
    if not judged:
        found.append(_nothing_found())
    if found:
        from edgetpu_build.report.diagnostics import render_all

        print(render_all(found), file=sys.stderr)  # noqa: T201 - this is a program
    return exit_code(found)


def _named(arguments: list[str]) -> list[Path]:
    from argparse import ArgumentParser
    from pathlib import Path

    parser = ArgumentParser()
    parser.add_argument("--project", metavar="DIR", action="append", default=[], help="a folder with a pyproject.toml")
    parser.add_argument("files", nargs="*", help="ignored: a lock is right or wrong as a whole")
    return [Path(folder).resolve() for folder in parser.parse_args(arguments).project]


def _projects(where: str) -> Iterator[Path]:
    """Folders of the repository whose pyproject.toml speaks of us; the current one where there is no repository."""
    import subprocess
    from pathlib import Path

    command = ["git", "grep", where, "--files-with-matches", "--fixed-strings", "--null", "edgetpu", "--"]
    done = subprocess.run([*command, ":(glob)**/pyproject.toml"], capture_output=True, check=False)
    if done.returncode > 1:
        yield Path.cwd()
    for name in sorted(filter(None, done.stdout.split(b"\0"))):
        yield Path(os.fsdecode(name)).parent.resolve()


def _nothing_found() -> Diagnostic:
    from edgetpu_build.errors import Diagnostic

    hint = "run `git add pyproject.toml`, or name the folder: `args: [--project, DIR]`"
    return Diagnostic(code=_NO_TABLE, message="no pyproject.toml in git has a `[tool.edgetpu]` table", hint=hint)

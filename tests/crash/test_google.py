"""A hundred builds killed while Google's compiler works: no process, no temporary file, no half output.

Every process of a build carries a mark in its environment, so none can hide: not by another group, nor another session.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from edgetpu_build.compiler.google.guard import PREFIX
from tests.crash.project import COMMAND, PYPROJECT, Tree
from tests.support.store_check import temps

pytestmark = [
    pytest.mark.crash,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]
ROUNDS = 100
AT_ONCE = 4
MARK = "EDGETPU_TEST_MARK"
COMPILER = """\
#!/bin/sh
case "$*" in *version*) echo "Edge TPU Compiler version 16.0.384591198"; exit 0;; esac
echo half > out/model0_edgetpu.tflite
echo scratch > "$TMPDIR/scratch"
trap '' TERM
setsid sleep 600 &
sleep 600 &
echo $$ > {started}
wait
"""
HOW = ("build", "group", "term", "interrupt", "worker")


@pytest.mark.parametrize("lane", range(AT_ONCE))
def test_killed_builds_leave_nothing(tmp_path: Path, lane: int) -> None:
    """A quarter of the rounds each, several at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(
            lambda number: _round(tmp_path / str(number), HOW[number % len(HOW)]), range(ROUNDS // AT_ONCE)
        )
        assert [left for left in found if left] == []


def _round(folder: Path, how: str) -> list[str]:
    """One build, killed in the midst of its compile; everything that was left."""
    tree, mark = _tree(folder), str(folder)
    started = os.open(folder / "started", os.O_RDWR)
    environment = tree.environment(TMPDIR=str(folder / "tmp"), **{MARK: mark})
    build = _start(tree, environment)
    ended = os.pidfd_open(build)
    assert select.select([started, ended], [], [], 120)[0] == [started], "the compiler was never started"
    os.close(started)
    os.close(ended)
    _kill(build, how, mark)
    os.waitpid(build, 0)
    left = [f"process {pid}" for pid in _awaited(mark)]
    left += [f"folder {name}" for name in os.listdir(folder / "tmp") if name.startswith(PREFIX)]
    return left + [f"output {name}" for name in tree.products()] + [str(path) for path in temps(folder)]


def _tree(folder: Path) -> Tree:
    tree = Tree(folder / "project", folder / "store")
    tree.write()
    (folder / "tmp").mkdir()
    os.mkfifo(folder / "started")
    script = folder / "compiler"
    script.write_text(COMPILER.format(started=folder / "started"))
    script.chmod(0o755)
    text = PYPROJECT.replace('"builtin"', f'"google"\ncompiler-command = ["{script}"]')
    (tree.root / "pyproject.toml").write_text(text)
    return tree


def _start(tree: Tree, environment: dict[str, str]) -> int:
    """Without pipes: nothing but the kill ends it."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    command = ["env", "-C", str(tree.root), *COMMAND, "build", "-j1"]
    actions = [(os.POSIX_SPAWN_DUP2, nowhere, fd) for fd in (0, 1, 2)]
    try:
        return os.posix_spawnp(command[0], command, environment, file_actions=actions, setsid=True)
    finally:
        os.close(nowhere)


def _kill(build: int, how: str, mark: str) -> None:
    if how == "build":
        os.kill(build, signal.SIGKILL)
    elif how == "group":
        os.killpg(build, signal.SIGKILL)
    elif how == "term":
        os.killpg(build, signal.SIGTERM)
    elif how == "interrupt":
        os.killpg(build, signal.SIGINT)
    else:  # the process that compiles, and the build with it
        workers = [pid for pid, command in _marked(mark) if b"engine.worker" in command]
        for pid in (*workers, build):
            os.kill(pid, signal.SIGKILL)


def _marked(mark: str) -> Iterator[tuple[int, bytes]]:
    wanted = f"{MARK}={mark}".encode()
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError):
                if wanted in Path(f"/proc/{name}/environ").read_bytes().split(b"\0"):
                    yield int(name), Path(f"/proc/{name}/cmdline").read_bytes()


def _awaited(mark: str) -> list[int]:
    """Processes that do not end within the time that the guard is given."""
    while found := [pid for pid, _ in _marked(mark)]:
        with suppress(ProcessLookupError):
            ended = os.pidfd_open(found[0])
            try:
                if not select.select([ended], [], [], 20)[0]:
                    return found
            finally:
                os.close(ended)
    return []

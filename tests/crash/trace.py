"""Kills and faults at exact system calls, by strace. One run shows which calls touch a tree; each can then be hit.

strace counts calls a thread, so the n-th call of the traced run is the n-th of the next if the program does the same.
With one job every file is written by the main thread, and only that is traced; with more, all threads are.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash.project import Tree

CHANGES = ("openat", "write", "fsync", "rename", "unlink", "utimensat", "mkdir", "flock")
_LINE = re.compile(r"(?:(?P<thread>\d+) +)?(?P<call>\w+)\((?P<rest>.*)")
_WRITES = ("O_CREAT", "O_WRONLY", "O_RDWR")


@dataclass(frozen=True)
class Moment:
    """The ``n``-th ``call`` of the main thread, or of whichever thread comes first."""

    call: str
    n: int
    all_threads: bool

    def kill(self) -> tuple[str, ...]:
        """The command prefix that ends the process there."""
        return self._inject("signal=SIGKILL")

    def fail(self, error: str) -> tuple[str, ...]:
        """The command prefix that lets the call fail there, and nowhere else."""
        return self._inject(f"error={error}")

    def _inject(self, what: str) -> tuple[str, ...]:
        inject = f"inject={self.call}:{what}:when={self.n}"
        return (*_strace(self.all_threads), "-o", "/dev/null", "-e", f"trace={self.call}", "-e", inject)


def moments(tree: Tree, log: Path, jobs: int) -> list[Moment]:
    """Every call of a whole build that changes a file of the tree or its store, in order of time."""
    needs_strace()
    trace = (*_strace(jobs > 1), "-y", "-o", str(log), "-e", f"trace={','.join(CHANGES)}")
    done = tree.build(f"-j{jobs}", under=trace)
    assert done.returncode == 0, done.stderr
    count: Counter[tuple[str, str]] = Counter()
    found: dict[Moment, None] = {}
    for line in log.read_text(errors="replace").splitlines():
        match = _LINE.match(line)
        if not match:
            continue
        thread, call = match["thread"] or "", match["call"]
        count[thread, call] += 1
        if _touches(tree, call, match["rest"]):
            found[Moment(call, count[thread, call], jobs > 1)] = None
    return list(found)


def needs_strace() -> None:
    """Skips the test where there is none, or where it may not trace."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode:
        pytest.skip("tracing is not allowed here")


def _strace(all_threads: bool) -> tuple[str, ...]:
    return ("strace", "-qq", *(["-f"] if all_threads else []))


def _touches(tree: Tree, call: str, rest: str) -> bool:
    if str(tree.root) not in rest and str(tree.store) not in rest:
        return False
    return call != "openat" or any(flag in rest for flag in _WRITES)

"""Whole processes, timed against a peer in the same run: taken in turns, so that a busy machine hurts both alike."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """A command in a folder. ``before`` is called ahead of each run and not timed."""

    command: Sequence[str]
    cwd: Path | None = None
    env: dict[str, str] | None = None
    before: Callable[[], None] | None = None


@dataclass(frozen=True)
class Timing:
    """Seconds of each run, and the most memory that any of them held (bytes)."""

    seconds: tuple[float, ...]
    peak: int

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def run_once(job: Job) -> tuple[float, int]:
    """(seconds, peak resident bytes) of one run; its failure ends the benchmark."""
    if job.before:
        job.before()
    env = dict(job.env or os.environ)
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # it would measure how long Python takes to compile our sources
    begun = time.perf_counter()
    process = subprocess.Popen(job.command, cwd=job.cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(job.command)} ended with {process.returncode}:\n{errors.decode()[-2000:]}")
    return seconds, usage.ru_maxrss * 1024


def measure(jobs: dict[str, Job], runs: int) -> dict[str, Timing]:
    """Every job ``runs`` times, in turns, after one run each that does not count."""
    for job in jobs.values():
        run_once(job)
    taken: dict[str, list[tuple[float, int]]] = {name: [] for name in jobs}
    for _ in range(runs):
        for name, job in jobs.items():
            taken[name].append(run_once(job))
    return {name: Timing(tuple(s for s, _ in pairs), max(peak for _, peak in pairs)) for name, pairs in taken.items()}

"""A scheduler and workers as processes of their own, as on other machines; one farm for a module."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")

ROOT = Path(__file__).resolve().parents[2]


class Cluster:
    """``address`` as `--executor` takes it."""

    def __init__(self, folder: Path, workers: int, *options: str) -> None:
        self.folder = folder
        home = {"HOME": str(folder), "EDGETPU_BUILD_CACHE_DIR": str(folder / "none"), "PYTHONPATH": str(ROOT)}
        dask = {"SCHEDULER__ALLOWED_FAILURES": "10", "COMM__TIMEOUTS__CONNECT": "1s"}
        self._env = {**os.environ, **home, **{f"DASK_DISTRIBUTED__{name}": value for name, value in dask.items()}}
        self._processes = [self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")]
        self.client: Any = distributed.Client(
            scheduler_file=str(folder / "scheduler.json"), set_as_default=False, timeout=60
        )
        self.address = self.client.scheduler.address.replace("tcp://", "dask://")
        if workers:
            self.add(workers, *options)

    def add(self, workers: int, *options: str) -> None:
        known = len(self.pids)
        self._processes.append(
            self._start("worker", "--nworkers", str(workers), "--no-dashboard", *(options or ("--nthreads", "1")))
        )
        self.client.wait_for_workers(known + workers, timeout=60)

    @property
    def pids(self) -> list[int]:
        return sorted(self.client.run(os.getpid).values())

    def close(self) -> None:
        self.client.shutdown()
        for process in self._processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        more = ("--scheduler-file", str(self.folder / "scheduler.json"))
        local = ("--local-directory", str(self.folder)) if what == "worker" else ()
        command = [sys.executable, "-m", "dask", what, *options, *more, *local]
        with (self.folder / f"{what}.log").open("ab") as log:
            return subprocess.Popen(command, env=self._env, cwd=self.folder, stdout=log, stderr=log)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    found = Cluster(tmp_path_factory.mktemp("farm"), 2)
    try:
        yield found
    finally:
        found.close()

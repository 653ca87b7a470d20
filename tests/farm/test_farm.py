"""Builds on a farm of real processes: same answers, each unit compiled once, deaths that cost their own job alone."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from edgetpu_build.engine import farm as farm_module
from edgetpu_build.engine.build import build
from edgetpu_build.engine.farm import Farm, place_of
from edgetpu_build.engine.outcome import Outcome
from edgetpu_build.errors import EdgeTpuBuildError
from tests.farm.conftest import Cluster
from tests.support.backend import StandIn
from tests.support.project import Yard, codes, states, unit
from tests.support.server import nobody

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # dask's own, of its own making
]

MANY = '[tool.edgetpu]\nout-dir = "out"\n[tool.edgetpu.models.m]\nsource = "m*.tflite"\n'


def many(folder: Path, count: int, more: str = "") -> Yard:
    yard = Yard.at(folder)
    yard.config(MANY)
    for number in range(count):
        yard.write(f"m{number}.tflite", f"model {number} {more}")
    return yard


class TestBuilds:
    def test_the_same_as_here(self, cluster: Cluster, tmp_path: Path) -> None:
        here, there = many(tmp_path / "here", 12), many(tmp_path / "there", 12)
        assert set(states(here.build()).values()) == {"compiled"}
        project = there.project(EDGETPU_BUILD_CACHE_DIR=str(tmp_path / "cache"))
        outcome = build(project, farm=cluster.address)
        assert set(states(outcome).values()) == {"compiled"}
        assert codes(outcome) == []
        assert {path: there.read(path) for path in there.files} == {path: here.read(path) for path in here.files}
        assert sorted(there.compiles) == sorted(here.compiles)

    def test_a_farm_is_not_asked_for_what_is_there(self, tmp_path: Path) -> None:
        yard = many(tmp_path, 3)
        yard.build()
        (yard.root / "edgetpu.lock").unlink()
        assert set(states(yard.build(farm=nobody().replace("http", "dask"))).values()) == {"cached"}

    def test_errors_are_those_of_here(self, cluster: Cluster, tmp_path: Path) -> None:
        yard = many(tmp_path, 2)
        yard.write("m0.tflite", "fail")
        outcome = yard.build(farm=cluster.address)
        assert states(outcome) == {"m[m0]": "failed", "m[m1]": "compiled"}
        assert unit(outcome, "m[m0]").diagnostics[0].hint == "make it well"

    def test_a_time_limit_is_one_there_too(self, cluster: Cluster, tmp_path: Path) -> None:
        yard = many(tmp_path, 2)
        yard.config(MANY + 'timeout = "300 ms"\n')
        yard.write("m0.tflite", "hang")
        outcome = yard.build(farm=cluster.address)
        assert states(outcome) == {"m[m0]": "failed", "m[m1]": "compiled"}
        assert codes(outcome) == ["ETB313"]

    def test_a_poisoned_model_ends_in_its_own_error_and_kills_no_worker(self, cluster: Cluster, tmp_path: Path) -> None:
        pids = cluster.pids
        yard = many(tmp_path, 6)
        yard.write("m0.tflite", "die")
        outcome = yard.build(farm=cluster.address)
        assert codes(outcome) == ["ETB312"]
        assert "SIGKILL" in unit(outcome, "m[m0]").diagnostics[0].message
        assert sorted(yard.compiles).count("m0.tflite") == 2
        assert list(states(outcome).values()).count("compiled") == 5
        assert cluster.pids == pids

    def test_a_killed_worker_costs_what_it_was_at(self, cluster: Cluster, tmp_path: Path) -> None:
        yard = many(tmp_path, 8, "sleep=0.3 ")
        killed = threading.Event()

        def kill_one(_name: str, doing: str) -> None:
            if doing == "done" and not killed.is_set():
                killed.set()
                os.kill(cluster.pids[0], signal.SIGKILL)

        outcome = yard.build(farm=cluster.address, progress=kill_one)
        assert killed.is_set()
        assert set(states(outcome).values()) == {"compiled"}
        assert len(yard.compiles) <= 8 + 1
        assert len(set(yard.compiles)) == 8
        cluster.client.wait_for_workers(2, timeout=60)

    def test_two_clients_share_one_compile(self, cluster: Cluster, tmp_path: Path) -> None:
        yards = [many(tmp_path / name, 4, "sleep=0.5 ") for name in ("one", "two")]
        shared = StandIn(log=str(tmp_path / "log"))
        together = threading.Barrier(2)
        outcomes: list[Outcome] = []

        def run(yard: Yard) -> None:
            project = yard.project(EDGETPU_BUILD_CACHE_DIR=str(yard.root.parent / "cache"))
            together.wait()
            outcomes.append(build(replace(project, backend=shared), farm=cluster.address))

        threads = [threading.Thread(target=run, args=(yard,)) for yard in yards]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [set(states(outcome).values()) for outcome in outcomes] == [{"compiled"}] * 2
        assert {path: yards[0].read(path) for path in yards[0].files} == {
            path: yards[1].read(path) for path in yards[1].files
        }
        assert len(shared.compiles()) < 8

    def test_another_compiler_there_is_refused(self, cluster: Cluster, tmp_path: Path) -> None:
        yard = many(tmp_path, 1)
        other = Changing(log=str(tmp_path / "log"))
        outcome = build(replace(yard.project(), backend=other), farm=cluster.address)
        assert codes(outcome) == ["ETB404"]
        assert "a worker of the farm has builtin 16.0" in unit(outcome, "m[m0]").diagnostics[0].message
        assert outcome.exit_code == 4
        assert other.compiles() == []


class Changing(StandIn):
    """Says of itself another thing in each process."""

    def identify(self):
        return replace(super().identify(), identity=str(os.getpid()))


class TestNoFarm:
    def test_nobody_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(farm_module, "REACH", 0.5)
        yard = many(tmp_path, 3)
        outcome = yard.build(farm=nobody().replace("http", "dask"))
        assert codes(outcome) == ["ETB404"] * 3
        assert "cannot be reached" in unit(outcome, "m[m0]").diagnostics[0].message
        assert outcome.exit_code == 4
        assert yard.compiles == []

    def test_without_the_extra(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "distributed", None)
        outcome = many(tmp_path, 1).build(farm="dask://h:1")
        assert codes(outcome) == ["ETB215"]
        assert "edgetpu-build[farm]" in unit(outcome, "m[m0]").diagnostics[0].hint

    @pytest.mark.parametrize("address", ["", "dask://", "dask://h", "tcp://h:1", "dask://u@h:1", "dask://h:1/x"])
    def test_other_addresses(self, address: str) -> None:
        with pytest.raises(EdgeTpuBuildError) as caught:
            Farm(address)
        assert caught.value.exit_code == 2

    def test_addresses(self) -> None:
        assert place_of("dask://host:8786") == "host:8786"
        assert place_of("dask://[::1]:8786/") == "[::1]:8786"


class TestResources:
    def test_only_so_many_at_once_on_a_worker_with_many_threads(
        self, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
    ) -> None:
        """A worker with eight threads that declares one `compile`: eight compiles of 0.2 s cannot overlap."""
        narrow = Cluster(tmp_path_factory.mktemp("narrow"), 0)
        try:
            narrow.add(1, "--nthreads", "8", "--resources", "compile=1")
            yard = many(tmp_path, 4, "alone ")
            outcome = build(replace(yard.project(), backend=Alone(log=str(tmp_path / "log"))), farm=narrow.address)
            assert set(states(outcome).values()) == {"compiled"}
        finally:
            narrow.close()


class Alone(StandIn):
    """Fails where another compile runs at the same time."""

    def compile(self, request, *, timeout, progress):
        alone = Path(self.log + ".lock")
        with alone.open("x"):
            try:
                request = replace(
                    request,
                    sources=tuple(replace(one, data=one.data + b" sleep=0.1 ") for one in request.sources),
                )
                return super().compile(request, timeout=timeout, progress=progress)
            finally:
                alone.unlink()

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgetpu_build.compiler.interface import Request, Source
from edgetpu_build.engine.executor import compiling, here, in_slots
from edgetpu_build.engine.workers import BugError, Workers
from edgetpu_build.errors import EdgeTpuBuildError
from tests.support.backend import StandIn


def request(content: bytes = b"x") -> Request:
    return Request(sources=(Source(label="m.tflite", data=content),))


def silent(text: str) -> None:
    pass


@pytest.fixture
def backend(tmp_path: Path) -> StandIn:
    return StandIn(log=str(tmp_path / "log"))


class TestSlots:
    def test_each_answer_comes_once(self) -> None:
        assert sorted(in_slots(lambda n: n * n, range(20), 3)) == [n * n for n in range(20)]

    def test_an_exception_is_raised_where_it_is_seen(self) -> None:
        def do(n: int) -> int:
            if n == 3:
                raise ZeroDivisionError
            return n

        with pytest.raises(ZeroDivisionError):
            list(in_slots(do, range(9), 2))

    def test_closing_starts_nothing_more(self) -> None:
        begun: list[int] = []
        answers = in_slots(lambda n: begun.append(n) or n, range(1000), 1)
        next(answers)
        answers.close()  # type: ignore[attr-defined]
        assert len(begun) < 1000 or begun[-1] == 999

    def test_they_run_at_the_same_time(self) -> None:
        import threading

        together = threading.Barrier(3, timeout=30)
        assert len(list(in_slots(lambda _: together.wait(), range(3), 3))) == 3


class TestWorkers:
    def test_a_result_comes_back_with_progress(self, backend: StandIn) -> None:
        told: list[str] = []
        with Workers() as workers:
            result = workers.compile(backend, request(), 60, told.append)
        assert result.members[0].artifact.startswith(b"compiled ")
        assert told == ["standing in"]
        assert result == here(backend, request(), 60, silent)

    def test_a_users_error_stays_one(self, backend: StandIn) -> None:
        with Workers() as workers, pytest.raises(EdgeTpuBuildError) as caught:
            workers.compile(backend, request(b"fail"), 60, silent)
        assert caught.value.diagnostics[0].hint == "make it well"

    def test_a_bug_keeps_its_traceback(self, backend: StandIn) -> None:
        with Workers() as workers, pytest.raises(BugError, match=r"in _misbehave[\s\S]*ZeroDivisionError"):
            workers.compile(backend, request(b"bug"), 60, silent)

    def test_one_process_serves_many_compiles(self, backend: StandIn) -> None:
        with Workers() as workers:
            workers.compile(backend, request(), 60, silent)
            (first,) = workers._workers.values()
            workers.compile(backend, request(b"y"), 60, silent)
            assert list(workers._workers.values()) == [first]

    def test_after_a_death_another_takes_over(self, backend: StandIn) -> None:
        with Workers() as workers:
            with pytest.raises(EdgeTpuBuildError) as caught:
                workers.compile(backend, request(b"die"), 60, silent)
            assert caught.value.diagnostics[0].code == "ETB312"
            assert workers.compile(backend, request(), 60, silent).members

    def test_one_death_may_be_an_accident_two_are_not(self, backend: StandIn) -> None:
        with Workers() as workers, pytest.raises(EdgeTpuBuildError):
            workers.compile(backend, request(b"die"), 60, silent)
        assert len(backend.compiles()) == 2
        killed: list[int] = []

        def kill(_told: str) -> None:
            if not killed:
                (worker,) = workers._workers.values()
                killed.append(worker._process.pid)
                worker.kill()

        with Workers() as workers:
            assert workers.compile(backend, request(), 60, kill).members
        assert killed

    def test_time_is_a_real_bound(self, backend: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("edgetpu_build.engine.workers.GRACE", 0.0)
        with Workers() as workers:
            with pytest.raises(EdgeTpuBuildError) as caught:
                workers.compile(backend, request(b"hang"), 0.3, silent)
            assert caught.value.diagnostics[0].code == "ETB313"
            (worker,) = workers._workers.values()
            assert worker.ended

    def test_a_large_model_goes_through(self, backend: StandIn) -> None:
        with Workers() as workers:
            content = b"z" * (5 << 20)
            assert workers.compile(backend, request(content), 60, silent).members[0].artifact.endswith(content)


class TestHere:
    def test_time_is_a_real_bound(self, backend: StandIn) -> None:
        with pytest.raises(EdgeTpuBuildError) as caught:
            here(backend, request(b"hang"), 0.05, silent)
        assert caught.value.diagnostics[0].code == "ETB313"

    def test_the_timer_is_put_back(self, backend: StandIn) -> None:
        before = signal.getsignal(signal.SIGALRM)
        here(backend, request(), 60, silent)
        assert signal.getsignal(signal.SIGALRM) == before
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize(("weights", "alone"), [([1], True), ([1, 1], False), ([1 << 40], False)])
def test_only_a_lone_small_unit_is_compiled_here(weights: list[int], alone: bool) -> None:
    with compiling(weights, 2) as (_, compile_):
        assert (compile_ is here) == alone


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_parent_that_dies_while_it_writes_takes_its_worker_along() -> None:
    script = "from edgetpu_build.engine.worker import main; main()"
    worker = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
    )
    worker.communicate((1000).to_bytes(8, "little") + b"half of it", timeout=30)
    assert worker.returncode == -signal.SIGKILL


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_build_leaves_nobody_behind(tmp_path: Path, sent: signal.Signals) -> None:
    """By Ctrl-C the parent ends its workers; if it is killed outright, they see that nobody listens."""
    script = f"""
import os, sys
from pathlib import Path
from edgetpu_build.engine import workers as w
from tests.support.project import Yard
yard = Yard.at(Path({str(tmp_path)!r}))
yard.models(a="a.tflite", b="b.tflite")
yard.write("a.tflite", "hang"), yard.write("b.tflite", "hang, too")
start = w._Worker.__init__
def told(self):
    start(self)
    os.write(1, b"%d\\n" % self._process.pid)
w._Worker.__init__ = told
yard.build(jobs=2)
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as build:
        assert build.stdout is not None
        try:
            workers = [int(build.stdout.readline()) for _ in range(2)]
            assert all(map(alive, workers))
            build.send_signal(sent)
            assert build.wait(timeout=30) != 0
        finally:
            build.kill()
    deadline = time.monotonic() + 30
    while any(map(alive, workers)) and time.monotonic() < deadline:
        os.sched_yield()
    assert not any(map(alive, workers))

"""What a compile without a project leaves behind, and what it never does."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from edgetpu_build.compiler.interface import Identity, MemberResult, Options, Result, SegmentResult
from edgetpu_build.engine import oneoff
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.figure import Figures

BUILTIN = Identity(name="builtin", version="0", identity="0", target="simulator")


def code_of(caught: pytest.ExceptionInfo[EdgeTpuBuildError]) -> str:
    return caught.value.diagnostics[0].code


def result(*members: MemberResult) -> Result:
    return Result(compiler=BUILTIN, options=Options(), members=members)


def whole(label: str) -> MemberResult:
    log = "first\nInput: {input}\nOutput: {output}\n"
    return MemberResult(label=label, figures=Figures(), operators=(), artifact=b"artifact", log=log)


def for_ever() -> None:
    while True:
        pass


def test_time_is_bounded_wherever_it_is_spent() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(EdgeTpuBuildError) as caught, oneoff.bounded(0.01):
        for_ever()
    assert code_of(caught) == "ETB313"
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_the_bound_is_lifted_afterwards() -> None:
    with oneoff.bounded(60):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_other_threads_are_left_alone() -> None:
    seen: list[float] = []

    def work() -> None:
        with oneoff.bounded(60):
            seen.append(signal.getitimer(signal.ITIMER_REAL)[0])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [0.0]


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(b"abc")
    os.mkfifo(tmp_path / "fifo")
    assert oneoff.read(str(tmp_path / "a.tflite")) == b"abc"
    for path in (tmp_path, tmp_path / "fifo", tmp_path / "none"):
        with pytest.raises(EdgeTpuBuildError) as caught:
            oneoff.read(str(path))
        assert code_of(caught) == "ETB211"


def test_files_are_named_after_the_model(tmp_path: Path) -> None:
    made = oneoff.pieces(result(whole("x/a.b.tflite")), ["x/a.b.tflite"], [7], str(tmp_path))
    ((piece,),) = made
    oneoff.write([piece], keep_segments=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.b_edgetpu.log", "a.b_edgetpu.tflite"]
    assert (tmp_path / "a.b_edgetpu.log").read_text() == f"first\nInput: x/a.b.tflite\nOutput: {piece.output}\n"
    assert piece.published.size == len(b"artifact")


@pytest.mark.parametrize("keep", [True, False])
def test_segments_are_numbered_and_plain_ones_kept_on_demand(tmp_path: Path, *, keep: bool) -> None:
    segments = tuple(
        SegmentResult(index=i, operators=(i,), inputs=(), outputs=(), figures=Figures(), artifact=b"a", plain=b"plain")
        for i in range(2)
    )
    member = MemberResult(label="a.tflite", figures=Figures(), operators=(), segments=segments)
    (made,) = oneoff.pieces(result(member), ["a.tflite"], [7], str(tmp_path))
    oneoff.write(made, keep_segments=keep)
    names = {f"a_segment_{i}_of_2{end}" for i in range(2) for end in ("_edgetpu.log", "_edgetpu.tflite")}
    plain = {f"a_segment_{i}_of_2.tflite" for i in range(2)}
    assert {path.name for path in tmp_path.iterdir()} == (names | plain if keep else names)
    assert [piece.block().source_size for piece in made] == [5, 5]

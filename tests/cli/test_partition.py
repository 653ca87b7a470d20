"""`partition` writes what it found, says what it takes, refuses what it cannot do and goes on where it was stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edgetpu_build import cli
from edgetpu_build.compiler import balance
from edgetpu_build.compiler.interface import Options
from edgetpu_build.tflite import reader
from tests.support.models import Net


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of convolutions, the first of which is by far the slowest."""
    net = Net()
    x = net.conv(net.input((1, 64, 64, 8)), 32, 5)
    for _ in range(7):
        x = net.conv(x, 32, 3)
    path = tmp_path / "chain.tflite"
    path.write_bytes(net.build([x]))
    monkeypatch.chdir(tmp_path)
    return path


def answer(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, dict[str, object]]:
    code = cli.main(["partition", "--format", "json", "--output_dir", "out", *argv])
    return code, json.loads(capsys.readouterr().out)


def test_segments_compiled_and_plain_and_logs_are_written(chain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.main(
        ["partition", "--num_segments", "5", "--diff_threshold_ns", "1000", "--output_dir", "out", "chain.tflite"]
    )
    assert code == 0
    shown = capsys.readouterr().out
    assert "Segments have been saved under out" in shown
    assert "segment 4" in shown
    names = {f"chain_segment_{i}_of_5{end}" for i in range(5) for end in (".tflite", "_edgetpu.tflite", "_edgetpu.log")}
    assert {path.name for path in (chain.parent / "out").iterdir()} == names


def test_it_is_never_slower_than_num_segments_alone(chain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document = answer(
        capsys, "--num_segments", "3", "--diff_threshold_ns", "1000", "--model_path", "chain.tflite"
    )
    assert code == 0
    told = document["partition"]
    assert isinstance(told, dict)
    model = reader.read(chain.read_bytes(), label="chain")
    cost = balance.predicted(model, Options(segments=3))
    google = balance.bottleneck(balance.googles(model.main, 3), cost)
    assert told["slowest_ns"] <= round(google * 1e6)
    assert told["slowest_ns"] == max(told["segment_ns"])
    best = balance.bottleneck(balance.by_latency(model, 3, Options(segments=3)), cost)
    assert told["slowest_ns"] == pytest.approx(best * 1e6, rel=0.01)


def test_the_same_bytes_every_time(chain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def outputs() -> object:
        code, document = answer(capsys, "--num_segments", "2", "chain.tflite")
        assert code == 0
        return document["units"][0]["members"][0]["outputs"]  # type: ignore[index]

    assert outputs() == outputs()


def test_it_goes_on_where_it_was_interrupted(
    chain: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = ("--num_segments", "3", "--diff_threshold_ns", "1000", "chain.tflite")
    whole = balance.predicted

    def stopped(*arguments: object) -> Callable[[tuple[int, ...]], float]:
        cost, left = whole(*arguments), iter(range(4))  # type: ignore[arg-type]

        def measure(operators: tuple[int, ...]) -> float:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return cost(operators)

        return measure

    monkeypatch.setattr(balance, "predicted", stopped)
    assert cli.main(["partition", "--output_dir", "out", *argv]) == 130
    monkeypatch.setattr(balance, "predicted", whole)
    assert [path.name for path in (chain.parent / "out").iterdir()] == [".chain.partition.json"]
    code, document = answer(capsys, "--resume", *argv)
    assert code == 0
    assert document["partition"]["kept"] == 4  # type: ignore[index]
    assert not (chain.parent / "out" / ".chain.partition.json").exists()


def test_what_was_kept_of_another_model_or_is_damaged_counts_as_nothing(
    chain: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = chain.parent / "out" / ".chain.partition.json"
    state.parent.mkdir()
    for text in ("{", "[]", '{"format": 1, "of": "another", "times": {"0:1": 5}}', '{"format": 1}'):
        state.write_text(text)
        code, document = answer(capsys, "--resume", "--num_segments", "2", "chain.tflite")
        assert code == 0
        assert document["partition"]["kept"] == 0  # type: ignore[index]


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["chain.tflite"], "missing: `--num_segments`"),
        (["--num_segments", "1", "chain.tflite"], "at least 2"),
        (["--num_segments", "2"], "name the model once"),
        (["--num_segments", "2", "--model_path", "chain.tflite", "chain.tflite"], "name the model once"),
        (["--num_segments", "2", "nothing.tflite"], "model_path `nothing.tflite` does not exist"),
        (
            ["--num_segments", "2", "--edgetpu_compiler_binary", "no", "chain.tflite"],
            "edgetpu_compiler_binary `no` does",
        ),
        (["--num_segments", "2", "--profiler", "device", "chain.tflite"], "name it with `--edgetpu_compiler_binary`"),
        (["--num_segments", "2", "--device_type", "isa", "chain.tflite"], "pcionly, usbonly, any"),
        (["--num_segments", "2", "--initial_lower_bound_ns", "-5", "chain.tflite"], "-1 to have it found"),
        (["--num_segments", "99", "chain.tflite"], "99 segments"),
        (
            ["--num_segments", "2", "--initial_lower_bound_ns", "9", "--initial_upper_bound_ns", "5", "chain.tflite"],
            "above the upper",
        ),
    ],
)
def test_refusals(chain: Path, capsys: pytest.CaptureFixture[str], argv: list[str], told: str) -> None:
    code, document = answer(capsys, *argv)
    assert code in (2, 3)
    assert told in str(document["errors"])


@pytest.fixture
def google(chain: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Builtin stands in for Google's program."""
    from edgetpu_build.compiler import choose
    from edgetpu_build.compiler.builtin import Builtin

    (chain.parent / "edgetpu_compiler").write_text("")
    monkeypatch.setattr(choose, "backend", lambda *_args, **_more: Builtin())
    return ["--edgetpu_compiler_binary", "edgetpu_compiler"]


def test_outputs_can_be_googles(chain: Path, google: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, _ = answer(capsys, *google, "--num_segments", "2", "chain.tflite")
    assert code == 0
    names = {f"chain_segment_{i}_of_2{end}" for i in range(2) for end in (".tflite", "_edgetpu.tflite", "_edgetpu.log")}
    assert {path.name for path in (chain.parent / "out").iterdir()} == names
    assert "{input}" not in (chain.parent / "out" / "chain_segment_0_of_2_edgetpu.log").read_text()


def test_without_a_device_it_says_so(chain: Path, google: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ai_edge_litert")
    code, document = answer(capsys, *google, "--num_segments", "2", "--profiler", "device", "chain.tflite")
    assert code == 3
    assert "none is plugged in" in str(document["errors"])


def test_a_device_measures_segments_one_by_one(
    chain: Path, google: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ai_edge_litert")
    from edgetpu_build.compiler.inspection import inspect
    from edgetpu_build.runtime import profiler

    asked: list[str] = []

    def milliseconds(artifact: bytes, name: str) -> float:
        asked.append(name)
        return 2.0 * (inspect(artifact).figures.edgetpu_operators.value or 0)

    monkeypatch.setattr(profiler.silicon, "devices", lambda: [{"type": "usb", "path": "/dev/bus/usb/1"}])
    monkeypatch.setattr(profiler, "milliseconds", milliseconds)
    code, document = answer(capsys, *google, "--num_segments", "4", "--profiler", "device", "chain.tflite")
    assert code == 0
    assert document["partition"]["slowest_ns"] == 4_000_000  # type: ignore[index]
    assert set(asked) == {"usb:0"}

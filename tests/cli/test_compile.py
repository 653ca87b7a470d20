"""`edgetpu-build compile` stands in for `edgetpu_compiler`: same options, files, text and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgetpu_build import __version__
from edgetpu_build.tflite.reader import read
from tests.support.models import Net, conv_net

Edgetpu = Callable[..., Any]
V16 = f"edgetpu-build {__version__}, predicting Edge TPU Compiler version 16.0.384591198"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a few models."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.tflite").write_bytes(conv_net())
    (tmp_path / "in" / "b.tflite").write_bytes(branched())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def branched() -> bytes:
    """Three convolutions, an operator that stays on the CPU, and a convolution after it."""
    net = Net()
    x = net.input((1, 16, 16, 3))
    for _ in range(3):
        x = net.conv(x, 8)
    return net.build([net.conv(net.like("LEAKY_RELU", x, alpha=0.1), 8)])


def made(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*_*") if path.is_file())


def statuses(log: str) -> dict[str, int]:
    """What a log says: status -> number of operators."""
    counts: dict[str, int] = {}
    for line in log.splitlines()[6:]:
        counts[line[42:]] = counts.get(line[42:], 0) + int(line[31:42])
    return counts


def test_output_and_log(edgetpu: Edgetpu, folder: Path) -> None:
    run = edgetpu("compile", "in/a.tflite")
    assert run.code == 0
    assert made(folder) == ["a_edgetpu.log", "a_edgetpu.tflite"]
    lines = run.out.splitlines()
    assert lines[0] == V16
    assert "Input model: in/a.tflite" in lines
    assert "Output model: a_edgetpu.tflite" in lines
    assert lines[-1] == "Compilation succeeded! "
    assert (folder / "a_edgetpu.log").read_text().splitlines()[:3] == [
        V16,
        "Input: in/a.tflite",
        "Output: a_edgetpu.tflite",
    ]
    compiled = read((folder / "a_edgetpu.tflite").read_bytes())
    assert "edgetpu-sim-custom-op" in [operator.custom_code for operator in compiled.main.operators]


def test_what_is_no_more_than_predicted_is_said_beside_the_text(edgetpu: Edgetpu) -> None:
    run = edgetpu("compile", "in/a.tflite")
    assert run.err == "note: predicted, not exact: on-chip memory available or remaining\n"
    assert edgetpu("compile", "in/a.tflite", "--quiet").err == ""


def test_show_operations_prints_the_logs_table(edgetpu: Edgetpu, folder: Path) -> None:
    out = edgetpu("compile", "-s", "in/b.tflite").out
    table = (folder / "b_edgetpu.log").read_text().partition("\n\n")[2]
    assert table in out
    assert "See the operation log" not in out


@pytest.mark.parametrize(
    "argv",
    [
        ["-sa", "in/b.tflite", "-o", "out"],
        ["in/b.tflite", "-o=out", "-s", "-a"],
        ["--show_operations", "--enable_multiple_subgraphs", "--out_dir", "out", "in/b.tflite"],
        ["in/b.tflite", "--out_dir=out", "--num_segments=1", "-as", "--timeout_sec", "180"],
        ["-a", "-s", "--search_delegate", "--delegate_search_step=3", "--out_dir", "out", "in/b.tflite"],
    ],
)
def test_options_in_every_form(edgetpu: Edgetpu, folder: Path, argv: list[str]) -> None:
    run = edgetpu("compile", *argv)
    assert run.code == 0
    assert "Number of Edge TPU subgraphs: 2\n" in run.out
    assert "LEAKY_RELU                     1          Operation not supported\n" in run.out
    assert made(folder / "out") == ["b_edgetpu.log", "b_edgetpu.tflite"]


def test_dot_as_folder_is_printed_as_google_prints_it(edgetpu: Edgetpu) -> None:
    assert "Output model: ./a_edgetpu.tflite\n" in edgetpu("compile", "in/a.tflite", "-o", ".").out


def test_folder_is_made_but_not_those_above(edgetpu: Edgetpu, folder: Path) -> None:
    assert edgetpu("compile", "in/a.tflite", "-o", "new").code == 0
    run = edgetpu("compile", "in/a.tflite", "-o", "no/such")
    assert run.code == 1
    assert "ETB501" in run.err
    assert not (folder / "no").exists()


def test_several_models_are_compiled_together_in_order(edgetpu: Edgetpu, folder: Path) -> None:
    out = edgetpu("compile", "in/b.tflite", "in/a.tflite").out
    assert "Models compiled successfully" in out
    assert out.index("Input model: in/b.tflite") < out.index("Input model: in/a.tflite")
    assert made(folder) == ["a_edgetpu.log", "a_edgetpu.tflite", "b_edgetpu.log", "b_edgetpu.tflite"]


def test_segments(edgetpu: Edgetpu, folder: Path) -> None:
    out = edgetpu("compile", "in/a.tflite", "-n", "2", "-s", "-o", "out").out
    assert out.count("Model compiled successfully") == 2
    assert made(folder / "out") == [
        f"a_segment_{i}_of_2_edgetpu.{kind}" for i in range(2) for kind in ("log", "tflite")
    ]
    assert "Input: a_segment_1_of_2.tflite\n" in (folder / "out" / "a_segment_1_of_2_edgetpu.log").read_text()


def test_plain_segments_can_be_kept(edgetpu: Edgetpu, folder: Path) -> None:
    assert edgetpu("compile", "in/a.tflite", "-n", "2", "--keep-segments").code == 0
    first, second = (read((folder / f"a_segment_{i}_of_2.tflite").read_bytes()).main for i in range(2))
    outputs = {first.tensors[t].name for t in first.outputs}
    assert outputs >= {second.tensors[t].name for t in second.inputs}


def test_segments_with_a_delegate_search(edgetpu: Edgetpu) -> None:
    assert edgetpu("compile", "--search_delegate", "--num_segments=2", "in/a.tflite", "-k", "1").code == 0


def test_cuts(edgetpu: Edgetpu, folder: Path) -> None:
    name = read((folder / "in" / "b.tflite").read_bytes()).main.tensors[6].name
    assert edgetpu("compile", "in/b.tflite", "--cuts", name).code == 0
    assert len(made(folder)) == 4


def test_intermediate_tensors_stop_the_mapping(edgetpu: Edgetpu, folder: Path) -> None:
    names = [
        tensor.name for tensor in read((folder / "in" / "b.tflite").read_bytes()).main.tensors if tensor.data is None
    ]
    edgetpu("compile", "-i", names[1], "in/b.tflite")
    assert statuses((folder / "b_edgetpu.log").read_text())["Mapped to Edge TPU"] == 1
    edgetpu("compile", "--intermediate-tensor", names[2], "in/b.tflite")
    assert statuses((folder / "b_edgetpu.log").read_text())["Mapped to Edge TPU"] == 2
    edgetpu("compile", "in/a.tflite", "in/b.tflite", "-i", f":{names[1]}")
    assert statuses((folder / "b_edgetpu.log").read_text())["Mapped to Edge TPU"] == 1
    run = edgetpu("compile", "-i", "nowhere", "in/b.tflite")
    assert run.code == 1
    assert "no tensor is called `nowhere`" in run.err


def test_a_name_that_holds_separators(edgetpu: Edgetpu, folder: Path) -> None:
    net = Net()
    x = net.conv(net.input((1, 8, 8, 3)), 8)
    net.facts["tensors"][x]["name"] = "odd:0,name"
    (folder / "odd.tflite").write_bytes(net.build([net.conv(x, 8)]))
    run = edgetpu("compile", "-i", "odd:0,name", "odd.tflite")
    assert run.code == 1
    assert "2 lists of tensors for 1 models" in run.err
    assert "--intermediate-tensor" in run.err
    assert edgetpu("compile", "--intermediate-tensor", "odd:0,name", "odd.tflite").code == 0
    assert statuses((folder / "odd_edgetpu.log").read_text())["Mapped to Edge TPU"] == 1


def test_delegate_search_shows_its_tries(edgetpu: Edgetpu) -> None:
    lines = edgetpu("compile", "-d", "-k", "2", "in/b.tflite").out.splitlines()
    assert lines[1:4] == [
        "Searching for valid delegate with step 2",
        "Try to compile segment with 5 ops",
        "Started a compilation timeout timer of 180 seconds.",
    ]


def carrying() -> bytes:
    """Eight operators; the first four keep a map of 256 KiB a tile for the fourth."""
    net = Net()
    x = net.conv(net.input((1, 512, 512, 3)), 16)
    x = net.add(x, net.conv(net.conv(x, 16, kernel=1), 16, kernel=1))
    for _ in range(4):
        x = net.conv(x, 4, kernel=1)
    return net.build([x])


def test_a_vain_delegate_search_shows_every_try(edgetpu: Edgetpu, folder: Path) -> None:
    """Google's layout; nothing special is printed at the end."""
    data = carrying()
    (folder / "in" / "c.tflite").write_bytes(data)
    graph = read(data).main
    cut = graph.tensors[graph.operators[3].outputs[0]].name
    failed = [
        "Started a compilation timeout timer of 180 seconds.",
        "Compilation failed: large activation tensors are likely to make it fail (likelihood 90%, a guess)",
        "Compilation child process completed within timeout period.",
        "Compilation failed! ",
    ]
    run = edgetpu("compile", "-d", "-k", "4", "in/c.tflite")
    assert run.code == 1
    assert run.out.splitlines() == [
        V16,
        "Searching for valid delegate with step 4",
        "Try to compile segment with 8 ops",
        *failed,
        "Try to compile segment with 4 ops",
        f"Intermediate tensors: {cut}",
        *failed,
    ]
    assert "found nothing to compile in 2 tries of step 4" in run.err
    assert made(folder) == []


def test_a_search_that_steps_back_on_a_guess_says_so(edgetpu: Edgetpu, folder: Path) -> None:
    (folder / "in" / "c.tflite").write_bytes(carrying())
    run = edgetpu("compile", "-d", "in/c.tflite")
    assert run.code == 0
    assert "tries as failed on a guess: large activation tensors are likely" in run.err
    assert "from a likelihood of 60% on a try counts as failed, a limit set by hand" in run.err
    assert "on a guess" not in edgetpu("compile", "-d", "in/a.tflite").err


def test_a_step_without_a_search_is_not_ignored_silently(edgetpu: Edgetpu) -> None:
    assert "`-k` has no effect without `-d`" in edgetpu("compile", "-k", "2", "in/a.tflite").err


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ([], "no model given"),
        (["-n", "2", "in/a.tflite", "in/b.tflite"], "`-n` (or `--cuts`) and several models exclude each other"),
        (["-n", "2", "-i", "x", "in/a.tflite"], "`-n` (or `--cuts`) and `-i` exclude each other"),
        (["-n", "2", "--cuts", "x", "in/a.tflite"], "`-n` and `--cuts` exclude each other"),
        (["-d", "in/a.tflite", "in/b.tflite"], "`-d` and several models exclude each other"),
        (["--intermediate-tensor", "x", "in/a.tflite", "in/b.tflite"], "and several models exclude each other"),
        (["-d", "-k", "0", "in/a.tflite"], "at least 1"),
        (["-n", "0", "in/a.tflite"], "at least 1"),
        (["-t", "0", "in/a.tflite"], "at least 1"),
        (["-m", "9", "in/a.tflite"], "allowed with 16.0: 10, 11, 12, 13, 14"),
        (["-m", "15", "in/a.tflite"], "allowed with 16.0: 10, 11, 12, 13, 14"),
        (["-m", "14", "--emulate-compiler", "15.0", "in/a.tflite"], "allowed with 15.0: 10, 11, 12, 13"),
        (["-d", "--emulate-compiler", "15.0", "in/a.tflite"], "`-d` came with compiler 16.0"),
        (["--emulate-compiler", "17.1", "in/a.tflite"], "compiler `17.1`"),
        (["--out-dir", "x", "in/a.tflite"], "--out-dir"),
        (["-n", "2", "--balance", "luck", "in/a.tflite"], "allowed: parameters, latency, profile"),
        (["in/none.tflite"], "`in/none.tflite` does not exist"),
        (["in"], "`in` is a directory"),
    ],
)
def test_refusals(edgetpu: Edgetpu, folder: Path, argv: list[str], told: str) -> None:
    run = edgetpu("compile", *argv)
    assert run.code == 1
    assert told in run.err
    assert made(folder) == []


def test_outputs_that_collide(edgetpu: Edgetpu, folder: Path) -> None:
    (folder / "a.tflite").write_bytes(conv_net())
    (folder / "a_edgetpu.tflite").write_bytes(b"a source of that name")
    assert "ETB212" in edgetpu("compile", "in/a.tflite", "a.tflite").err
    assert "ETB212" in edgetpu("compile", "a.tflite", "a_edgetpu.tflite").err
    assert (folder / "a_edgetpu.tflite").read_bytes() == b"a source of that name"


@pytest.mark.parametrize("option", ["-v", "--version"])
def test_version_ends_with_what_other_programs_look_for(edgetpu: Edgetpu, option: str) -> None:
    run = edgetpu("compile", option)
    assert (run.code, run.out) == (0, V16 + "\n")
    assert edgetpu("compile", option, "--emulate-compiler", "2.1").out.split()[-1] == "2.1.302470888"


def test_help_names_every_option_of_the_manual(edgetpu: Edgetpu) -> None:
    out = edgetpu("compile", "-h").out
    for option in ("-h", "-i", "-m", "-n", "-o", "-s", "-a", "-d", "-k", "-t", "-v"):
        assert f"  {option}" in out


def test_emulated_compilers_speak_their_own_way(edgetpu: Edgetpu, folder: Path) -> None:
    out = edgetpu("compile", "--emulate-compiler", "15.0", "in/a.tflite").out
    assert out.splitlines()[0].endswith("15.0.340273435")
    assert "timer" not in out
    assert (folder / "a_edgetpu.log").read_text().splitlines()[0].endswith("15.0.340273435")
    build = edgetpu("compile", "--emulate-compiler", "2.0.267685300", "in/a.tflite").out
    assert build.splitlines()[0].endswith("2.0.267685300")
    assert "On-chip memory available" in build


def test_dash_m_10_maps_nothing_and_says_so(edgetpu: Edgetpu, folder: Path) -> None:
    run = edgetpu("compile", "-m", "10", "in/a.tflite")
    assert run.code == 0
    assert "Number of Edge TPU subgraphs: 0\n" in run.out
    assert "ETB308" in run.err
    assert set(statuses((folder / "a_edgetpu.log").read_text())) == {"Operation is working on an unsupported data type"}


def test_explain_tells_rule_value_and_way_out(edgetpu: Edgetpu) -> None:
    out = edgetpu("compile", "--explain", "in/b.tflite").out
    assert "2 operators stay on the CPU" in out
    assert "3 LEAKY_RELU [kind]: LEAKY_RELU has no Edge TPU form" in out
    assert "would bring 2 more" in out
    assert "    hint: use RELU" in out
    assert "    1 of the others only because it runs after it" in out


def test_a_model_that_cannot_be_compiled(edgetpu: Edgetpu, folder: Path) -> None:
    (folder / "bad.tflite").write_bytes(b"not a model at all")
    run = edgetpu("compile", "in/a.tflite", "bad.tflite")
    assert run.code == 1
    assert run.out == f"{V16}\nInvalid model: bad.tflite\nModel could not be parsed\n"
    assert "ETB301" in run.err
    assert made(folder) == []


def test_exit_codes_are_ours_with_json(edgetpu: Edgetpu, folder: Path) -> None:
    (folder / "bad.tflite").write_bytes(b"not a model at all")
    run = edgetpu("compile", "bad.tflite", "--format", "json")
    assert run.code == 3
    assert run.json["errors"][0]["code"] == "ETB301"
    assert edgetpu("compile", "--format=json").code == 2


def test_json(edgetpu: Edgetpu, folder: Path) -> None:
    answer = edgetpu("compile", "in/b.tflite", "in/a.tflite", "--format", "json", "-o", "out").json
    (unit,) = answer["units"]
    assert (unit["kind"], unit["target"]) == ("group", "simulator")
    first, second = unit["members"]
    assert [first["source"], second["source"]] == ["in/b.tflite", "in/a.tflite"]
    (output,) = first["outputs"]
    assert output["path"] == "out/b_edgetpu.tflite"
    assert output["size"] == (folder / output["path"]).stat().st_size
    assert [operator["target"] for operator in first["operators"]] == ["edgetpu"] * 3 + ["cpu"] * 2
    assert [operator["rule"] for operator in first["operators"]] == ["", "", "", "kind", "one-subgraph"]


def test_json_of_segments(edgetpu: Edgetpu) -> None:
    answer = edgetpu("compile", "in/a.tflite", "-n", "2", "--format", "json").json
    (member,) = answer["units"][0]["members"]
    assert answer["units"][0]["kind"] == "segments"
    assert [segment["index"] for segment in member["segments"]] == [0, 1]
    inside = [operator["index"] for segment in member["segments"] for operator in segment["operators"]]
    assert sorted(inside) == [operator["index"] for operator in member["operators"]]


def test_outputs_do_not_depend_on_where_or_how_often(edgetpu: Edgetpu, folder: Path) -> None:
    edgetpu("compile", "in/a.tflite", "-o", "one")
    edgetpu("compile", str(folder / "in" / "a.tflite"), "-o", "two")
    assert (folder / "one" / "a_edgetpu.tflite").read_bytes() == (folder / "two" / "a_edgetpu.tflite").read_bytes()


def test_name_that_is_not_ascii(edgetpu: Edgetpu, folder: Path) -> None:
    (folder / "größe [1].tflite").write_bytes(conv_net())
    assert edgetpu("compile", "größe [1].tflite").code == 0
    assert "Input: größe [1].tflite\n" in (folder / "größe [1]_edgetpu.log").read_text(encoding="utf-8")
    assert json.loads(edgetpu("compile", "größe [1].tflite", "--format", "json").out)["ok"] is True


class Endless:
    """A compiler that is never done."""

    def compile(self, request: Any, **how: Any) -> Any:
        while True:
            pass


def test_time_out_leaves_nothing_behind(edgetpu: Edgetpu, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgetpu_build.cli import compile as command
    from edgetpu_build.engine import oneoff

    bounded = oneoff.bounded
    asked: list[float] = []
    monkeypatch.setattr(command, "backend", lambda _: Endless())
    monkeypatch.setattr(oneoff, "bounded", lambda seconds: asked.append(seconds) or bounded(0.01))
    run = edgetpu("compile", "in/a.tflite", "-t", "7", "-o", "out")
    assert asked == [7]
    assert run.code == 1
    assert run.out.splitlines()[1:] == [
        "Started a compilation timeout timer of 7 seconds.",
        "Compilation timeout. This is usually caused by large activations.",
        "Compilation failed! ",
    ]
    assert "ETB313" in run.err
    assert not (folder / "out").exists()


def test_a_model_without_enough_places_to_cut(edgetpu: Edgetpu, folder: Path) -> None:
    run = edgetpu("compile", "in/a.tflite", "-n", "99")
    assert run.code == 1
    assert "ETB311" in run.err
    assert "Compilation failed: " in run.out
    assert made(folder) == []

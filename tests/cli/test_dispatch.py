"""Words in, exit code out: what is common to all commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgetpu_build import __version__
from edgetpu_build.cli import commands, dispatch
from edgetpu_build.errors import error


def test_the_version(edgetpu):
    for words in (["--version"], ["-V"], ["--color", "never", "--version"]):
        assert edgetpu(*words).out == f"edgetpu-build {__version__}\n"


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"], ["-q", "--help"]])
def test_the_help_page(edgetpu, words):
    run = edgetpu(*words)
    assert (run.code, run.err) == (0, "")
    assert all(command.name in run.out for command in commands.COMMANDS)
    assert max(map(len, run.out.splitlines())) <= 84


def test_help_of_a_command(edgetpu):
    assert edgetpu("help", "build").out == edgetpu("build", "--help").out
    assert "--locked" in edgetpu("build", "-h").out


def test_an_unknown_command_has_a_likely_meaning(edgetpu):
    run = edgetpu("biuld")
    assert run.code == 2
    assert run.err == "error: unknown command `biuld` [ETB214]\n  hint: did you mean `edgetpu-build build`?\n"


def test_an_unknown_option_has_a_likely_meaning(edgetpu):
    run = edgetpu("build", "--forze")
    assert (run.code, run.out) == (2, "")
    assert "unknown option `--forze` of `edgetpu-build build`" in run.err
    assert "did you mean `--force`?" in run.err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["check", "--format", "yaml"], "`--format`: found `yaml`, allowed: human, json, github"),
        (["check", "--color=blue"], "`--color`: found `blue`, allowed: auto, always, never"),
        (["build", "-j", "0"], "found `0`, allowed: a whole number of at least 1"),
        (["build", "-j", "many"], "found `many`, allowed: a whole number of at least 1"),
        (["build", "--jobs"], "expected one argument"),
        (["build", "--fail-fast", "--keep-going"], "not allowed together with --fail-fast"),
        (["build", "--force", "--frozen"], "`--force` and `--frozen` exclude each other"),
        (["lock", "extra"], "unexpected argument `extra`"),
        (["build", "--lock"], "unknown option `--lock`"),
        (["--format", "json"], ""),
        (["check", "--project", "nowhere"], "`--project nowhere` is not a folder"),
    ],
)
def test_usage_errors_end_with_2_and_say_why(edgetpu, words, text):
    run = edgetpu(*words)
    assert run.code == 2
    assert text in run.err
    assert "invalid" not in run.err
    assert "Traceback" not in run.err


def test_common_options_stand_anywhere(edgetpu):
    runs = [
        edgetpu("--format", "json", "bench"),
        edgetpu("bench", "--format=json"),
        edgetpu("bench", "--format", "json"),
    ]
    assert len({run.out for run in runs}) == 1
    assert runs[0].json["command"] == "bench"


@pytest.mark.parametrize("words", [["nonsense"], ["build", "--nonsense"], ["bench"], ["check", "--project", "nowhere"]])
def test_json_is_one_object_on_stdout_whatever_happens(edgetpu, words):
    run = edgetpu(*words, "--format", "json")
    assert run.code == 2
    assert run.json["ok"] is False
    assert run.json["errors"][0]["hint"]


def test_words_after_two_dashes_are_no_options(edgetpu):
    assert "unknown option" not in edgetpu("check", "--project", "nowhere", "--", "--format=json").err


def broken_command(monkeypatch, problem: BaseException) -> None:
    def fail(_argv: list[str]) -> int:
        raise problem

    monkeypatch.setattr(dispatch, "_run", fail)


def test_a_bug_of_ours_becomes_a_report_file(edgetpu, monkeypatch, own_home):
    broken_command(monkeypatch, ZeroDivisionError("boom"))
    monkeypatch.setenv("EDGETPU_BUILD_REMOTE_CACHE", "https://secret-value@cache")
    run = edgetpu("build", "https://me:password@host/x")
    assert run.code == 70
    assert "Traceback" not in run.err
    assert "ETB701" in run.err
    (report,) = own_home.rglob("bug-*.txt")
    assert str(report) in run.err
    text = report.read_text(encoding="utf-8")
    assert "ZeroDivisionError: boom" in text
    assert f"edgetpu-build {__version__}" in text
    assert "EDGETPU_BUILD_REMOTE_CACHE" in text
    assert "secret-value" not in text
    assert "password" not in text


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (ValueError("one\ntwo"), "ValueError: one ["),
        (
            RuntimeError("Traceback (most recent call last):\n  File x\nKeyError: 'deep'"),
            "edgetpu-build: KeyError: 'deep' [",
        ),
        (error("ETB701", "a part depends on itself"), "EdgeTpuBuildError: a part depends on itself ["),
        (AssertionError(), "AssertionError:  ["),
    ],
)
def test_a_bug_takes_one_line_whatever_its_text(edgetpu, monkeypatch, problem, told):
    broken_command(monkeypatch, problem)
    run = edgetpu("build", "x")
    assert run.code == 70
    assert told in run.err
    assert "Traceback" not in run.err
    assert len(run.err.splitlines()) == 2


def test_a_bug_is_told_in_json_too(edgetpu, monkeypatch):
    broken_command(monkeypatch, ZeroDivisionError("boom"))
    run = edgetpu("build", "--format", "json")
    assert run.code == 70
    assert run.json["errors"][0]["code"] == "ETB701"


def test_a_bug_report_falls_back_to_the_temporary_folder(edgetpu, monkeypatch, tmp_path):
    broken_command(monkeypatch, ZeroDivisionError("boom"))
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    monkeypatch.setenv("EDGETPU_BUILD_CACHE_DIR", str(blocked))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert edgetpu("build", "x").code == 70
    assert list(tmp_path.glob("bug-*.txt"))


def test_control_c_is_130_and_silent(edgetpu, monkeypatch):
    broken_command(monkeypatch, KeyboardInterrupt())
    run = edgetpu("build", "x")
    assert (run.code, run.out, run.err) == (130, "", "")


def test_a_reader_that_goes_away_is_no_error():
    command = f"{sys.executable} -m edgetpu_build ops --format json | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "edgetpu_build", "bild"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "unknown command `bild`" in done.stderr


def test_version_loads_nothing_and_help_no_argparse():
    code = (
        "import sys; before = set(sys.modules); from edgetpu_build.cli import main; main([{!r}]);"
        "print(*sorted(set(sys.modules) - before), file=sys.stderr)"
    )
    loaded = {}
    for word in ("--version", "--help"):
        done = subprocess.run(
            [sys.executable, "-I", "-c", code.format(word)], capture_output=True, text=True, check=True
        )
        loaded[word] = set(done.stderr.split())
    assert loaded["--version"] == {"edgetpu_build", "edgetpu_build.cli"}
    assert not loaded["--help"] & {"argparse", "dataclasses", "json", "re", "edgetpu_build.errors"}


def test_every_command_has_a_module_of_the_same_shape():
    from argparse import ArgumentParser
    from importlib import import_module

    for command in commands.COMMANDS:
        module = import_module(command.module)
        assert (command.name, command.help) == (module.NAME, module.HELP)
        module.configure(ArgumentParser())
        assert callable(module.run)


def test_the_table_holds_the_contracts_commands():
    expected = {
        *("build", "check", "watch", "lock", "diff", "compile", "partition", "inspect", "run", "bench", "simulate"),
        *("reweight", "init", "add", "explain", "ops", "verify", "cache", "doctor", "schema"),
    }
    assert {c.name for c in commands.COMMANDS} == expected
    modules = {p.stem for p in Path(dispatch.__file__).parent.glob("*.py")}
    assert {c.name for c in commands.COMMANDS} <= modules


OPTIONS = {
    "build": "-j --jobs --locked --frozen --force --fail-fast --keep-going --explain --dry-run --compare --report"
    " --executor",
    "check": "--staged --base",
    "watch": "--poll --debounce --exec --once",
    "lock": "--upgrade",
    "inspect": "--html",
    "verify": "--recompile",
    "diff": "markdown",
    "compile": "-i -m -n -o -s -a -d -k -t --version --keep-segments --intermediate_tensors --num_segments --out_dir",
}


@pytest.mark.parametrize("name", OPTIONS)
def test_the_contracts_options_are_in_the_commands_help(edgetpu, name):
    words = edgetpu(name, "--help").out.replace(",", " ").replace("[", " ").replace("]", " ").split()
    assert set(OPTIONS[name].split()) <= set(words)
    assert {"--project", "--format", "--color"} <= set(words)


@pytest.mark.parametrize("name", ["C", "C.UTF-8"])
def test_any_locale_can_print_the_help(name):
    done = subprocess.run(
        [sys.executable, "-m", "edgetpu_build", "--help"],
        env={**os.environ, "LC_ALL": name, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert b"usage:" in done.stdout

"""Which stream, which form, which colour."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgetpu_build.cli import output
from edgetpu_build.cli.output import View
from tests.support import outcomes
from tests.support.json_schema import validate


def test_results_go_to_stdout_and_diagnostics_to_stderr(capsys):
    assert output.outcome(View(), outcomes.build()) == 3
    out, err = capsys.readouterr()
    assert out.endswith("wrote `edgetpu.lock`\n")
    assert "ETB" not in out
    assert [line.split(":")[0] for line in err.splitlines()] == ["error", "  hint", "error", "  hint"]


def test_json_is_alone_on_stdout(capsys):
    assert output.outcome(View(format="json"), outcomes.build()) == 3
    out, err = capsys.readouterr()
    assert err == ""
    assert validate(json.loads(out))["ok"] is False


def test_quiet_leaves_diagnostics_only(capsys):
    assert output.outcome(View(quiet=1), outcomes.build()) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert "ETB101" in err


def test_quiet_and_well_is_silent(capsys):
    assert output.outcome(View(quiet=1), outcomes.fresh(3)) == 0
    assert capsys.readouterr() == ("", "")


def test_twice_quiet_leaves_errors_only(capsys):
    from edgetpu_build.errors import warning

    output.tell(View(quiet=1), [warning("ETB107", "w")])
    assert "warning" in capsys.readouterr().err
    output.tell(View(quiet=2), [warning("ETB107", "w"), outcomes.BUDGET])
    assert "warning" not in capsys.readouterr().err


def test_github_gets_annotations_and_a_summary(capsys, monkeypatch, tmp_path):
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    view = View(format="github", project=str(tmp_path / "packages" / "door"))
    output.outcome(view, outcomes.build())
    output.outcome(view, outcomes.build())
    out, err = capsys.readouterr()
    assert "::error file=packages/door/pyproject.toml,line=14,title=edgetpu-build ETB101::" in out
    assert err == ""
    assert summary.read_text(encoding="utf-8").count("### edgetpu-build build") == 2


def test_a_summary_that_cannot_be_written_fails_nothing(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "no" / "folder"))
    assert output.outcome(View(format="github"), outcomes.fresh(1)) == 0
    assert "cannot be written" in capsys.readouterr().err


def test_markdown_is_for_pull_requests(capsys):
    output.outcome(View(format="markdown"), outcomes.build())
    assert capsys.readouterr().out.startswith("### edgetpu-build build\n")


class Terminal:
    encoding = "utf-8"

    def __init__(self, *, tty: bool) -> None:
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty


@pytest.mark.parametrize(
    ("wish", "variables", "tty", "color"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": "0"}, False, False),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colour(monkeypatch, wish, variables, tty, color):
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert output.style(View(color=wish), Terminal(tty=tty)).color is color  # type: ignore[arg-type]


def test_a_pipe_has_no_width_and_a_terminal_has(monkeypatch):
    monkeypatch.setenv("COLUMNS", "66")
    assert output.style(View(), Terminal(tty=False)).width is None  # type: ignore[arg-type]
    assert output.style(View(), Terminal(tty=True)).width == 66  # type: ignore[arg-type]


def test_a_closed_pipe_keeps_the_exit_code(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert output.outcome(View(), outcomes.build()) == 3


def test_progress_is_silent_with_quiet(capsys):
    progress = output.progress(View(quiet=1))
    progress.unit("a", "compiling")
    progress.close()
    assert capsys.readouterr().err == ""


def test_names_that_are_not_text_do_not_stop_a_report():
    code = "from edgetpu_build.cli import output; output.prepare(); output.emit('a\\udce9b')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=Path.cwd())
    assert done.stdout == b"a\\udce9b\n"


def run_shell(command: str) -> subprocess.CompletedProcess[str]:
    line = command.replace("edgetpu-build", f"{sys.executable} -m edgetpu_build")
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("form", ["human", "json"])
def test_a_full_disk_is_one_clear_error(form):
    done = run_shell(f"edgetpu-build explain ETB101 --format {form} > /dev/full")
    assert done.returncode == 5
    assert "Traceback" not in done.stderr
    assert ("ETB501" in done.stderr) == (form == "human")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_message_that_cannot_be_written_changes_no_exit_code():
    assert run_shell("edgetpu-build nonsense 2> /dev/full").returncode == 2


def test_closed_streams_are_no_error():
    assert run_shell("edgetpu-build explain ETB101 >&-").returncode == 0
    assert run_shell("edgetpu-build explain nonsense 2>&-").returncode == 2

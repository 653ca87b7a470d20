from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgetpu_build import noop
from edgetpu_build.store.state import project_dir
from tests.support.project import Yard, age, states

HOOK = "[tool.hatch.build.hooks.edgetpu]\n"


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """A project of two models, one found by a glob, one in a folder of its own."""
    yard = Yard.at(tmp_path)
    yard.config(
        HOOK + '[tool.edgetpu]\nout-dir = "out"\n[tool.edgetpu.models.a]\nsource = "a.tflite"\n'
        '[tool.edgetpu.models.k]\nsource = "m/*.tflite"\n'
    )
    yard.write("a.tflite", "aaa")
    yard.write("m/b.tflite", "bb")
    return yard


@pytest.fixture
def settled(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> Yard:
    """Built, and long enough ago: a look at the clock from an hour later settles every stamp."""
    import time

    yard.build()
    later = time.time_ns() + 3_600_000_000_000
    with monkeypatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: later)
        assert states(yard.build()) == {"a": "fresh", "k[b]": "fresh"}
        assert yard.check().exit_code == 0
    monkeypatch.chdir(yard.root)
    return yard


def ask(*argv: str) -> int | None:
    return noop.main(list(argv))


def test_nothing_changed_is_answered(settled: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("build") == 0
    assert ask("check") == 0
    assert capsys.readouterr().out == "2 units up to date\n" * 2
    assert ask("build", "-q") == 0
    assert ask("build", "--quiet") == 0
    assert capsys.readouterr().out == ""


def test_from_a_folder_below_too(settled: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(settled.root / "m")
    assert ask("build") == 0
    assert Path.cwd() == settled.root / "m"


@pytest.mark.parametrize(
    "argv",
    [[], ["build", "a"], ["build", "-j2"], ["build", "--force"], ["-q"], ["check", "a"], ["watch"], ["--project", "."]],
)
def test_other_questions_are_not(settled: Yard, argv: list[str]) -> None:
    assert ask(*argv) is None


CHANGES = {
    "source": lambda y: y.write("a.tflite", "aab"),
    "source by a glob": lambda y: y.write("m/b.tflite", "bbb"),
    "new match": lambda y: y.write("m/c.tflite", "c"),
    "match gone": lambda y: (y.root / "m/b.tflite").unlink(),
    "source gone": lambda y: (y.root / "a.tflite").unlink(),
    "output": lambda y: y.write("out/a_edgetpu.tflite", "x"),
    "output gone": lambda y: (y.root / "out/a_edgetpu.tflite").unlink(),
    "configuration": lambda y: y.config(y.read("pyproject.toml").decode() + "\n"),
    "lock": lambda y: y.write("edgetpu.lock", y.read("edgetpu.lock")),
    "lock gone": lambda y: (y.root / "edgetpu.lock").unlink(),
    "replaced by the same": lambda y: os.replace(y.write("tmp", "aaa"), y.root / "a.tflite"),
    "folder replaced": lambda y: ((y.root / "m").rename(y.root / "n"), y.write("m/b.tflite", "bb")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_seen(settled: Yard, change: str) -> None:
    CHANGES[change](settled)
    assert ask("build") is None
    assert ask("check") is None


@pytest.mark.parametrize("name", ["EDGETPU_BUILD_FROZEN", "EDGETPU_BUILD_COMPILER", "EDGETPU_BUILD_ANYTHING"])
def test_variables_that_may_matter_are_asked_about(settled: Yard, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    assert ask("build") is None
    assert ask("check") is None


def test_what_was_built_under_such_a_variable_is_not_remembered(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGETPU_BUILD_JOBS", "1")
    yard.build()
    assert not (Path(yard.project().state) / "build").exists()


def test_another_version_looks_for_itself(settled: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noop, "__version__", "99")
    assert ask("build") is None


def test_young_stamps_are_not_trusted(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outputs were written just now: a change in the same tick of a coarse clock would not show."""
    yard.build()
    monkeypatch.chdir(yard.root)
    assert (Path(yard.project().state) / "build").read_bytes().split(b"\n")[3] == b"racy"
    assert ask("build") is None


@pytest.mark.parametrize("trouble", ["failure", "budget", "warning", "named"])
def test_news_are_told_each_time(yard: Yard, trouble: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if trouble == "failure":
        yard.write("a.tflite", "fail")
    if trouble == "budget":
        yard.config(yard.read("pyproject.toml").decode() + 'budget = { artifact-size = "1 B" }\n')
    if trouble == "warning":
        yard.write("../outside.tflite", "o")
        yard.config(yard.read("pyproject.toml").decode().replace('"a.tflite"', '"../outside.tflite"'))
    yard.build(*["a"] if trouble == "named" else [])
    monkeypatch.chdir(yard.root)
    assert not (Path(yard.project().state) / "build").exists()


def test_a_failed_run_forgets_the_good_one(settled: Yard) -> None:
    settled.write("a.tflite", "fail")
    settled.build()
    assert not (Path(settled.project().state) / "build").exists()


def test_a_damaged_index_is_none(settled: Yard) -> None:
    index = Path(settled.project().state) / "build"
    data = index.read_bytes()
    cut_off = [data[:length] for length in range(len(data))]
    for damaged in [*cut_off, b"\n" * 9, b"edgetpu-build index 1\n" * 9, data.replace(b"settled", b"racy")]:
        index.write_bytes(damaged)
        assert ask("build") is None
    index.write_bytes(data)
    assert ask("build") == 0


def test_outside_of_any_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert ask("build") is None


@pytest.mark.parametrize(
    "env",
    [
        {"EDGETPU_BUILD_CACHE_DIR": "/c"},
        {"EDGETPU_BUILD_CACHE_DIR": "~/c"},
        {"EDGETPU_BUILD_CACHE_DIR": "c"},
        {"EDGETPU_BUILD_CACHE_DIR": "", "XDG_CACHE_HOME": "/x"},
        {"XDG_CACHE_HOME": "/x"},
        {"XDG_CACHE_HOME": "relative"},
        {},
    ],
)
def test_the_store_has_the_same_folder(env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EDGETPU_BUILD_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert noop.state_dir(str(tmp_path), os.environ) == str(project_dir(tmp_path, os.environ))


def test_known_keys() -> None:
    """FNV-1a's own test vectors."""
    assert [noop.root_key(text) for text in (b"", b"a", b"foobar")] == [
        "cbf29ce484222325",
        "af63dc4c8601ec8c",
        "85944171f73967e8",
    ]


def test_it_imports_nothing_that_python_has_not_loaded_itself(settled: Yard) -> None:
    script = (
        "import sys\nbefore = set(sys.modules)\nfrom edgetpu_build.cli import main\ncode = main(['build'])\n"
        "print(code, sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=settled.root, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "2 units up to date",
        "0 ['edgetpu_build', 'edgetpu_build.cli', 'edgetpu_build.noop']",
    ]


def test_age_is_not_enough(yard: Yard) -> None:
    """``os.utime`` cannot set an inode's own time, which is why an index also wants that to be old."""
    yard.build()
    age(yard.root)
    yard.build()
    assert (Path(yard.project().state) / "build").read_bytes().split(b"\n")[3] == b"racy"

"""The quick answer to `check --staged`: never another one than git's, and none where it is not sure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgetpu_build
from edgetpu_build.cli import quick
from tests.support import models

PYPROJECT = """\
[tool.hatch.build.hooks.edgetpu]

[tool.edgetpu.models.a]
source = "a.tflite"

[tool.edgetpu.models.b]
source = "b.tflite"
"""


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def listed(folder: Path) -> dict[bytes, list[bytes]]:
    raw = subprocess.run(["git", "ls-files", "--stage", "-z"], cwd=folder, check=True, capture_output=True).stdout
    rows = (row.partition(b"\t") for row in raw.split(b"\0")[:-1])
    return {name: head.split() for head, _, name in rows}


def write_project(folder: Path, pyproject: str = PYPROJECT) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.tflite").write_bytes(models.conv_net())
    (folder / "b.tflite").write_bytes(models.dense_net())
    (folder / "pyproject.toml").write_text(pyproject, encoding="utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A project that was built once; its copies need no store to be judged."""
    folder = tmp_path_factory.mktemp("built") / "project"
    write_project(folder)
    env = {"EDGETPU_BUILD_CACHE_DIR": str(tmp_path_factory.mktemp("cache"))}
    assert edgetpu_build.Project.load(folder, env=env).build().exit_code == 0
    git(folder, "init", "-q")
    git(folder, "add", ".")
    return folder


@pytest.fixture
def project(built, tmp_path, monkeypatch):
    """Built, all of it staged."""
    folder = tmp_path / "project"
    shutil.copytree(built, folder)
    monkeypatch.chdir(folder)
    return folder


def answer(project: Path) -> str | None:
    return quick.answer(str(project.resolve()), os.environ)


def test_the_index_is_read_as_git_reads_it(tmp_path):
    git(tmp_path, "init", "-q")
    names = ["a", "b/c d", "b/ü", "x" * 200, "/".join(["deep" * 10] * 40), "run.sh"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "link").symlink_to("a")
    git(tmp_path, "add", ".")
    (tmp_path / "later").touch()
    git(tmp_path, "add", "--intent-to-add", "later")
    longer_than_its_length_field = f"100644 {listed(tmp_path)[b'a'][1].decode()}\t{'y' * 5000}\n"
    subprocess.run(
        ["git", "update-index", "--index-info"], cwd=tmp_path, input=longer_than_its_length_field.encode(), check=True
    )
    found = quick.entries(str(tmp_path), {})
    assert found is not None
    assert found.pop(b"") == b""
    told = {name: head.split() for name, head in found.items()}
    expected = listed(tmp_path)
    assert set(told) == set(expected)
    for name, (mode, oid, stage) in expected.items():
        assert (int(told[name][0], 16), told[name][1]) == (int(mode, 8), oid)
        assert int(told[name][2]) >> 12 == int(stage)


@pytest.mark.parametrize("words", [["--index-version", "4"], ["--split-index"]])
def test_an_index_of_another_kind_is_none(project, words):
    git(project, "update-index", *words)
    assert quick.entries(str(project), {}) is None


def test_longer_object_names_are_not_understood(tmp_path):
    git(tmp_path, "init", "-q", "--object-format=sha256")
    (tmp_path / "a").touch()
    git(tmp_path, "add", ".")
    assert quick.entries(str(tmp_path), {}) is None


def test_no_repository_is_no_index(tmp_path):
    assert quick.entries(str(tmp_path), {}) is None


@given(st.binary(max_size=400))
def test_random_bytes_are_no_index(data):
    assert quick.parse(data) is None
    quick.parse(b"DIRC\0\0\0\2\0\0\0\2" + data)


def test_a_damaged_index_is_none_or_another(project):
    data = (project / ".git" / "index").read_bytes()
    whole = quick.parse(data)
    assert whole is not None
    for size in range(0, len(data), 5):
        assert quick.parse(data[:size]) is None


def test_the_second_answer_is_the_first_without_git(project, edgetpu, monkeypatch):
    assert answer(project) is None
    first = edgetpu("check", "--staged")
    assert (first.code, first.out) == (0, "2 units up to date\n")
    monkeypatch.setenv("PATH", "")
    assert edgetpu("check", "--staged") == first
    assert edgetpu("check", "--staged", "-q").out == ""


def test_nothing_else_is_loaded(project, edgetpu):
    edgetpu("check", "--staged")
    code = (
        "import sys; old = set(sys.modules); from edgetpu_build.cli import main; code = main(['check', '--staged']);"
        "print(*sorted(set(sys.modules) - old), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "2 units up to date\n"
    assert set(done.stderr.split()) == {
        *("edgetpu_build", "edgetpu_build.cli", "edgetpu_build.cli.quick", "edgetpu_build.noop")
    }


def test_files_that_do_not_matter_change_nothing(project, edgetpu):
    edgetpu("check", "--staged")
    (project / "app.py").write_text("pass\n", encoding="utf-8")
    git(project, "add", ".")
    assert answer(project) == "2 units up to date"
    git(project, "commit", "-q", "-m", "one")
    assert answer(project) == "2 units up to date"


def test_what_is_not_staged_changes_nothing(project, edgetpu):
    edgetpu("check", "--staged")
    (project / "a.tflite").write_bytes(b"something else")
    assert answer(project) == "2 units up to date"


def change_model(project: Path) -> None:
    (project / "a.tflite").write_bytes(models.conv_net(seed=1))


def change_output(project: Path) -> None:
    (project / "a_edgetpu.tflite").write_bytes(b"something else")


def change_lock(project: Path) -> None:
    (project / "edgetpu.lock").write_text("version = 1\n", encoding="utf-8")


def change_pyproject(project: Path) -> None:
    text = PYPROJECT.replace("models.b]", "models.b]\nmin-runtime-version = 13")
    (project / "pyproject.toml").write_text(text, encoding="utf-8")


def remove_source(project: Path) -> None:
    (project / "b.tflite").unlink()


def remove_lock(project: Path) -> None:
    (project / "edgetpu.lock").unlink()


@pytest.mark.parametrize(
    "change", [change_model, change_output, change_lock, change_pyproject, remove_source, remove_lock]
)
def test_every_change_that_matters_asks_git_again(project, edgetpu, change):
    edgetpu("check", "--staged")
    change(project)
    git(project, "add", ".")
    assert answer(project) is None
    assert edgetpu("check", "--staged").code != 0
    assert answer(project) is None


def test_back_to_what_was_staged_is_back_to_the_answer(project, edgetpu):
    edgetpu("check", "--staged")
    git(project, "commit", "-q", "-m", "one")
    change_model(project)
    git(project, "add", ".")
    assert answer(project) is None
    git(project, "reset", "-q", "--hard")
    assert answer(project) == "2 units up to date"


def test_an_output_that_git_does_not_keep_may_be_missing_and_matters_once_it_does(project, edgetpu):
    git(project, "rm", "-q", "--cached", "a_edgetpu.tflite")
    assert edgetpu("check", "--staged").code == 0
    assert answer(project) == "2 units up to date"
    change_output(project)
    git(project, "add", ".")
    assert answer(project) is None


def test_a_globs_next_match_matters(project, edgetpu):
    (project / "pyproject.toml").write_text(
        '[tool.hatch.build.hooks.edgetpu]\n[tool.edgetpu.models.all]\nsource = "?.*"\n', encoding="utf-8"
    )
    assert edgetpu("build", "-q").code == 0
    git(project, "add", ".")
    assert edgetpu("check", "--staged").code == 0
    assert answer(project) == "2 units up to date"
    (project / "c.lite").write_bytes(models.conv_net())
    git(project, "add", ".")
    assert answer(project) is None


def test_growth_is_measured_against_a_commit_so_the_index_alone_is_not_enough(project, edgetpu):
    text = PYPROJECT + 'budget = { growth = "1 KiB" }\n'
    (project / "pyproject.toml").write_text(text, encoding="utf-8")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "one")
    assert edgetpu("check", "--staged").code == 0
    assert answer(project) is None


def test_a_warning_is_said_each_time(project, edgetpu):
    (project / "pyproject.toml").write_text(PYPROJECT.partition("\n")[2], encoding="utf-8")
    git(project, "add", ".")
    for _ in range(2):
        run = edgetpu("check", "--staged")
        assert "ETB107" in run.err
        assert answer(project) is None


def test_a_part_or_another_base_leaves_no_memo(project, edgetpu):
    git(project, "commit", "-q", "-m", "one")
    edgetpu("check", "--staged", "a")
    edgetpu("check", "--staged", "--base", "HEAD")
    edgetpu("check")
    assert answer(project) is None


def test_variables_that_decide_switch_it_off(project, edgetpu, monkeypatch):
    edgetpu("check", "--staged")
    monkeypatch.setenv("EDGETPU_BUILD_COMPILER", "google")
    assert answer(project) is None


@pytest.mark.parametrize("size", [0, 10, 60, 200])
def test_a_damaged_memo_is_none(project, edgetpu, size):
    edgetpu("check", "--staged")
    memo = Path(quick.memo_path(str(project.resolve()), os.environ))
    memo.write_bytes(memo.read_bytes()[:size])
    assert answer(project) is None


def test_another_version_asks_again(project, edgetpu, monkeypatch):
    edgetpu("check", "--staged")
    monkeypatch.setattr(quick, "__version__", "9.9.9")
    assert answer(project) is None


def test_another_index_is_looked_at_where_git_says_so(project, edgetpu, monkeypatch):
    edgetpu("check", "--staged")
    other = project / ".git" / "other"
    monkeypatch.setenv("GIT_INDEX_FILE", str(other))
    assert answer(project) is None
    other.write_bytes((project / ".git" / "index").read_bytes())
    assert answer(project) == "2 units up to date"
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/other")
    assert answer(project) == "2 units up to date"
    monkeypatch.chdir(project.parent)
    assert answer(project) is None


def test_another_repository_or_tree_is_not_looked_into(project, edgetpu, monkeypatch):
    edgetpu("check", "--staged")
    monkeypatch.setenv("GIT_DIR", str(project / ".git"))
    assert answer(project) == "2 units up to date"
    monkeypatch.setenv("GIT_WORK_TREE", str(project))
    assert answer(project) is None
    monkeypatch.delenv("GIT_WORK_TREE")
    git(project.parent, "init", "-q", "elsewhere")
    monkeypatch.setenv("GIT_DIR", str(project.parent / "elsewhere" / ".git"))
    assert answer(project) is None


def test_linked_working_trees_have_an_index_of_their_own(project, edgetpu, monkeypatch):
    git(project, "commit", "-q", "-m", "one")
    git(project, "worktree", "add", "-q", "../linked")
    linked = project.parent / "linked"
    monkeypatch.chdir(linked)
    assert edgetpu("check", "--staged").code == 0
    assert answer(linked) == "2 units up to date"
    (linked / "a.tflite").write_bytes(models.conv_net(seed=1))
    git(linked, "add", ".")
    assert answer(linked) is None


def test_all_projects_of_a_repository(tmp_path, monkeypatch, edgetpu):
    git(tmp_path, "init", "-q")
    roots = [tmp_path / "one", tmp_path / "two"]
    for root in roots:
        write_project(root)
        assert edgetpu("build", "-q", "--project", str(root)).code == 0
    git(tmp_path, "add", ".")
    monkeypatch.chdir(tmp_path)
    quick.remember_all(map(str, roots), os.environ)
    assert not quick.all_in_order(os.environ)
    for root in roots:
        assert edgetpu("check", "--staged", "--project", str(root)).code == 0
    assert quick.all_in_order(os.environ)
    change_model(roots[1])
    git(tmp_path, "add", ".")
    assert not quick.all_in_order(os.environ)


def test_a_new_project_in_the_repository_is_noticed(project, edgetpu):
    edgetpu("check", "--staged")
    quick.remember_all([str(project.resolve())], os.environ)
    assert quick.all_in_order(os.environ)
    write_project(project / "new")
    git(project, "add", ".")
    assert not quick.all_in_order(os.environ)


def test_no_memo_of_the_hook_is_no_answer(project, tmp_path_factory, monkeypatch):
    assert not quick.all_in_order(os.environ)
    monkeypatch.chdir(tmp_path_factory.mktemp("nowhere"))
    assert not quick.all_in_order(os.environ)
    quick.remember_all([], os.environ)

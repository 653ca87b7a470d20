"""Whole builds on a full disk, on a read-only one, without their store, with odd clocks, with sources that move."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgetpu_build.engine.build import build
from edgetpu_build.engine.project import Project
from tests.crash.project import COMMAND, Tree, models
from tests.support.faults import read_only, small_disk
from tests.support.store_check import TEMP, problems, temps

pytestmark = [pytest.mark.crash, pytest.mark.slow]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path / "project", tmp_path / "store")
    tree.write()
    return tree


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The products of seed 1."""
    folder = tmp_path_factory.mktemp("new")
    tree = Tree(folder / "project", folder / "store")
    tree.write(seed=1)
    assert tree.build().returncode == 0
    return tree.products()


def built(tree: Tree) -> dict[str, str]:
    done = tree.build()
    assert done.returncode == 0, done.stderr
    return tree.products()


def states(tree: Tree, *arguments: str) -> tuple[list[str], list[str]]:
    """State of each unit, and code of each warning."""
    done = tree.build("--format", "json", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    return [unit["state"] for unit in answer["units"]], [told["code"] for told in answer["warnings"]]


def test_what_killed_builds_left_is_swept_when_a_day_old(tree: Tree) -> None:
    old = built(tree)
    for folder in (tree.root, tree.root / "out"):
        for age in (3600, 90_000):
            left = folder / f"{TEMP}1234-{age}"
            left.write_bytes(b"half")
            os.utime(left, (time.time() - age, time.time() - age))
    (tree.root / "out" / "one_edgetpu.tflite").unlink()
    assert built(tree) == old
    assert {path.name for path in temps(tree.root)} == {f"{TEMP}1234-3600"}


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(byte ^ 1 for byte in data[middle : middle + 1]) + data[middle + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda _: b"",
    "cut": lambda data: data[: len(data) * 2 // 3],
    "flipped": flipped,
    "zeroed": lambda data: bytes(len(data)),
    "noise": lambda data: random.Random(len(data)).randbytes(len(data)),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_build_on_a_damaged_store_is_right(tree: Tree, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    old = built(tree)
    shutil.copytree(tree.store, tmp_path / "sound")
    for path in sorted(path for path in (tmp_path / "sound").rglob("*") if path.is_file()):
        shutil.rmtree(tree.store)
        shutil.copytree(tmp_path / "sound", tree.store)
        victim = tree.store / path.relative_to(tmp_path / "sound")
        victim.chmod(0o644)
        victim.write_bytes(damage(path.read_bytes()))
        assert built(tree) == old, victim
        shutil.rmtree(tree.root / "out")
        assert built(tree) == old, victim
        assert not problems(tree.store), victim


@pytest.mark.parametrize("size", [20, 40, 60, 100, 140, 200, 300])
def test_a_store_on_a_full_disk_costs_one_warning(tree: Tree, tmp_path: Path, size: int, new: dict[str, str]) -> None:
    old = built(tree)
    with small_disk(tmp_path / "disk", size << 10) as disk:
        small = Tree(tree.root, disk / "store")
        small.write(seed=1)
        found, told = states(small)
        assert found == ["compiled", "compiled"]
        assert len(told) <= 1
        assert tree.products() == new
        assert not small.problems(old, new)
        assert not temps(disk)


@pytest.mark.parametrize("room", [0, 4, 12, 20, 28, 36])
def test_a_project_on_a_full_disk_is_one_clear_error_a_unit(tmp_path: Path, room: int, new: dict[str, str]) -> None:
    with small_disk(tmp_path / "disk", 400 << 10) as disk:
        tree = Tree(disk / "project", tmp_path / "store")
        tree.write()
        old = built(tree)
        tree.write(seed=1)
        left = os.statvfs(disk)
        filler = max(left.f_bavail * left.f_frsize - (room << 10), 0)
        (disk / "filler").write_bytes(bytes(filler))
        done = tree.build()
        assert done.returncode == (5 if room < 24 else done.returncode & 5), done.stderr
        if done.returncode:
            assert done.stderr.count("error:") == done.stderr.count("bytes needed) [ETB501]") in (1, 2), done.stderr
        assert not tree.problems(old, new)
        assert not temps(disk)
        (disk / "filler").unlink()
        assert built(tree) == new


def test_a_read_only_store_is_used(tree: Tree, new: dict[str, str]) -> None:
    built(tree)
    shutil.rmtree(tree.root / "out")
    with read_only(tree.store):
        assert states(tree) == (["cached", "cached"], [])
        tree.write(seed=1)
        found, told = states(tree)
        assert (found, told) == (["compiled", "compiled"], ["ETB506"])
        assert tree.products() == new


def test_a_read_only_tree_is_checked_and_left(tree: Tree) -> None:
    old = built(tree)
    with read_only(tree.root):
        assert states(tree)[0] == ["fresh", "fresh"]
        check = [*COMMAND, "check"]
        done = subprocess.run(check, cwd=tree.root, env=tree.environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert tree.products() == old
    tree.write(seed=1)
    with read_only(tree.root):
        done = tree.build()
        assert done.returncode == 5
        assert done.stderr.count("error:") == done.stderr.count("Read-only file system [ETB501]") in (1, 2), done.stderr
        assert tree.products() == old


@pytest.mark.parametrize("moment", ["compiling", "done"])
def test_a_store_that_is_deleted_midway(tree: Tree, moment: str, new: dict[str, str]) -> None:
    tree.write(seed=1)
    deleted = []

    def progress(name: str, what: str) -> None:
        if what == moment:
            deleted.append(name)
            shutil.rmtree(tree.store, ignore_errors=True)

    outcome = build(Project.load(tree.root, tree.environment()), progress=progress)
    assert outcome.exit_code == 0
    assert deleted
    assert tree.products() == new
    assert not problems(tree.store)
    assert states(tree)[0] == ["fresh", "fresh"]


CLOCK = """
import sys, time
now, now_ns, shift = time.time, time.time_ns, {shift}
time.time = lambda: now() + shift
time.time_ns = lambda: now_ns() + shift * 10**9
from edgetpu_build.cli import main
sys.exit(main())
"""


def at(tree: Tree, shift: int, *arguments: str) -> list[str]:
    """States of the units in a build that believes it is ``shift`` seconds later."""
    command = [sys.executable, "-c", CLOCK.format(shift=shift), "build", "--format", "json", *arguments]
    done = subprocess.run(command, cwd=tree.root, env=tree.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [unit["state"] for unit in json.loads(done.stdout)["units"]]


def edit(tree: Tree, stamp: int | None = None, *, replace: bool = False) -> None:
    """Change one model, its size kept; with ``stamp`` its time of change is forged."""
    path = tree.root / "models" / "three.tflite"
    before, data = path.stat(), models(1)["three"]
    assert len(data) == before.st_size
    if replace:
        (tree.root / "models" / "new").write_bytes(data)
        (tree.root / "models" / "new").replace(path)
    else:
        path.write_bytes(data)
    stamp = before.st_mtime_ns if stamp is None else stamp
    os.utime(path, ns=(stamp, stamp))


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("stamp", [None, 0, 10**9, 4_102_444_800 * 10**9])
def test_a_change_is_seen_whatever_time_it_bears(tree: Tree, stamp: int | None, replace: bool) -> None:
    built(tree)
    assert at(tree, 10) == ["fresh", "fresh"]
    edit(tree, stamp, replace=replace)
    assert at(tree, 20) == ["fresh", "compiled"]


@pytest.mark.parametrize("shift", [-3, -86_400 * 400, 86_400 * 400])
def test_a_clock_that_is_set_changes_nothing(tree: Tree, shift: int) -> None:
    assert at(tree, 0) == ["compiled", "compiled"]
    assert at(tree, shift) == ["fresh", "fresh"]
    edit(tree)
    assert at(tree, shift) == ["fresh", "compiled"]
    shutil.rmtree(tree.root / "out")
    assert at(tree, 0) == ["cached", "cached"]
    assert at(tree, 10) == ["fresh", "fresh"]


def test_sources_that_are_rewritten_while_they_are_read(tree: Tree, new: dict[str, str]) -> None:
    """Not atomically, again and again. A torn model may be refused; nothing of it may stay."""
    old = built(tree)
    stop = threading.Event()

    def rewrite() -> None:
        while not stop.is_set():
            for seed in (0, 1):
                for name, data in models(seed).items():
                    (tree.root / "models" / f"{name}.tflite").write_bytes(data)

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        codes = {tree.build().returncode for _ in range(8)}
    finally:
        stop.set()
        writer.join()
    assert codes <= {0, 3}
    tree.write(seed=1)
    assert built(tree) == new
    tree.write(seed=0)
    assert built(tree) == old


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONHASHSEED": "0"},
        {"PYTHONHASHSEED": "4242"},
        {"LC_ALL": "C", "TZ": "Pacific/Auckland"},
        {"LC_ALL": "tr_TR.UTF-8", "TZ": "UTC"},
        {"PYTHONUTF8": "0", "LANG": "POSIX"},
        {"PYTHONOPTIMIZE": "2"},
    ],
    ids=str,
)
def test_outputs_do_not_depend_on_the_environment(
    tmp_path: Path, environment: dict[str, str], new: dict[str, str]
) -> None:
    tree = Tree(tmp_path / "elsewhere é [1]" / "project", tmp_path / "store")
    tree.write(seed=1)
    assert tree.build("-j3", **environment).returncode == 0
    assert tree.products() == new


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_outputs_do_not_depend_on_jobs_nor_on_where_it_was_started(
    tmp_path: Path, jobs: int, new: dict[str, str]
) -> None:
    tree = Tree(tmp_path / "project", tmp_path / "store")
    tree.write(seed=1)
    command = [*COMMAND, "build", f"-j{jobs}", "--project", "project"]
    subprocess.run(command, cwd=tmp_path, env=tree.environment(), check=True, capture_output=True)
    assert tree.products() == new

"""Kills at any instant, and many builds at once."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.crash.project import COMMAND, Tree
from tests.support import store_check

KILLS = 300
LANES = 2
SEEDS = 4
UNITS = 2


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """The products of an undisturbed build of each seed, from nothing."""
    found = []
    for seed in range(SEEDS):
        folder = tmp_path_factory.mktemp("whole")
        tree = Tree(folder / "project", folder / "store")
        tree.write(seed)
        done = tree.build()
        assert done.returncode == 0, done.stderr
        found.append(tree.products())
    return found


def kill_again_and_again(tree: Tree, whole: list[dict[str, str]], lane: int) -> None:
    """Every third kill is followed by a build that must come out as if nothing had happened; the others by the next."""
    chance, kills, number = random.Random(lane), 0, 0
    tree.write()
    started = time.monotonic()
    assert tree.build().returncode == 0
    takes = time.monotonic() - started
    while kills < KILLS // LANES:
        number += 1
        seed, jobs = chance.randrange(SEEDS), chance.choice([1, 2])
        tree.write(seed)
        if chance.random() < 0.5:
            tree.clean()
        process = tree.start(f"-j{jobs}")
        try:
            process.wait(timeout=chance.uniform(0.2, 1) * takes)
            takes *= 0.99  # it ended before it could be killed: be quicker
        except subprocess.TimeoutExpired:
            kills += 1
            takes *= 1.01
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)  # returns only when no child holds the pipes
        where = f"build {number}, kill {kills} in lane {lane}"
        assert not tree.problems(*whole), where
        if kills % 3 == 0:
            again = tree.build()
            assert again.returncode == 0, (where, again.stderr)
            assert tree.products() == whole[seed], where


@pytest.mark.crash
@pytest.mark.slow
def test_kills_at_random_instants(tmp_path: Path, whole: list[dict[str, str]]) -> None:
    trees = [Tree(tmp_path / str(lane) / "project", tmp_path / str(lane) / "store") for lane in range(LANES)]
    with ThreadPoolExecutor(LANES) as pool:
        list(pool.map(lambda lane: kill_again_and_again(trees[lane], whole, lane), range(LANES)))


@pytest.mark.crash
@pytest.mark.slow
def test_many_builds_at_once_compile_each_unit_once(tmp_path: Path, whole: list[dict[str, str]]) -> None:
    tree = Tree(tmp_path / "project", tmp_path / "store")
    tree.write(seed=1)
    processes = [tree.start("--format", "json") for _ in range(16)]
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 16, answers
    states = [unit["state"] for out, _ in answers for unit in json.loads(out)["units"]]
    assert states.count("compiled") == UNITS
    assert set(states) <= {"compiled", "cached", "fresh"}
    assert not any(json.loads(out)["warnings"] for out, _ in answers)
    assert tree.products() == whole[1]
    assert not tree.problems(whole[1])
    assert not store_check.temps(tmp_path)


@pytest.mark.crash
@pytest.mark.slow
def test_builds_do_not_mind_a_store_that_is_pruned_and_cleared(tmp_path: Path, whole: list[dict[str, str]]) -> None:
    trees = [Tree(tmp_path / str(number) / "project", tmp_path / "store") for number in range(6)]
    for number, tree in enumerate(trees):
        tree.write(number % SEEDS)
    builds = [tree.start() for tree in trees]
    while any(build.poll() is None for build in builds):
        for action in (["clear"], ["prune", "--size", "0"], ["verify"]):
            command = [*COMMAND, "cache", *action]
            done = subprocess.run(command, env=trees[0].environment(), capture_output=True, text=True, check=False)
            assert done.returncode == 0, (done.stdout, done.stderr)
    for number, (tree, build) in enumerate(zip(trees, builds, strict=True)):
        _, told = build.communicate()
        assert build.returncode == 0, told
        assert tree.products() == whole[number % SEEDS]

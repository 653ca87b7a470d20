"""A build that is killed, or meets an error, at each system call that changes a file: nothing wrong is left or used."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.crash.project import Tree
from tests.crash.trace import CHANGES, Moment, moments

pytestmark = [pytest.mark.crash, pytest.mark.slow]
KILLS = [(call, 1) for call in CHANGES] + [("fsync", 2), ("rename", 2)]
FAULTS = [
    ("openat", "ENOSPC"),
    ("write", "ENOSPC"),
    ("write", "EIO"),
    ("fsync", "EIO"),
    ("rename", "EIO"),
    ("mkdir", "ENOSPC"),
    ("flock", "ENOLCK"),
]


class Scene:
    """A tree that was built, and whose sources have changed since: every window of a build is open again and again."""

    def __init__(self, folder: Path) -> None:
        self.tree = Tree(folder / "project", folder / "store")
        self.before = Tree(folder / "before" / "project", folder / "before" / "store")
        self.log = folder / "strace.log"
        self.tree.write(seed=0)
        self.old = self._built()
        shutil.copytree(self.tree.root, self.before.root)
        shutil.copytree(self.tree.store, self.before.store)
        self.tree.write(seed=1)
        self.new = self._built()

    def _built(self) -> dict[str, str]:
        done = self.tree.build()
        assert done.returncode == 0, done.stderr
        return self.tree.products()

    def reset(self) -> Tree:
        """Old outputs, old lock, old store, new sources."""
        for now, then in ((self.tree.root, self.before.root), (self.tree.store, self.before.store)):
            shutil.rmtree(now)
            shutil.copytree(then, now)
        self.tree.write(seed=1)
        return self.tree

    def moments(self, jobs: int, call: str) -> list[Moment]:
        return [moment for moment in moments(self.reset(), self.log, jobs) if moment.call == call]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("scene"))


@pytest.mark.parametrize(("call", "jobs"), KILLS)
def test_killed(scene: Scene, call: str, jobs: int) -> None:
    found, killed = scene.moments(jobs, call), 0
    for moment in found:
        tree = scene.reset()
        killed += tree.build(f"-j{jobs}", under=moment.kill()).returncode != 0
        assert not tree.problems(scene.old, scene.new), moment
        again = tree.build()
        assert again.returncode == 0, (moment, again.stderr)
        assert tree.products() == scene.new, moment
    assert killed == len(found) if jobs == 1 else killed > 0


@pytest.mark.parametrize(("call", "error"), FAULTS)
def test_failing(scene: Scene, call: str, error: str) -> None:
    for moment in scene.moments(1, call):
        tree = scene.reset()
        done = tree.build("-j1", under=moment.fail(error))
        assert done.returncode in (0, 5), (moment, done.stderr)
        assert "Traceback" not in done.stderr
        assert done.stderr.count("error:") == (done.returncode == 5), (moment, done.stderr)
        assert not tree.problems(scene.old, scene.new), moment
        if done.returncode == 0:
            assert tree.products() == scene.new, moment
            continue
        again = tree.build("-j1")
        assert again.returncode == 0, (moment, again.stderr)
        assert tree.products() == scene.new, moment

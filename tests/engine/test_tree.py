from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgetpu_build.engine.tree import EitherTree, ListedTree, WorkTree

FILES = (
    "a.tflite",
    "b.txt",
    ".h.tflite",
    "m/a.tflite",
    "m/x[1].tflite",
    "m/n/b.tflite",
    "m/.k/c.tflite",
    "m n/é.tflite",
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    for file in FILES:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(b"")
    return folder


parts = st.sampled_from(["*", "**", "*.tflite", "m", "m*", "[mn]", "?", "a.tflite", "x[[]1].tflite", ".*", "n"])


@given(pattern=st.lists(parts, min_size=1, max_size=4).map("/".join))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_disk_and_listing_find_the_same(root: Path, pattern: str) -> None:
    assert WorkTree(str(root)).matches(pattern) == ListedTree(FILES).matches(pattern)


def test_hidden_files_are_not_found(root: Path) -> None:
    found = WorkTree(str(root)).matches("**/*.tflite")
    assert found == ["a.tflite", "m n/é.tflite", "m/a.tflite", "m/n/b.tflite", "m/x[1].tflite"]


def test_the_folders_that_decide_are_known(root: Path) -> None:
    tree = WorkTree(str(root))
    tree.matches("m/*/b.tflite")
    assert tree.folders == {"m"}
    tree.matches("**/*.tflite")
    assert tree.folders == {".", "m", "m/n", "m n"}


def test_two_stars_follow_no_symlink(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.tflite").write_bytes(b"")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert WorkTree(str(tmp_path)).matches("**/*.tflite") == ["a/x.tflite"]


def test_what_is_at_a_path(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"")
    tree = WorkTree(str(tmp_path))
    kinds = [tree.kind(path) for path in ("file", ".", "pipe", "no", "file/below", "a\0b")]
    assert kinds == ["file", "folder", "special", "missing", "missing", "unreadable"]


def test_each_path_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"12")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "out").symlink_to("/")
    tree = WorkTree(str(tmp_path.resolve()))
    assert [tree.kind(path) for path in ("file", "link", "out")] == ["file", "file", "folder"]
    assert tree.looks["link"].st_ino == tree.looks["file"].st_ino == (tmp_path / "file").stat().st_ino
    assert not tree.leaves("file")  # what it takes to know the folder
    monkeypatch.setattr(os, "stat", None)
    monkeypatch.setattr(os, "lstat", None)
    assert tree.kind("link") == "file"
    assert not tree.leaves("file")


def test_a_link_leaves_whether_or_not_it_was_looked_at_before(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"")
    for name, target in {"a": "/etc/passwd", "b": "../gone", "c": "in"}.items():
        (tmp_path / name).symlink_to(target)
    for looked in (False, True):
        tree = WorkTree(str(tmp_path.resolve()))
        if looked:
            assert [tree.kind(name) for name in "abc"] == ["file", "missing", "file"]
        assert [tree.leaves(name) for name in "abc"] == [True, True, False]


def test_the_second_tree_answers_where_the_first_has_nothing() -> None:
    tree = EitherTree(ListedTree(["a"]), ListedTree(["b"]))
    assert [tree.kind(path) for path in "abc"] == ["file", "file", "missing"]
    assert tree.matches("*") == ["a", "b"]

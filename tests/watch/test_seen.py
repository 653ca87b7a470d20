"""What matters, and whether it changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgetpu_build.config.load import parse
from edgetpu_build.watch.seen import Digests, Scope, scope

BODY = """\
[tool.edgetpu.models.a]
source = "models/a.tflite"
[tool.edgetpu.models.g]
source = "many/*/x-*.tflite"
"""


@pytest.fixture
def found(tmp_path: Path) -> Scope:
    (tmp_path / "many/one").mkdir(parents=True)
    for name in ("x-1.tflite", "x-1_edgetpu.tflite", "y.tflite"):
        (tmp_path / "many/one" / name).touch()
    return scope(tmp_path, parse(BODY, {}), ["out/a_edgetpu.tflite"])


def relative(paths: frozenset[str], root: Path) -> set[str]:
    return {os.path.relpath(path, root) for path in paths}


def test_files(found: Scope, tmp_path: Path) -> None:
    ours = {"edgetpu.lock", "out/a_edgetpu.tflite"}
    assert relative(found.ours, tmp_path) == ours
    assert relative(found.files, tmp_path) == ours | {"pyproject.toml", "models/a.tflite", "many/one/x-1.tflite"}


def test_folders_that_are_missing_are_watched_from_above(found: Scope, tmp_path: Path) -> None:
    assert relative(found.folders, tmp_path) == {".", "many", "many/one"}


@pytest.mark.parametrize(
    ("path", "folder", "concerns"),
    [
        ("models/a.tflite", False, True),
        ("pyproject.toml", False, True),
        ("out/a_edgetpu.tflite", False, True),
        ("models/b.tflite", False, False),
        ("models", True, True),
        ("other", True, False),
        ("many/two", True, True),
        ("many/one/x-2.tflite", False, True),
        ("many/one/y.tflite", False, False),
        ("many/one/x-2.tflite.tmp", False, False),
    ],
)
def test_what_concerns_it(found: Scope, tmp_path: Path, path: str, folder: bool, concerns: bool) -> None:
    assert found.concerns(str(tmp_path / path), folder=folder) == concerns


class TestDigests:
    def test_follow_content_not_time(self, tmp_path: Path) -> None:
        path = tmp_path / "a"
        path.write_text("1")
        digests = Digests()
        before = digests.of([str(path)])
        os.utime(path, (1, 1))
        assert digests.of([str(path)]) == before
        path.write_text("2")
        assert digests.of([str(path)]) != before

    def test_see_a_change_within_one_tick_of_the_clock(self, tmp_path: Path) -> None:
        path = tmp_path / "a"
        path.write_text("1")
        stamp = path.stat().st_mtime_ns
        digests = Digests()
        before = digests.of([str(path)])
        path.write_text("2")
        os.utime(path, ns=(stamp, stamp))
        assert digests.of([str(path)]) != before

    def test_do_not_read_again_what_a_stat_vouches_for(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "a"
        path.write_text("1")
        os.utime(path, (1, 1))
        digests = Digests()
        before = digests.of([str(path)])
        monkeypatch.setattr("edgetpu_build.watch.seen._sha256", lambda _: pytest.fail("read again"))
        assert digests.of([str(path)]) == before

    def test_are_empty_for_what_is_no_file(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "fifo")
        paths = [str(tmp_path / name) for name in ("none", "fifo", ".")]
        assert set(Digests().of(paths).values()) == {""}

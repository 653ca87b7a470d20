"""`edgetpu-build cache`: what it prints, what it does, how it ends."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from edgetpu_build.cli import main
from edgetpu_build.store import Store, open_store
from tests.support.project import Yard, states

KEYS = ["ab" * 32, "cd" * 32, "ef" * 32]


@pytest.fixture
def store() -> Store:
    store = open_store(os.environ)
    for number, key in enumerate(KEYS):
        store.put(key, {"0.tflite": bytes([number]) * 10_000}, {})
        os.utime(store.record_path(key), (1_000_000_000 + number, 1_000_000_000 + number))
    return store


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["cache", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code, out, err = run(capsys, *arguments, "--format", "json")
    assert not err
    answer = json.loads(out)
    assert (answer["schema"], answer["command"], answer["ok"]) == (1, "cache", code == 0)
    return code, answer


def test_dir(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "dir") == (0, os.environ["EDGETPU_BUILD_CACHE_DIR"] + "\n", "")
    assert run_json(capsys, "dir")[1]["folder"] == os.environ["EDGETPU_BUILD_CACHE_DIR"]


def test_stats(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys)
    assert code == 0
    assert "records   3\n" in out
    assert "of 2048.00MiB" in out
    assert "2001-09-09" in out
    found = run_json(capsys, "stats")[1]["stats"]
    assert (found["records"], found["blobs"], found["limit"]) == (3, 3, 2 << 30)
    assert found["bytes"] > 30_000


def test_stats_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert "used      never" in run(capsys, "stats")[1]
    assert not Path(os.environ["EDGETPU_BUILD_CACHE_DIR"]).exists()


def test_prune(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_json(capsys, "prune")[1]["removed"]["records"] == 0
    assert run_json(capsys, "prune", "--size", "11 KB")[1]["removed"]["records"] == 2
    assert store.get(KEYS[2])
    assert "removed 1 records, 1 blobs" in run(capsys, "prune", "--size=0")[1]


def test_clear(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "clear")
    assert (code, out.split(",")[0]) == (0, "removed 3 records")
    assert store.get(KEYS[0]) is None


def test_verify(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "verify") == (0, "3 records and 3 blobs checked, 0 damaged\n", "")
    path = Path(store.record_path(KEYS[0]))
    path.write_bytes(path.read_bytes()[:-5])
    code, out, err = run(capsys, "verify")
    assert (code, out) == (5, "3 records and 3 blobs checked, 1 damaged\n")
    assert "ETB505" in err
    assert "--repair" in err
    code, answer = run_json(capsys, "verify")
    assert code == 5
    assert answer["errors"][0]["code"] == "ETB505"
    assert answer["verification"]["findings"] == [
        {"path": str(path), "problem": "its own digest does not hold", "repaired": False}
    ]
    assert run(capsys, "verify", "--repair")[0] == 5
    assert run(capsys, "verify")[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [["vrify"], ["stats", "--size", "1"], ["dir", "--repair"], ["prune", "--size", "lots"], ["dir", "extra"]],
)
def test_usage(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")


def test_stats_by_store(capsys: pytest.CaptureFixture[str]) -> None:
    from edgetpu_build.store.remote import tally
    from edgetpu_build.store.remote.tier import Counts

    store = open_store(os.environ)
    for _ in range(2):
        tally.add(store, {"local": Counts(hits=1, misses=2), "http://cache": Counts(hits=1, misses=1, errors=3)})
    lines = run(capsys, "stats")[1].splitlines()
    assert lines[-3].split() == ["store", "hits", "misses", "errors", "uploads"]
    assert lines[-2].split() == ["local", "2", "4", "0", "0"]
    assert lines[-1].split() == ["http://cache", "2", "2", "6", "0"]
    tiers = run_json(capsys, "stats")[1]["tiers"]
    assert tiers["http://cache"] == {"hits": 2, "misses": 2, "errors": 6, "uploads": 0}
    run(capsys, "clear")
    assert run_json(capsys, "stats")[1]["tiers"] == {}


class TestPruneForCi:
    @pytest.fixture
    def project(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Yard:
        yard = Yard.at(tmp_path)
        yard.models(a="a.tflite", b="b.tflite")
        yard.write("a.tflite", "aaa")
        yard.write("b.tflite", "bb")
        monkeypatch.chdir(yard.root)
        return yard

    def test_what_the_lock_names_stays(self, project: Yard, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
        project.build()
        project.write("a.tflite", "newer")
        project.build()
        code, answer = run_json(capsys, "prune", "--ci")
        assert code == 0
        assert (answer["removed"]["records"], answer["removed"]["blobs"]) == (len(KEYS) + 1, len(KEYS) + 1)
        for output in ("a_edgetpu.tflite", "b_edgetpu.tflite", "edgetpu.lock"):
            (project.root / output).unlink()
        assert set(states(project.build()).values()) == {"cached"}

    def test_without_a_lock_nothing_is_removed(
        self, project: Yard, store: Store, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code, _, err = run(capsys, "prune", "--ci")
        assert code == 5
        assert "edgetpu.lock" in err
        assert all(store.get(key) for key in KEYS)

    @pytest.mark.parametrize("words", [["stats", "--ci"], ["prune", "--ci", "--size", "1"]])
    def test_usage(self, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert run(capsys, *words)[0] == 2

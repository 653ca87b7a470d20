"""The command itself with a real observer and real files. Waits are for conditions, with a deadline."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue

import pytest

from tests.support import models

pytestmark = pytest.mark.slow
DEADLINE = 60
ONE = '[tool.edgetpu]\ncompiler = "builtin"\n[tool.edgetpu.models.m]\nsource = "models/*.tflite"\n'


class Watching:
    """The command in a process of its own, and what it says, line by line."""

    def __init__(self, root: Path, *options: str) -> None:
        command = [sys.executable, "-u", "-m", "edgetpu_build", "watch", "--color", "never", *options]
        self.process = subprocess.Popen(
            command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
        )
        self._lines: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line.rstrip())

    def until(self, *words: str) -> str:
        """The next line that has all the words; others before it are read over."""
        said = []
        try:
            while True:
                said.append(self._lines.get(timeout=DEADLINE))
                if all(word in said[-1] for word in words):
                    return said[-1]
        except Empty:
            pytest.fail(f"no line with {words} came, but {said}")

    def end(self) -> tuple[int, list[str]]:
        """Ctrl-C; the exit code, and what was said since."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(DEADLINE)
        self._reader.join()
        rest = []
        while not self._lines.empty():
            rest.append(self._lines.get())
        return code, rest

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout
        self.process.stdout.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "pyproject.toml").write_text(ONE)
    (tmp_path / "models/a.tflite").write_bytes(models.dense_net(layers=2))
    return tmp_path


@pytest.fixture
def watch(root: Path) -> Iterator[Callable[..., Watching]]:
    started: list[Watching] = []

    def start(*options: str) -> Watching:
        started.append(Watching(root, *options))
        return started[-1]

    yield start
    for watching in started:
        watching.close()


def replace(path: Path, data: bytes) -> None:
    temp = path.with_name(".saving")
    temp.write_bytes(data)
    os.replace(temp, path)


@pytest.mark.parametrize("options", [[], ["--poll"]], ids=["events", "polling"])
def test_a_day_at_work(root: Path, watch: Callable[..., Watching], options: list[str]) -> None:
    watching = watch(*options)
    out = root / "models/a_edgetpu.tflite"
    watching.until("m[a]", "compiled", "on-chip", "off-chip")
    first = out.read_bytes()

    (root / "models/a.tflite").write_bytes(models.dense_net(layers=3))
    watching.until("m[a]", "compiled")
    assert out.read_bytes() != first

    replace(root / "models/a.tflite", models.dense_net(layers=2))
    watching.until("m[a]", "cached")
    assert out.read_bytes() == first

    replace(root / "models/b.tflite", models.dense_net(layers=4))
    watching.until("m[b]", "compiled")

    (root / "models/b.tflite").write_bytes(b"not a model at all")
    watching.until("m[b]", "failed")
    watching.until("error", "b.tflite", "ETB301")
    replace(root / "models/b.tflite", models.dense_net(layers=5))
    watching.until("m[b]", "compiled")

    out.unlink()
    watching.until("m[a]", "cached")
    assert out.read_bytes() == first

    (root / "pyproject.toml").write_text(ONE.replace("compiler", "compilr"))
    watching.until("error: pyproject.toml:2:", "compilr")
    (root / "pyproject.toml").write_text(ONE)
    watching.until("up to date again")

    code, rest = watching.end()
    assert (code, rest) == (130, [])


def test_a_command_runs_after_each_good_build_only(root: Path, watch: Callable[..., Watching]) -> None:
    watching = watch("--exec", "echo done >> log.txt; echo ran")
    watching.until("ran")
    (root / "models/a.tflite").write_bytes(b"not a model at all")
    watching.until("failed")
    (root / "models/a.tflite").write_bytes(models.dense_net(layers=3))
    watching.until("ran")
    assert watching.end()[0] == 130
    assert (root / "log.txt").read_text() == "done\ndone\n"


def test_json_is_an_object_a_line(root: Path, watch: Callable[..., Watching]) -> None:
    watching = watch("--format", "json")
    assert json.loads(watching.until('"compiled"'))["command"] == "watch"
    (root / "models/a.tflite").write_bytes(b"not a model at all")
    assert json.loads(watching.until('"failed"'))["ok"] is False
    assert watching.end() == (130, [])

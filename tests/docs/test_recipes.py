"""The recipes of docs/recipes, with programs in the place of docker, ssh and rsync that do the same on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgetpu_build.compiler.google.backend import Google
from edgetpu_build.compiler.interface import Request, Result, Source
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.tflite import reader
from tests.support import models
from tests.support.standin.recording import Recording, told

RECIPES = Path(__file__).parents[2] / "docs" / "recipes"
MODEL = models.conv_net(layers=2, channels=8, size=8)

DOCKER = """#!/bin/sh
# Runs the command in the folder that -w names, if -v maps it there; everything else of the machine is as it is.
while [ "$1" != edgetpu-compiler ]; do
    case $1 in -v) mapped=$2; shift;; -w) folder=$2; shift;; --user|--network) shift;; esac
    shift
done
[ "$mapped" = "$folder:$folder" ] || exit 125
shift
cd "$folder" && exec "$@"
"""
SSH = """#!/bin/sh
[ "$1" = -tt ] && shift
[ "$1" = build-box ] || exit 255
shift
TMPDIR=$ELSEWHERE exec sh -c "$*"
"""
RSYNC = """#!/bin/sh
exec cp -R "${2#build-box:}." "${3#build-box:}"
"""


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recording:
    """Its program and the stand-ins for the others are on PATH."""
    found = Recording(tmp_path / "bin")
    for name, text in (("docker", DOCKER), ("podman", DOCKER), ("ssh", SSH), ("rsync", RSYNC)):
        (found.home / name).write_text(text)
        (found.home / name).chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(found.home), os.environ["PATH"]]))
    monkeypatch.setenv("POLL", "0.02")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("ELSEWHERE", str(tmp_path / "elsewhere"))
    return found


def compiled(command: tuple[str, ...], data: bytes = MODEL, *names: str) -> Result:
    source = Source(label="a b.tflite", data=data, intermediate_tensors=names)
    google = Google(command=(str(RECIPES / command[0]), *command[1:]))
    return google.compile(Request(sources=(source,)), timeout=60, progress=lambda _text: None)


@pytest.fixture(params=["docker", "podman", "ssh", "folder"])
def command(
    request: pytest.FixtureRequest, tmp_path: Path, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, ...]]:
    """Whatever way it is reached, nothing of it stays over there."""
    if request.param == "podman":
        monkeypatch.setenv("DOCKER", "podman")
        (recording.home / "docker").unlink()
    elsewhere = tmp_path / "elsewhere"
    server = subprocess.Popen([sys.executable, str(RECIPES / "edgetpu-folder-serve.py"), str(elsewhere), "0.02"])
    yield {
        "docker": ("edgetpu-docker", "{workdir}"),
        "podman": ("edgetpu-docker", "{workdir}"),
        "ssh": ("edgetpu-ssh", "build-box", "{workdir}"),
        "folder": ("edgetpu-folder", str(elsewhere), "{workdir}"),
    }[request.param]
    server.kill()
    server.wait()
    assert os.listdir(elsewhere) == []


def test_a_compile_goes_there_and_back(command: tuple[str, ...], recording: Recording) -> None:
    one = told(MODEL, on_cpu=(4,))
    recording.good(one)
    (member,) = compiled(command).members
    assert member.artifact == one.artifact
    assert member.log.startswith("Edge TPU Compiler version")
    assert member.figures.cpu_operators.value == 1


def test_odd_tensor_names_arrive_as_they_are(command: tuple[str, ...], recording: Recording) -> None:
    net = models.unpack(MODEL)
    odd = 'it\'s; a $(name) "x"'
    net.subgraphs[0].tensors[net.subgraphs[0].operators[0].outputs[0]].name = odd.encode()
    data = models.pack(net)
    recording.good(told(data, on_cpu=(1, 2, 3, 4)), arguments=[f"--intermediate_tensors={odd}"])
    (member,) = compiled(command, data, odd).members
    assert [op.target for op in member.operators] == ["edgetpu", *["cpu"] * 4]
    assert reader.read(member.artifact).main.operators


def test_a_failure_comes_back_as_one(command: tuple[str, ...], recording: Recording) -> None:
    recording.bad("Invalid model: x\nModel not quantized\n", code=1)
    with pytest.raises(EdgeTpuBuildError) as raised:
        compiled(command)
    assert raised.value.diagnostics[0].code == "ETB306"


def test_scripts_are_sound() -> None:
    for name in ("edgetpu-docker", "edgetpu-ssh", "edgetpu-folder"):
        subprocess.run(["sh", "-n", str(RECIPES / name)], check=True)
        assert os.access(RECIPES / name, os.X_OK)

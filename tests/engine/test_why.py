from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from edgetpu_build.compiler.interface import Identity
from edgetpu_build.engine import layers, lockfile
from edgetpu_build.engine.build import build
from edgetpu_build.engine.project import Project
from edgetpu_build.engine.why import of_build, why
from tests.support import models, pages
from tests.support.project import Yard


@pytest.fixture
def real(tmp_path: Path) -> Yard:
    """A committed project, built by builtin itself."""
    yard = Yard.at(tmp_path)
    yard.config('[tool.edgetpu]\ncompiler = "builtin"\n[tool.edgetpu.models.net]\nsource = "net.tflite"\n')
    yard.write("net.tflite", models.dense_net(4, 1024, 1024))
    build(project(yard))
    yard.git("init", "-q")
    yard.git("add", "-A")
    yard.git("commit", "-qm", "all")
    return yard


def project(yard: Yard) -> Project:
    return Project.load(yard.root, os.environ)


def test_layers_that_no_longer_fit(real: Yard) -> None:
    real.write("net.tflite", models.dense_net(12, 1024, 1024))
    outcome = build(project(real))
    (cause,) = why(project(real), "HEAD", ["net"]).values()
    assert cause.seen
    assert [after.tag for _, after in cause.ingredients] == ["source 1"]
    figures = outcome.units[0].members[0].figures
    assert sum(move.effect for move in cause.layers) == figures.streamed_bytes.value
    assert of_build(project(real), outcome) == {"net": cause}


def test_operators_that_went_to_the_cpu(real: Yard) -> None:
    real.write("net.tflite", pages.blocked())
    build(project(real))
    cause = why(project(real), "HEAD", ["net"])["net"]
    assert {move.after.target for move in cause.operators if move.after} == {"cpu"}
    assert any(move.after and move.after.rule and move.after.follows < 0 for move in cause.operators)


def test_nothing_moved_means_no_cause(real: Yard) -> None:
    assert of_build(project(real), build(project(real))) == {}
    cause = why(project(real), "HEAD", ["net", "nobody"])["net"]
    assert (cause.ingredients, cause.layers, cause.operators) == ((), (), ())


def test_a_source_that_git_does_not_have(real: Yard) -> None:
    real.git("rm", "-q", "--cached", "net.tflite")
    real.git("commit", "-qm", "models elsewhere")
    real.write("net.tflite", models.dense_net(2))
    build(project(real))
    cause = why(project(real), "HEAD", ["net"])["net"]
    assert not cause.seen
    assert [after.tag for _, after in cause.ingredients] == ["source 1"]


def test_without_a_repository_a_build_has_no_causes(tmp_path: Path) -> None:
    yard = Yard.at(tmp_path)
    yard.config('[tool.edgetpu]\ncompiler = "builtin"\n[tool.edgetpu.models.net]\nsource = "net.tflite"\n')
    yard.write("net.tflite", models.dense_net(2))
    build(project(yard))
    yard.write("net.tflite", models.dense_net(3))
    assert of_build(project(yard), build(project(yard))) == {}


def test_layers_are_those_of_the_figures(real: Yard) -> None:
    lock = lockfile.read(real.root)
    assert lock
    (layered,) = layers.of(lock.units["net"], layers.here(project(real))) or ()
    assert sum(layer.bytes for layer in layered.result.layers) == layered.figures.cached_bytes.value
    assert layered.figures.on_chip_available.low is not None


def test_layers_of_another_source_are_not_told(real: Yard) -> None:
    lock = lockfile.read(real.root)
    assert lock
    real.write("net.tflite", models.dense_net(2))
    assert layers.of(lock.units["net"], layers.here(project(real))) is None
    assert layers.of(lock.units["net"], lambda _: None) is None
    assert layers.of(lock.units["net"], layers.at(project(real), "HEAD")) is not None


def test_layers_of_googles_compiler_are_guesses_for_its_generation(real: Yard) -> None:
    lock = lockfile.read(real.root)
    assert lock
    google = Identity(name="google", version="15.0.340273435", identity="15.0.340273435", target="edgetpu")
    unit = replace(lock.units["net"], compiler=google, target="edgetpu")
    assert layers._options(unit).generation == "15.0"
    (layered,) = layers.of(unit, layers.here(project(real))) or ()
    assert {layer.confidence for layer in layered.result.layers} == {"estimated"}
    newest = replace(google, version="17.0.1")
    assert layers._options(replace(unit, compiler=newest)).generation == unit.options.generation

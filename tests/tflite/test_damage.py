"""Damaged and contradictory models: read, cut, delegated and masked, they work or end in one of our errors."""

from __future__ import annotations

import random

import pytest

from edgetpu_build.compiler import artifact, package
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.tflite import surgery
from edgetpu_build.tflite.reader import read
from tests.support import corpus, models, mutants

MADE = [
    models.conv_net(2, 8, 16, signatures=["serve"], metadata=["note"], zip_appended=True),
    models.branching_net(signatures=["serve"]),
    models.dense_net(),
    models.mobilenet_like(0.1, 32),
]
REAL = [path.read_bytes() for path in corpus.real(".tflite") if path.stat().st_size < 150_000]


ENDINGS = {"fine", "ETB301", "ETB302", "ETB307", "ETB320", "ETB701"}  # 701: parts are chosen blindly here


def use(data: bytes, rng: random.Random) -> str:
    """Everything that a compile does with a model; what it ended with."""
    try:
        model = read(data)
        cut = rng.randrange(len(model.main.operators) + 1)
        for operators in (range(cut), range(cut, len(model.main.operators))):
            inputs, outputs = surgery.boundary(model.main, operators)
            read(surgery.extract(model, operators, inputs, outputs))
            if operators:
                part = artifact.Part(operators=tuple(operators), inputs=inputs, outputs=outputs, cached=b"weights")
                compiled = artifact.build(model, [part], token=5, runtime_version=14)
                read(compiled)
                package.mask_token(compiled)
        for operator in model.main.operators:
            if operator.custom_code in package.CUSTOM_OPERATORS:
                package.decode(operator.custom_options or b"")
        package.mask_token(data)
    except EdgeTpuBuildError as problem:
        return problem.diagnostics[0].code
    return "fine"


def ends(originals: list[bytes], count: int, seed: int) -> set[str]:
    """How ``count`` mutants of each original end."""
    rng = random.Random(seed)
    return {use(mutant, rng) for data in originals for mutant in mutants.mutants(data, count, seed)}


def test_a_few_hundred_mutants_are_used_or_refused() -> None:
    assert {"fine", "ETB302"} <= ends(MADE, 60, seed=1) <= ENDINGS


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
def test_two_thousand_mutants_are_used_or_refused(seed: int) -> None:
    found = ends(MADE, 100, seed) | ends(REAL, 20, seed)
    assert {"fine", "ETB302"} <= found <= ENDINGS


@pytest.mark.parametrize("fault", mutants.FAULTS, ids=lambda fault: fault.__name__)
def test_every_kind_of_contradiction_is_used_or_refused(fault: object) -> None:
    for seed in range(3):
        rng = random.Random(seed)
        model = models.unpack(MADE[seed])
        fault(model, rng)  # type: ignore[operator]
        assert use(models.pack(model), rng)


def test_compiled_files_cut_short_are_refused() -> None:
    model = read(MADE[0])
    operators = range(len(model.main.operators))
    part = artifact.Part(
        operators=tuple(operators), inputs=model.main.inputs, outputs=model.main.outputs, cached=b"w" * 64
    )
    compiled = artifact.build(model, [part], token=5, runtime_version=14)
    end = read(compiled).flatbuffer_size
    for short in mutants.truncated(compiled[:end]):
        with pytest.raises(EdgeTpuBuildError):
            read(short)
    options = bytes(read(compiled).main.operators[0].custom_options or b"")
    for short in mutants.truncated(options):
        with pytest.raises(EdgeTpuBuildError):
            package.decode(short)

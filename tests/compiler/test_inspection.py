from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from edgetpu_build.compiler.builtin import Builtin
from edgetpu_build.compiler.inspection import differences, inspect, quantization, shape, token
from edgetpu_build.compiler.interface import Options, Request, Source
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.figure import exact
from edgetpu_build.tflite.model import Quantization, Tensor
from tests.support import models

PAIRS = Path(__file__).resolve().parents[2] / ".." / "shared" / "reference" / "corpus" / "pairs"


def compiled(data: bytes, **options: object) -> bytes:
    request = Request(sources=(Source(label="net", data=data),), options=Options(**options))  # type: ignore[arg-type]
    (member,) = Builtin().compile(request, timeout=60, progress=lambda _: None).members
    return member.artifact


def test_a_models_figures_are_those_of_its_compile():
    data = models.mobilenet_like()
    request = Request(sources=(Source(label="net", data=data),))
    (member,) = Builtin().compile(request, timeout=60, progress=lambda _: None).members
    found = inspect(data, label="net")
    assert found.target == ""
    assert found.figures == member.figures
    assert found.operators == member.operators
    assert found.layers == member.layers


def test_a_compiled_file_tells_what_is_in_it():
    data = models.mobilenet_like()
    model, found = inspect(data), inspect(compiled(data))
    assert found.target == "simulator"
    assert found.figures.cached_bytes == exact(model.figures.cached_bytes.value or 0)
    assert found.figures.streamed_bytes == exact(model.figures.streamed_bytes.value or 0)
    assert found.figures.runtime_version == exact(14)
    assert found.figures.edgetpu_operators == model.figures.edgetpu_operators
    assert found.figures.cpu_operators == model.figures.cpu_operators


def test_layers_of_a_compiled_file_are_those_of_the_forecast_that_have_constants():
    data = models.mobilenet_like()
    model, found = inspect(data), inspect(compiled(data))
    forecast = Counter((x.name, x.bytes, x.placement) for x in model.layers if x.name != "SOFTMAX")
    assert Counter((x.name, x.bytes, x.placement) for x in found.layers) == forecast


def test_one_token_for_all_executables_of_a_compile():
    (operator,) = inspect(compiled(models.conv_net())).compiled
    assert len({e.token for e in operator.package.executables}) == 1


def test_a_compile_of_other_options_differs_in_what_the_options_do():
    data = models.conv_net(dtype="UINT8")
    told = {d.what for d in differences(inspect(compiled(data)), inspect(compiled(data, min_runtime_version=13)))}
    assert "Edge TPU operator 0: runtime version" in told


def test_differences_swap_with_their_sides():
    first, second = inspect(models.conv_net()), inspect(models.dense_net())
    there = {(d.what, d.before, d.after) for d in differences(first, second)}
    back = {(d.what, d.after, d.before) for d in differences(second, first)}
    assert there == back


def test_options_decide_the_forecast():
    data = models.conv_net()
    assert inspect(data).figures.cpu_operators == exact(0)
    old = inspect(data, options=Options(min_runtime_version=10))
    assert old.figures.edgetpu_operators == exact(0)
    assert [w.code for w in old.warnings] == ["ETB308"]


@pytest.mark.parametrize(("data", "code"), [(b"", "ETB301"), (b"x" * 100, "ETB301")])
def test_what_is_no_model_is_refused(data, code):
    with pytest.raises(EdgeTpuBuildError) as caught:
        inspect(data)
    assert caught.value.diagnostics[0].code == code


def test_a_truncated_artifact_never_ends_in_a_crash():
    data = compiled(models.conv_net())
    for size in range(0, len(data), max(1, len(data) // 60)):
        with pytest.raises(EdgeTpuBuildError) as caught:
            inspect(data[:size])
        assert caught.value.exit_code == 3


def test_texts():
    per_tensor = Quantization(scale=(0.5,), zero_point=(3,))
    per_channel = Quantization(scale=(0.5, 0.25), zero_point=(0, 0), axis=3)
    assert shape(Tensor(name="t", shape=(1, 2, 3))) == "1x2x3"
    assert shape(Tensor(name="t", shape=())) == "scalar"
    assert quantization(Tensor(name="t", shape=(), quantization=per_tensor)) == "scale 0.5, zero point 3"
    assert quantization(Tensor(name="t", shape=(), quantization=per_channel)) == "2 scales along dimension 3"
    assert quantization(Tensor(name="t", shape=())) == ""
    assert (token(0), token(255)) == ("none", "00000000000000ff")


@pytest.mark.skipif(not PAIRS.is_dir(), reason="needs the reference corpus")
def test_googles_files_are_read():
    for path in sorted(PAIRS.glob("*_edgetpu.tflite"))[:12]:
        found = inspect(path.read_bytes(), label=path.name)
        assert found.target == "edgetpu"
        assert found.compiled[0].package.executables
        assert found.figures.cached_bytes.confidence == "exact"

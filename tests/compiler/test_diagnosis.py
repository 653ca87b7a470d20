"""What stops a model, said with the tensor, the operator and the way out."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.chip.generations import GENERATIONS, LATEST, Generation, generation
from edgetpu_build.compiler.diagnosis import examine, nothing_mapped
from edgetpu_build.compiler.placement import place
from edgetpu_build.errors import Diagnostic, EdgeTpuBuildError
from edgetpu_build.tflite.model import Model
from tests.support.graphs import Graph, model


def refusal(refused: Model, version: str = "16.0") -> Diagnostic:
    with pytest.raises(EdgeTpuBuildError) as caught:
        examine(refused, "m.tflite", generation=generation(version))
    assert caught.value.exit_code == 3
    assert all(d.file == "m.tflite" and d.hint for d in caught.value.diagnostics)
    return caught.value.diagnostics[0]


def quantised() -> Graph:
    """A model as converters write it: float outside, 8-bit inside."""
    graph = Graph()
    inside = graph.op("QUANTIZE", graph.input(1, 8, 8, 3, dtype="FLOAT32"))
    graph.op("DEQUANTIZE", graph.conv(inside), dtype="FLOAT32")
    return graph


def test_a_good_model_has_nothing_to_tell() -> None:
    assert examine(quantised().model(), "m.tflite") == ()


@pytest.mark.parametrize("code", ["edgetpu-custom-op", "edgetpu-sim-custom-op"])
def test_already_compiled(code: str) -> None:
    graph = quantised()
    graph.op("CUSTOM", 0, custom=code)
    assert refusal(graph.model()).code == "ETB304"


def test_several_subgraphs() -> None:
    graph = quantised()
    graph.op("WHILE", 0)
    found = refusal(model(graph.subgraph(), quantised().subgraph()))
    assert found.code == "ETB305"
    assert "2 subgraphs for WHILE" in found.message


@pytest.mark.parametrize(("kind", "version"), [("CONV_2D", 6), ("EXP", 2), ("TRANSPOSE_CONV", 4), ("QUANTIZE", 3)])
def test_operator_version_too_new(kind: str, version: int) -> None:
    graph = quantised()
    graph.op(kind, 1, version=version)
    found = refusal(graph.model())
    assert found.code == "ETB309"
    for told in (f"operator 3 ({kind})", f"version {version}", f"is {version - 1}", "16.0"):
        assert told in found.message


def test_each_version_is_told_once() -> None:
    graph = quantised()
    for _ in range(3):
        graph.op("CONV_2D", 1, version=6)
    with pytest.raises(EdgeTpuBuildError) as caught:
        examine(graph.model(), "")
    assert len(caught.value.diagnostics) == 1


def test_operator_that_no_compiler_knows() -> None:
    graph = quantised()
    graph.op("GELU", 1)
    assert refusal(graph.model()).code == "ETB309"


@pytest.mark.parametrize(("name", "way_out"), [("FlexSplitV", "SELECT_TF_OPS"), ("Atan", "application")])
def test_unknown_custom_operator(name: str, way_out: str) -> None:
    graph = quantised()
    graph.op("CUSTOM", 1, custom=name)
    found = refusal(graph.model())
    assert found.code == "ETB318"
    assert name in found.message
    assert way_out in found.hint


def test_known_custom_operators_pass() -> None:
    graph = quantised()
    graph.op("CUSTOM", 1, custom="TFLite_Detection_PostProcess", dtype="FLOAT32")
    assert examine(graph.model(), "") == ()


def test_dynamic_tensor_and_who_makes_it() -> None:
    graph = quantised()
    graph.op("RESHAPE", 1, shape=(-1, 10))
    found = refusal(graph.model())
    assert found.code == "ETB307"
    assert "-1x10" in found.message
    assert "operator 3 (RESHAPE)" in found.message


def test_dynamic_input() -> None:
    graph = Graph()
    graph.op("RELU", graph.input(-1, 8, name="image"))
    found = refusal(graph.model())
    assert "`image`" in found.message
    assert "input of the model" in found.message


def test_an_unknown_size_in_the_signature_alone_is_fine() -> None:
    graph = Graph()
    graph.op("RELU", graph.input(1, 8, shape_signature=(-1, 8)))
    assert examine(graph.model(), "") == ()


def test_unused_tensors_do_not_matter() -> None:
    graph = quantised()
    graph.tensor((-1, 4))
    assert examine(graph.model(), "") == ()


def test_absurd_shapes() -> None:
    graph = quantised()
    graph.op("RELU", 1, shape=(1, 1 << 20, 1 << 20, 64))
    found = refusal(graph.model())
    assert found.code == "ETB302"
    assert "1x1048576x1048576x64" in found.message


def test_float_model_names_tensors_and_cause() -> None:
    graph = Graph("FLOAT32")
    x = graph.input(1, 8)
    for _ in range(7):
        x = graph.op("RELU", x)
    (found,) = examine(graph.model(), "m.tflite")
    assert (found.code, found.severity) == ("ETB306", "warning")
    assert "no tensor is 8-bit" in found.message
    assert "`t1`, `t2`, `t3`, `t4`, `t5` and 2 more" in found.message
    assert "operator 0 (RELU) was never quantised" in found.message
    assert "representative" in found.hint


def test_older_compilers_refuse_float_models() -> None:
    graph = Graph("FLOAT32")
    graph.op("RELU", graph.input(1, 8))
    assert refusal(graph.model(), "15.0").code == "ETB306"


def test_dynamic_range_quantisation_is_told_apart() -> None:
    graph = Graph("FLOAT32")
    graph.conv(graph.input(1, 8, 8, 3))
    (found,) = examine(graph.model(), "")
    assert "dynamic-range" in found.message


def test_sixteen_bit_activations_are_told_apart() -> None:
    graph = Graph("INT16")
    graph.op("RELU", graph.input(1, 8))
    assert "16-bit" in examine(graph.model(), "")[0].message


def test_float_left_in_the_middle() -> None:
    graph = quantised()
    graph.op("ELU", graph.op("DEQUANTIZE", 1, dtype="FLOAT32"), dtype="FLOAT32")
    (found,) = examine(graph.model(), "")
    assert "not fully quantised" in found.message
    assert "(ELU) computes on a dequantised tensor" in found.message


def test_nothing_mapped_tells_the_commonest_reason() -> None:
    graph = Graph("FLOAT32")
    x = graph.op("RELU", graph.op("RELU", graph.input(1, 8)))
    graph.op("GATHER", x)
    placed = place(graph.subgraph(), generation=LATEST)
    found = nothing_mapped(placed.operators, "m.tflite")
    assert found is not None
    assert (found.code, found.rule, found.file) == ("ETB308", "output-type", "m.tflite")
    assert "none of 3 operators" in found.message
    assert nothing_mapped(place(quantised().subgraph(), generation=LATEST).operators, "") is None
    assert nothing_mapped([], "") is not None


def test_dash_m_10_maps_nothing_of_a_signed_model() -> None:
    placed = place(quantised().subgraph(), generation=LATEST, min_runtime_version=10)
    found = nothing_mapped(placed.operators, "")
    assert found is not None
    assert "INT8" in found.message


CODES = st.sampled_from(["", "edgetpu-custom-op", "FlexAdd", "Mine", "TFLite_Detection_PostProcess"])
KINDS = st.sampled_from(["ADD", "CONV_2D", "FULLY_CONNECTED", "CUSTOM", "WHILE", "GELU", "DEQUANTIZE"])
TYPES = st.sampled_from(["INT8", "FLOAT32", "INT16", "STRING"])


OPERATORS = st.tuples(KINDS, st.integers(-1, 9), CODES, TYPES, st.lists(st.integers(-9, 1 << 31), max_size=4))


@given(operators=st.lists(OPERATORS, max_size=5), known=st.sampled_from(GENERATIONS))
def test_however_odd_a_model_is_it_is_told_not_thrown(
    operators: list[tuple[str, int, str, str, list[int]]], known: Generation
) -> None:
    graph = Graph()
    x = graph.input(1, 8)
    for kind, version, code, dtype, shape in operators:
        x = graph.op(kind, x, -1, shape=tuple(shape), dtype=dtype, version=version, custom=code)
    with suppress(EdgeTpuBuildError):
        assert all(d.severity == "warning" for d in examine(graph.model(x), "m", generation=known))

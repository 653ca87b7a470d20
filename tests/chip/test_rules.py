"""Each rule on both sides of its bound, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.chip import rules
from edgetpu_build.chip.case import case
from edgetpu_build.chip.generations import LATEST, generation
from edgetpu_build.chip.operators import OPERATORS
from edgetpu_build.chip.rules import RULES
from edgetpu_build.chip.rules.rule import DATA_TYPE, LIMIT, RANK, Finding
from tests.support.graphs import Graph

Build = Callable[[Graph], Any]


def findings(build: Build, *, version: str = "16.0", runtime: int = 14, dtype: str = "INT8") -> list[Finding]:
    """What is wrong with the last operator that ``build`` makes."""
    graph = Graph(dtype)
    build(graph)
    known = generation(version)
    subgraph = graph.subgraph()
    return list(rules.broken(case(subgraph, len(subgraph.operators) - 1, known, known.rules_for(runtime))))


def first(build: Build, **asked: Any) -> str:
    found = findings(build, **asked)
    return found[0].rule if found else ""


def resize(kind: str, before: tuple[int, ...], after: tuple[int, ...]) -> Build:
    return lambda g: g.op(kind, g.input(*before), g.constant([1, 1]), shape=after)


def strided(strides: list[int], **masks: Any) -> Build:
    return lambda g: g.op(
        "STRIDED_SLICE", g.input(1, 8, 8, 4), g.constant([0] * 4), g.constant([8] * 4), g.constant(strides), **masks
    )


def split(axis: int, *shape: int) -> Build:
    return lambda g: g.op("SPLIT", g.constant([axis], shape=()), g.input(*shape), shape=shape, num_splits=2)


def reduced(kind: str, axes: list[int], *shape: int) -> Build:
    return lambda g: g.op(kind, g.input(*shape), g.constant(axes), shape=(1, 1))


def dilated(kind: str, kernel: tuple[int, int], height: int, width: int) -> Build:
    def build(g: Graph) -> None:
        weights = g.constant([1] * (kernel[0] * kernel[1] * 4), "INT8", (1, *kernel, 4))
        g.op(kind, g.input(1, 8, 8, 4), weights, dilation_h_factor=height, dilation_w_factor=width)

    return build


CASES: list[tuple[str, Build, Build]] = [  # rule, one that breaks it, one that does not
    ("rank", lambda g: g.op("ADD", g.input(2, 4, 4, 3)), lambda g: g.op("ADD", g.input(1, 1, 4, 4, 3))),
    ("output-type", lambda g: g.op("ARG_MAX", g.input(1, 4), dtype="INT32"), lambda g: g.op("ADD", g.input(1, 4))),
    ("kind", lambda g: g.op("LEAKY_RELU", g.input(1, 4)), lambda g: g.op("RELU", g.input(1, 4))),
    (
        "quantize-input",
        lambda g: g.op("QUANTIZE", g.input(1, 4, dtype="FLOAT32")),
        lambda g: g.op("QUANTIZE", g.input(1, 4, dtype="UINT8")),
    ),
    (
        "input-type",
        lambda g: g.op("ADD", g.input(1, 4, dtype="INT16")),
        lambda g: g.op("UNIDIRECTIONAL_SEQUENCE_LSTM", g.input(1, 4), g.input(1, 4, dtype="INT16")),
    ),
    (
        "single-row",
        lambda g: g.op("LOGISTIC", g.input(1, 8401, 24)),
        lambda g: g.op("LOGISTIC", g.input(2, 8401, 12)),
    ),
    (
        "computed-weights",
        lambda g: g.op("CONV_2D", g.input(1, 4, 4, 4), g.input(1, 1, 1, 4)),
        lambda g: g.op("FULLY_CONNECTED", g.input(1, 4), g.input(4, 4)),
    ),
    (
        "reshape-size",
        lambda g: g.op("RESHAPE", g.input(1, 80, 80, 255), shape=(1, 6400, 3, 85)),
        lambda g: g.op("RESHAPE", g.input(1, 40, 40, 255), shape=(1, 1600, 3, 85)),
    ),
    ("split-batch", split(0, 128, 2, 1), split(3, 1, 8, 8, 6)),
    (
        "softmax-length",
        lambda g: g.op("SOFTMAX", g.input(1, 16385)),
        lambda g: g.op("SOFTMAX", g.input(1, 16384)),
    ),
    (
        "transpose-size",
        lambda g: g.op("TRANSPOSE", g.input(1, 64, 2100), shape=(2100, 64, 1)),
        lambda g: g.op("TRANSPOSE", g.input(1, 64, 900), shape=(900, 64, 1)),
    ),
    (
        "resize-from-one",
        resize("RESIZE_BILINEAR", (1, 1, 1, 8), (1, 33, 33, 8)),
        resize("RESIZE_BILINEAR", (1, 2, 2, 8), (1, 4, 4, 8)),
    ),
    (
        "resize-output",
        resize("RESIZE_NEAREST_NEIGHBOR", (1, 128, 128, 64), (1, 256, 256, 64)),
        resize("RESIZE_NEAREST_NEIGHBOR", (1, 64, 64, 128), (1, 128, 128, 128)),
    ),
    (
        "resize-factor",
        resize("RESIZE_BILINEAR", (1, 33, 33, 2), (1, 513, 513, 2)),
        resize("RESIZE_NEAREST_NEIGHBOR", (1, 33, 33, 2), (1, 513, 513, 2)),
    ),
    ("dilation", dilated("CONV_2D", (3, 3), 2, 1), dilated("CONV_2D", (3, 1), 2, 1)),
    ("slice-stride", strided([1, 2, 2, 1]), strided([1, 1, 1, 1])),
    ("slice-mask", strided([1, 1, 1, 1], new_axis_mask=1), strided([1, 1, 1, 1], begin_mask=15)),
    (
        "dense-input",
        lambda g: g.op("FULLY_CONNECTED", g.input(1, 112, 112, 16), g.constant([1] * 64, "INT8", (4, 16))),
        lambda g: g.op("FULLY_CONNECTED", g.input(1, 64, 64, 16), g.constant([1] * 64, "INT8", (4, 16))),
    ),
    (
        "fused-activation",
        lambda g: g.op("MAX_POOL_2D", g.input(1, 8, 8, 4), fused_activation_function="RELU"),
        lambda g: g.op("ADD", g.input(1, 8, 8, 4), fused_activation_function="RELU"),
    ),
    (
        "constant-part",
        lambda g: g.op("CONCATENATION", g.input(1, 4), g.constant([1] * 4, "INT8", (1, 4)), shape=(1, 8)),
        lambda g: g.op("CONCATENATION", g.input(1, 4), g.constant([0] * 4, "INT8", (1, 4)), shape=(1, 8)),
    ),
    (
        "weights-format",
        lambda g: g.op("FULLY_CONNECTED", g.input(1, 4), weights_format="SHUFFLED4x16INT8"),
        lambda g: g.op("FULLY_CONNECTED", g.input(1, 4), weights_format="DEFAULT"),
    ),
    (
        "prelu-alpha",
        lambda g: g.op("PRELU", g.input(1, 4, 4, 2), g.constant([1] * 32, "INT8", (4, 4, 2))),
        lambda g: g.op("PRELU", g.input(1, 4, 4, 2), g.constant([1] * 2, "INT8", (1, 1, 2))),
    ),
    ("reduce-batch", reduced("SUM", [0], 1, 4, 4, 8), reduced("SUM", [0], 4, 4, 8)),
    ("mean-channels", reduced("MEAN", [-1], 1, 4, 4, 6), reduced("MEAN", [3], 1, 4, 4, 8)),
    ("mean-size", reduced("MEAN", [1, 2], 1, 256, 128, 3), reduced("MEAN", [1, 2], 1, 64, 128, 3)),
    (
        "pad-dimension",
        lambda g: g.op("PAD", g.input(1, 4, 4, 4), g.constant([0, 1, 0, 0, 0, 0, 0, 0]), shape=(1, 4, 4, 4)),
        lambda g: g.op("PAD", g.input(1, 4, 4, 4), g.constant([0, 0, 0, 1, 0, 0, 0, 1]), shape=(1, 5, 4, 5)),
    ),
]


@pytest.mark.parametrize(("rule", "breaks", "keeps"), CASES, ids=[rule for rule, _, _ in CASES])
def test_both_sides(rule: str, breaks: Build, keeps: Build) -> None:
    assert first(breaks) == rule
    assert rule not in [finding.rule for finding in findings(keeps)]


OLD: list[tuple[str, Build, dict[str, Any], dict[str, Any]]] = [  # rule, operator, where it breaks, where it does not
    ("signed-type", lambda g: g.op("ADD", g.input(1, 4)), {"runtime": 11}, {"runtime": 12}),
    ("kind", lambda g: g.op("PRELU", g.input(1, 4)), {"runtime": 12}, {"runtime": 13}),
    ("kind", lambda g: g.op("TRANSPOSE", g.input(1, 4)), {"version": "15.0"}, {"runtime": 13}),
    (
        "version",
        lambda g: g.op("RESIZE_NEAREST_NEIGHBOR", g.input(1, 4, 4, 4), shape=(1, 8, 8, 4), version=3),
        {"version": "15.0"},
        {},
    ),
    ("dilated-depthwise", dilated("DEPTHWISE_CONV_2D", (3, 3), 2, 2), {"runtime": 12}, {"runtime": 13}),
    ("mean-channels", reduced("MEAN", [3], 1, 4, 4, 8), {"runtime": 12}, {"runtime": 13}),
    (
        "pad-dimension",
        lambda g: g.op("PAD", g.input(1, 4, 4, 4), g.constant([0, 0, 0, 0, 0, 0, 0, 1])),
        {"runtime": 12},
        {"runtime": 13},
    ),
    (
        "squeeze-inner",
        lambda g: g.op("SQUEEZE", g.input(5, 1, 10), shape=(5, 10)),
        {"runtime": 12},
        {"runtime": 13},
    ),
]


@pytest.mark.parametrize(("rule", "build", "breaks", "keeps"), OLD, ids=[rule for rule, _, _, _ in OLD])
def test_what_time_brought(rule: str, build: Build, breaks: dict[str, Any], keeps: dict[str, Any]) -> None:
    assert first(build, **breaks) == rule
    assert first(build, **keeps) == ""


def test_every_rule_has_a_case() -> None:
    assert {rule.id for rule in RULES if rule.test} == {of[0] for of in CASES} | {of[0] for of in OLD}


def test_unsigned_models_pass_on_the_oldest_runtime() -> None:
    assert first(lambda g: g.op("ADD", g.input(1, 4)), runtime=10, dtype="UINT8") == ""


def test_precedence_is_googles() -> None:
    """A half-precision DEQUANTIZE of four-dimensional weights says rank, one of a bias says type (logs of 16.0)."""
    weights = findings(lambda g: g.op("DEQUANTIZE", g.input(8, 3, 3, 4, dtype="FLOAT16"), dtype="FLOAT32"))
    bias = findings(lambda g: g.op("DEQUANTIZE", g.input(8, dtype="FLOAT16"), dtype="FLOAT32"))
    assert weights[0].status == RANK
    assert bias[0].status == DATA_TYPE


def test_all_broken_rules_are_told() -> None:
    found = findings(lambda g: g.op("LEAKY_RELU", g.input(2, 4, 4, 3, dtype="FLOAT32"), dtype="FLOAT32"))
    assert [finding.rule for finding in found] == ["rank", "output-type", "kind", "input-type"]


def test_a_message_holds_the_tensor_the_value_and_the_bound() -> None:
    (found,) = findings(lambda g: g.op("LOGISTIC", g.input(1, 8400, 80, name="scores"), shape=(1, 1, 1)))
    assert found.tensor == "scores"
    assert "`scores`" in found.reason
    assert "672,000" in found.reason
    assert "192 KiB" in found.reason
    assert found.hint
    assert found.status == LIMIT


def test_custom_operators_are_named() -> None:
    (found,) = findings(lambda g: g.op("CUSTOM", g.input(2, 4, 4, 4), custom="Mine"))
    assert found.rule == "kind"
    assert "`Mine`" in found.reason


def test_guesses_are_marked() -> None:
    (fitted,) = findings(lambda g: g.op("SOFTMAX", g.input(1, 20_000)))
    assert "fitted" in fitted.reason


def test_texts_are_formatted() -> None:
    ids = [rule.id for rule in RULES]
    assert len(ids) == len(set(ids))
    for rule in RULES:
        assert "{" not in rule.must + rule.known
        assert rule.known, rule.id
        assert not rule.must.endswith(".")


KINDS = st.sampled_from([*OPERATORS, "CUSTOM", "GATHER", "UNPACK"])
SHAPES = st.lists(st.integers(-1, 1 << 33), max_size=6).map(tuple)
TYPES = st.sampled_from(["INT8", "UINT8", "INT16", "INT32", "FLOAT32"])


@given(
    kind=KINDS, shapes=st.lists(st.tuples(SHAPES, TYPES), max_size=4), known=st.sampled_from(["1.0", "15.0", "16.0"])
)
def test_no_operator_however_odd_breaks_a_rule_function(
    kind: str, shapes: list[tuple[tuple[int, ...], str]], known: str
) -> None:
    graph = Graph()
    inputs = [graph.tensor(shape, dtype) for shape, dtype in shapes]
    graph.op(kind, *inputs, -1, shape=(1, 4))
    assert all(found.status for found in rules.broken(case(graph.subgraph(), 0, generation(known), LATEST.rules)))


def test_pages() -> None:
    for rule in RULES:
        page = rules.page(rule.id)
        assert page.startswith(f"{rule.id}: {rule.must}.\n")
        assert rule.known in page
    with pytest.raises(KeyError):
        rules.page("nothing")


def test_the_reference_page_holds_every_operator_and_rule() -> None:
    page = rules.reference_page()
    assert all(f"| `{kind}` |" in page for kind in OPERATORS)
    assert all(f"| `{rule.id}` | {rule.must} |" in page for rule in RULES)
    assert all(line.count("|") == 6 for line in page.splitlines() if line.startswith("|"))

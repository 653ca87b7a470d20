from __future__ import annotations

import copy
from typing import Any

import pytest

from edgetpu_build.compiler.reweight.graphs import architecture, renumbered
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.tflite.model import Subgraph
from edgetpu_build.tflite.reader import read
from tests.reweight import nets


def main(graph: dict[str, Any], seed: int = 0) -> Subgraph:
    return read(nets.model(graph, seed)).main


@pytest.fixture(scope="module")
def graph() -> dict[str, Any]:
    return nets.facts()


def refusal(graph: dict[str, Any], changed: dict[str, Any]) -> str:
    with pytest.raises(EdgeTpuBuildError) as caught:
        renumbered(main(graph), main(changed))
    (found,) = caught.value.diagnostics
    assert found.code == "ETB322"
    return found.message


def test_numbers_do_not_matter(graph: dict[str, Any]) -> None:
    other = nets.retrained(nets.facts(name="-b"), 5)
    made = renumbered(main(graph), main(other, 3))
    assert [t.shape for t in made.tensors] == [t.shape for t in main(graph).tensors]
    assert made.tensors[0].name.endswith("-b")
    assert architecture(main(graph)) == architecture(main(other, 3))


def test_a_difference_is_named(graph: dict[str, Any]) -> None:
    shape, option, kind, paddings = (copy.deepcopy(graph) for _ in range(4))
    shape["tensors"][0]["shape"] = [1, 16, 16, 8]
    option["ops"][0]["options"]["stride_h"] = 2
    kind["ops"][1]["op"] = "TANH"
    axes = next(t for t in paddings["tensors"] if t.get("values") == [1, 2])
    axes["values"] = [2, 1]
    assert "shape" in refusal(graph, shape)
    assert "operator 0 (CONV_2D): its options differ" in refusal(graph, option)
    assert "TANH" in refusal(graph, kind)
    assert "it is no weight" in refusal(graph, paddings)
    for changed in (shape, option, kind, paddings):
        assert architecture(main(graph)) != architecture(main(changed))


def test_operators_may_stand_in_another_order(graph: dict[str, Any]) -> None:
    swapped = copy.deepcopy(graph)
    operators = swapped["ops"]
    kinds = [op["op"] for op in operators]
    branch = kinds.index("DEPTHWISE_CONV_2D")
    assert kinds[branch + 1] == "CONV_2D"
    first, second = main(graph), main(swapped)
    assert [o.kind for o in renumbered(first, second).operators] == [o.kind for o in first.operators]


def test_an_activation_that_changes_nothing_may_differ(graph: dict[str, Any]) -> None:
    plain, bounded = copy.deepcopy(graph), copy.deepcopy(graph)
    dense = next(i for i, op in enumerate(plain["ops"]) if op["op"] == "FULLY_CONNECTED")
    bounded["ops"][dense]["options"]["fused_activation_function"] = "RELU"
    assert "options differ" in refusal(plain, bounded)
    for graph_ in (plain, bounded):
        graph_["tensors"][graph_["ops"][dense]["outputs"][0]]["zp"] = -128
    renumbered(main(plain), main(bounded))

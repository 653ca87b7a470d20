from __future__ import annotations

from dataclasses import replace

import pytest

from edgetpu_build.compiler.interface import LayerResult, OperatorResult
from edgetpu_build.engine.diff import Diff, MemberDiff
from edgetpu_build.engine.fingerprint import Ingredient
from edgetpu_build.engine.why import Cause, LayerMove, OperatorMove
from edgetpu_build.report import causes, difference
from tests.support.outcomes import MIB, figures

LAYER = LayerResult(index=3, name="CONV_2D", bytes=2048, placement="cached", reason="there is room")
AWAY = replace(LAYER, placement="streamed", reason="it does not fit")
BLOCKER = OperatorResult(index=5, name="ABS", target="cpu", rule="unknown", reason="no such operator")
MAPPED = OperatorResult(index=5, name="RELU", target="edgetpu")


def cause(*moves: tuple[LayerResult | None, LayerResult | None]) -> Cause:
    return Cause(layers=tuple(LayerMove(before=before, after=after) for before, after in moves), seen=True)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (LAYER, AWAY, "1 layer streams now (2.0 KiB: 3 CONV_2D): it does not fit"),
        (AWAY, LAYER, "1 layer is cached now (2.0 KiB: 3 CONV_2D)"),
        (None, AWAY, "1 layer is new and streams (2.0 KiB: 3 CONV_2D): it does not fit"),
        (None, LAYER, "1 layer is new (2.0 KiB: 3 CONV_2D)"),
        (AWAY, None, "1 layer that streamed is gone (2.0 KiB: 3 CONV_2D)"),
        (LAYER, None, "1 layer is gone (2.0 KiB: 3 CONV_2D)"),
        (AWAY, replace(AWAY, bytes=3072), "1 layer streams more (1.0 KiB: 3 CONV_2D): it does not fit"),
        (AWAY, replace(AWAY, bytes=1024), "1 layer streams less (1.0 KiB: 3 CONV_2D)"),
        (LAYER, replace(LAYER, bytes=4096), "1 layer has another size (4.0 KiB: 3 CONV_2D)"),
        (LAYER, replace(AWAY, confidence="estimated"), "1 layer streams now (~2.0 KiB: 3 CONV_2D): it does not fit"),
    ],
)
def test_what_a_layer_did(before, after, told) -> None:
    assert causes.layers(cause((before, after))) == told


def test_the_largest_stand_for_the_others() -> None:
    moves = [(replace(LAYER, index=i, bytes=1024 * i), replace(AWAY, index=i, bytes=1024 * i)) for i in range(1, 6)]
    assert causes.layers(cause(*moves)) == (
        "5 layers stream now (15.0 KiB: 5 CONV_2D, 4 CONV_2D, 3 CONV_2D, …): it does not fit"
    )


def test_operators_that_went_and_came() -> None:
    follower = replace(BLOCKER, index=6, name="ADD", rule="follows", follows=5)
    went = Cause(operators=(OperatorMove(before=None, after=follower), OperatorMove(before=MAPPED, after=BLOCKER)))
    assert causes.operators(went) == "5 ABS and 1 more on the CPU now: no such operator"
    came = Cause(operators=(OperatorMove(before=BLOCKER, after=MAPPED),))
    assert causes.operators(came) == "5 ABS no longer on the CPU"


def test_each_figure_has_the_cause_nearest_to_it() -> None:
    changed = (Ingredient("segments", ()), Ingredient("segments", ("2",)))
    both = Cause(
        ingredients=(changed,),
        layers=(LayerMove(before=LAYER, after=AWAY),),
        operators=(OperatorMove(before=MAPPED, after=BLOCKER),),
    )
    assert causes.sentence(both, "off_chip").startswith("1 layer streams now")
    assert causes.sentence(both, "cpu_operators").startswith("5 ABS on the CPU now")
    assert causes.sentence(Cause(ingredients=(changed,)), "off_chip") == "`segments` changed from 1 to 2"


DIFF = Diff(
    rev="main",
    members=(
        MemberDiff(name="a", unit="a", before=figures(MIB, 2048), after=figures(MIB, 0), changed=True),
        MemberDiff(name="b", unit="b", before=figures(0, 0, 0), after=figures(0, 1024, 2), changed=True),
        MemberDiff(name="c", unit="c", before=figures(), after=figures(MIB, 4096), changed=True),
    ),
)


def test_the_worst_stands_first() -> None:
    rows = [row.split(" | ")[0:2] for row in difference.markdown(DIFF).splitlines()[2:]]
    assert [(name.strip("| "), figure) for name, figure in rows] == [
        ("c", "off-chip"),
        ("b", "off-chip"),
        ("b", "CPU operators"),
        ("c", "on-chip"),
        ("a", "off-chip"),
    ]


def test_causes_have_a_column_of_their_own_and_are_said_once() -> None:
    lines = difference.markdown(DIFF, {"c": cause((LAYER, AWAY))}).splitlines()
    assert lines[0].endswith("| why |")
    assert lines[2].endswith("| 1 layer streams now (2.0 KiB: 3 CONV_2D): it does not fit |")
    assert lines[3].endswith("|  |")
    assert lines[5].endswith("| as above |")


def test_at_a_terminal_a_line_a_model() -> None:
    text = difference.human(DIFF, why={"c": cause((LAYER, AWAY)), "a": Cause()})
    assert text.splitlines()[-2:] == ["", "c: 1 layer streams now (2.0 KiB: 3 CONV_2D): it does not fit"]


def test_for_a_program() -> None:
    members = difference.to_json(DIFF, {"c": cause((LAYER, None))})["members"]
    assert members[0]["why"] is None
    assert members[2]["why"]["layers"][0]["after"] is None
    assert members[2]["why"]["layers_known"]
    assert "why" not in difference.to_json(DIFF)["members"][0]

from __future__ import annotations

import json

import pytest

from edgetpu_build.compiler.interface import Identity, LayerResult, MemberResult, Options, Result, SegmentResult
from edgetpu_build.errors import warning
from edgetpu_build.report import json_form
from tests.support import outcomes
from tests.support.json_schema import validate

BUILTIN = Identity(name="builtin", version="16.0", identity="1", target="simulator")


def compiled(label: str = "a.tflite", **more: object) -> MemberResult:
    layer = LayerResult(index=0, name="CONV_2D", bytes=640, placement="cached", reason="it fits")
    return MemberResult(
        label=label,
        figures=outcomes.figures(640),
        operators=outcomes.OPERATORS,
        layers=(layer,),
        **more,  # type: ignore[arg-type]
    )


def result(*members: MemberResult, **more: object) -> Result:
    return Result(compiler=BUILTIN, options=Options(), members=members, **more)  # type: ignore[arg-type]


def test_a_build_is_one_object_that_fits_the_contract():
    answer = validate(json.loads(json.dumps(json_form.outcome_report(outcomes.build()))))
    assert (answer["command"], answer["ok"], len(answer["units"])) == ("build", False, 4)
    assert [e["code"] for e in answer["errors"]] == ["ETB101", "ETB303"]
    assert answer["errors"][0] == {
        "code": "ETB101",
        "message": "`off-chip` is 390.6 KiB, the budget allows 64.0 KiB",
        "hint": "raise `off-chip`, or split the model with `segments = 2`",
        "file": "pyproject.toml",
        "line": 14,
        "key": "off-chip",
        "unit": "detector",
        "rule": "",
    }


def test_numbers_carry_how_sure_they_are():
    detector, backbone, group, _ = json_form.outcome_report(outcomes.build())["units"]
    assert detector["members"][0]["figures"]["off_chip"] == {"value": 400_000, "confidence": "exact"}
    assert group["members"][1]["figures"]["off_chip"] == {"value": outcomes.MIB, "confidence": "estimated"}
    assert backbone["members"][0]["figures"]["off_chip"] == {"value": None, "confidence": "unknown"}
    assert detector["members"][0]["figures"]["operators"]["cpu"] == {"value": 1, "confidence": "exact"}


def test_segments_stand_in_a_member_only_when_there_are_any():
    detector, backbone, *_ = json_form.outcome_report(outcomes.build())["units"]
    assert "segments" not in detector["members"][0]
    assert [s["index"] for s in backbone["members"][0]["segments"]] == [0, 1, 2, 3]
    assert backbone["members"][0]["segments"][1]["operators"] == [2, 3]


def test_warnings_leave_the_answer_ok():
    answer = json_form.document("check", diagnostics=[warning("ETB107", "no hook")])
    assert validate(answer)["ok"] is True
    assert [w["code"] for w in answer["warnings"]] == ["ETB107"]


def test_a_compile_is_one_unit_of_members_in_the_order_given():
    outputs = [[outcomes.output("out/b_edgetpu.tflite")], [outcomes.output("out/a_edgetpu.tflite")]]
    answer = validate(
        json_form.compile_report(
            result(compiled("b.tflite"), compiled("a.tflite")), sources=["x/b.tflite", "a.tflite"], outputs=outputs
        )
    )
    (unit,) = answer["units"]
    assert (unit["kind"], unit["state"], unit["name"]) == ("group", "compiled", "b+a")
    assert [m["source"] for m in unit["members"]] == ["x/b.tflite", "a.tflite"]
    assert [m["outputs"][0]["path"] for m in unit["members"]] == ["out/b_edgetpu.tflite", "out/a_edgetpu.tflite"]
    assert unit["members"][0]["layers"][0]["placement"] == "cached"


def test_each_segment_of_a_compile_has_its_own_file():
    segments = tuple(
        SegmentResult(index=i, operators=(i,), inputs=("x",), outputs=("y",), figures=outcomes.figures(1), artifact=b"")
        for i in range(2)
    )
    files = [outcomes.output(f"a_segment_{i}_of_2_edgetpu.tflite") for i in range(2)]
    answer = validate(json_form.compile_report(result(compiled(segments=segments)), outputs=[files]))
    (unit,) = answer["units"]
    assert unit["kind"] == "segments"
    assert [s["outputs"][0]["path"] for s in unit["members"][0]["segments"]] == [f.path for f in files]


def test_a_segments_operators_are_the_members():
    one = SegmentResult(index=0, operators=(1,), inputs=(), outputs=(), figures=outcomes.figures(1), artifact=b"")
    answer = validate(json_form.compile_report(result(compiled(segments=(one,)))))
    (member,) = answer["units"][0]["members"]
    assert member["segments"][0]["operators"] == [member["operators"][1]]


def test_a_compilers_warnings_are_in_the_answer_once():
    told = warning("ETB308", "nothing mapped")
    answer = json_form.compile_report(result(compiled(warnings=(told,))), diagnostics=())
    assert [w["message"] for w in answer["warnings"]] == ["nothing mapped"]


@pytest.mark.parametrize(("path", "name"), [("a/b.tflite", "b"), ("b", "b"), ("b.c.tflite", "b.c"), (".tflite", "")])
def test_a_member_is_named_after_its_file(path, name):
    assert json_form.stem(path) == name

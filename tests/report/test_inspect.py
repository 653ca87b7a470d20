from __future__ import annotations

import pytest

from edgetpu_build.compiler.inspection import differences, inspect
from edgetpu_build.report import inspect as report
from edgetpu_build.report.json_form import document
from edgetpu_build.report.style import Style
from tests.support import models
from tests.support.json_schema import validate


@pytest.fixture(scope="module")
def net() -> bytes:
    return models.conv_net()


def test_a_model_is_shown_with_its_forecast(net):
    text = report.human(inspect(net, label="net.tflite"))
    assert text.startswith("net.tflite: ")
    assert ", a model, " in text
    assert "compiled, it would take: on-chip " in text
    assert "CONV_2D" in text
    assert "cached" in text


def test_a_reason_stands_beside_every_operator_on_the_cpu():
    found = inspect(models.branching_net(), label="b.tflite")
    left = [o for o in found.operators if o.target == "cpu"]
    text = report.human(found)
    assert all(o.reason in text for o in left)


def test_a_float_model_is_shown_too():
    found = inspect(models.float_net(), label="f.tflite")
    assert found.warnings
    assert {o.target for o in found.operators} == {"cpu"}
    assert "f.tflite" in report.human(found)
    validate(document("inspect", units=[report.to_json([found])], diagnostics=found.warnings))


def test_a_model_that_cannot_be_compiled_is_shown_with_the_reason():
    net = models.Net()
    x = net.input((1, 4))
    found = inspect(net.build([net.like("CUSTOM", x, custom="Unheard")]), label="c.tflite")
    assert {w.severity for w in found.warnings} == {"warning"}
    assert found.figures.off_chip.confidence == "unknown"
    assert "compiled, it would take" not in report.human(found)


def test_the_json_fits_the_contract(net):
    found = inspect(net, label="a/net.tflite")
    answer = validate(document("inspect", units=[report.to_json([found])]))
    (member,) = answer["units"][0]["members"]
    assert (member["name"], member["source"], member["outputs"]) == ("net", "a/net.tflite", [])
    assert len(member["operators"]) == len(found.operators)
    assert {layer["placement"] for layer in member["layers"]} <= {"cached", "streamed"}


def test_equal_files_do_not_differ(net):
    assert differences(inspect(net, label="a"), inspect(net, label="b")) == ()
    assert report.human_differences(inspect(net, label="a"), inspect(net, label="b")) == "the files are identical"


def test_what_two_models_differ_in_is_told():
    first, second = inspect(models.conv_net(), label="a"), inspect(models.dense_net(), label="b")
    told = {d.what: (d.before, d.after) for d in differences(first, second)}
    assert told["size"] == (f"{first.size} B", f"{second.size} B")
    assert told["operators CONV_2D"][1] == ""
    assert "operators CONV_2D" in report.human_differences(first, second)


def test_labels_behind_a_model_are_seen(net):
    found = inspect(models.with_labels(net), label="net")
    assert found.appended > 0
    assert "behind the model" in report.human(found)


@pytest.mark.parametrize("columns", [40, 80])
def test_operator_lines_end_where_the_terminal_ends(columns):
    from edgetpu_build.report.style import width

    text = report.human(inspect(models.branching_net(), label="b"), Style(width=columns))
    table = text.split("\n\n")[-1]
    assert max(map(width, table.splitlines())) <= columns


@pytest.mark.parametrize(
    ("label", "segment"),
    [
        ("a/x_segment_1_of_4_edgetpu.tflite", {"index": 1, "count": 4}),
        ("x_segment_0_of_2.tflite", {"index": 0, "count": 2}),
        ("x_edgetpu.tflite", None),
        ("my_segment_of_life.tflite", None),
        ("_segment_1_of_4.tflite", None),
    ],
)
def test_a_segments_number_is_read_from_its_name(label, segment):
    assert report._segment(label) == segment

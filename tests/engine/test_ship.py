from __future__ import annotations

import pytest

from edgetpu_build.engine.ship import Shipped, shipped
from edgetpu_build.errors import EdgeTpuBuildError
from tests.support.project import Yard


def ship(yard: Yard) -> list[tuple[str, str | None, str]]:
    project = yard.project()
    return [(s.path, s.wheel_path, s.kind) for s in shipped(project, yard.build())]


def config(yard: Yard, *settings: str, model: str = "") -> None:
    yard.write("m/a.tflite", "aaa"), yard.write("m/b.tflite", "bb")
    lines = ["[tool.edgetpu]", *settings, "[tool.edgetpu.models.k]", 'source = "m/*.tflite"', model]
    yard.config("\n".join(lines) + '\n[tool.edgetpu.models.x]\nsource = "m/b.tflite"\nship = false\noutput = "x.bin"\n')


def test_outputs_of_what_ships(yard: Yard) -> None:
    config(yard, "allow-simulator = true")
    assert ship(yard) == [("m/a_edgetpu.tflite", None, "output"), ("m/b_edgetpu.tflite", None, "output")]


def test_where_they_go_in_the_wheel(yard: Yard) -> None:
    config(yard, "allow-simulator = true", 'wheel-path = "pkg/models"')
    assert ship(yard)[0] == ("m/a_edgetpu.tflite", "pkg/models/a_edgetpu.tflite", "output")


def test_logs_too_if_asked(yard: Yard) -> None:
    config(yard, "allow-simulator = true", "ship-logs = true")
    assert [path for path, _, kind in ship(yard) if kind == "log"] == ["m/a_edgetpu.log", "m/b_edgetpu.log"]


def test_simulator_artifacts_are_refused(yard: Yard) -> None:
    config(yard)
    with pytest.raises(EdgeTpuBuildError) as caught:
        ship(yard)
    (told,) = caught.value.diagnostics
    assert (told.code, caught.value.exit_code) == ("ETB106", 1)
    assert "no silicon runs it" in told.message
    assert "edgetpu_compiler" in told.hint


def test_unless_they_do_not_ship(yard: Yard) -> None:
    config(yard, model="ship = false")
    assert ship(yard) == []


def test_those_for_silicon_ship_as_they_are(tmp_path: object) -> None:
    from pathlib import Path

    yard = Yard.at(Path(str(tmp_path)), name="google")
    config(yard, 'compiler = "google"')
    found = shipped(yard.project(), yard.build())
    assert found[0] == Shipped(path="m/a_edgetpu.tflite", wheel_path=None, target="edgetpu", kind="output")

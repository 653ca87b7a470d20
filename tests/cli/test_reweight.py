from __future__ import annotations

import hashlib
import os

import pytest

from edgetpu_build.cli.dispatch import main
from tests.reweight import nets
from tests.support import models, silicon


@pytest.fixture
def files(tmp_path, monkeypatch):
    """OLD, OLD_edgetpu and NEW, in the current folder."""
    monkeypatch.chdir(tmp_path)
    graph = nets.facts()
    old, new = nets.model(graph), nets.model(nets.retrained(graph, 1), 1)
    for name, data in (("old", old), ("old_edgetpu", silicon.compiled(old)), ("new", new)):
        (tmp_path / f"{name}.tflite").write_bytes(data)
    return ("old.tflite", "old_edgetpu.tflite", "new.tflite")


def test_writes_beside_nothing_else(edgetpu, files, tmp_path):
    run = edgetpu("reweight", *files)
    assert (run.code, run.err) == (0, "")
    assert "new_edgetpu.tflite" in run.out
    assert "not tried on hardware" in run.out
    assert sorted(os.listdir(tmp_path)) == ["new.tflite", "new_edgetpu.tflite", "old.tflite", "old_edgetpu.tflite"]
    assert edgetpu("inspect", "new_edgetpu.tflite").code == 0


def test_what_was_proven_in_json(edgetpu, files, tmp_path):
    run = edgetpu("reweight", *files, "-o", "out.tflite", "--format", "json")
    (unit,) = run.json["units"]
    assert unit["why"] == "reweighted from old_edgetpu.tflite"
    (made,) = unit["members"][0]["outputs"]
    assert made["sha256"] == hashlib.sha256((tmp_path / "out.tflite").read_bytes()).hexdigest()
    proof = run.json["reweighted"]
    assert proof["compiler"] == "16.0"
    assert proof["operators"][0]["name"] == "CONV_2D"
    assert all(o["words"] for o in proof["operators"])


def test_explains_each_operator(edgetpu, files):
    out = edgetpu("reweight", *files, "--explain").out
    assert "LOGISTIC" in out
    assert "1 word (table)" in out
    assert "byte for byte" in out


def test_refusals_have_codes_and_write_nothing(edgetpu, files, tmp_path):
    old, compiled, new = files
    (tmp_path / "other.tflite").write_bytes(models.dense_net())
    refusals = {
        ("missing.tflite", compiled, new): (2, "ETB211"),
        (compiled, compiled, new): (3, "ETB304"),
        (old, old, new): (3, "ETB323"),
        (old, compiled, "other.tflite"): (3, "ETB322"),
        (new, compiled, old): (3, "ETB323"),
    }
    for names, (code, error) in refusals.items():
        run = edgetpu("reweight", *names, "-o", "out.tflite", "--format", "json")
        assert (run.code, run.json["errors"][0]["code"]) == (code, error), names
        assert not (tmp_path / "out.tflite").exists()


def test_never_writes_onto_an_input(edgetpu, files):
    run = edgetpu("reweight", *files, "-o", "./old_edgetpu.tflite")
    assert run.code == 2
    assert "ETB212" in run.err


def test_artifacts_of_the_simulator_are_refused(edgetpu, files):
    assert edgetpu("compile", "old.tflite", "-o", "sim").code == 0
    run = edgetpu("reweight", "old.tflite", "sim/old_edgetpu.tflite", "new.tflite")
    assert run.code == 3
    assert "for the simulated device" in run.err


def test_is_a_command_of_its_own(capsys):
    assert main(["reweight", "--help"]) == 0
    assert "OLD_EDGETPU" in capsys.readouterr().out

from __future__ import annotations

import os

import pytest

from tests.support import models


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(models.conv_net())
    return path


def test_a_model(edgetpu, net):
    run = edgetpu("inspect", str(net))
    assert (run.code, run.err) == (0, "")
    assert "CONV_2D" in run.out


def test_a_model_in_json(edgetpu, net):
    run = edgetpu("inspect", str(net), "--format", "json")
    (member,) = run.json["units"][0]["members"]
    assert member["source"] == str(net)
    assert {o["target"] for o in member["operators"]} == {"edgetpu"}


def test_two_files(edgetpu, net, tmp_path):
    other = tmp_path / "other.tflite"
    other.write_bytes(models.dense_net())
    run = edgetpu("inspect", str(net), str(other), "--format=json")
    assert [m["name"] for m in run.json["units"][0]["members"]] == ["net", "other"]
    assert {d["what"] for d in run.json["differences"]} >= {"size", "operators CONV_2D"}
    assert "operators CONV_2D" in edgetpu("inspect", str(net), str(other)).out


def test_a_float_model_is_a_warning(edgetpu, tmp_path):
    path = tmp_path / "f.tflite"
    path.write_bytes(models.float_net())
    run = edgetpu("inspect", str(path))
    assert run.code == 0
    assert run.err.startswith("warning: ")


@pytest.mark.parametrize(
    ("content", "code", "text"),
    [
        (b"", 3, "ETB301"),
        (b"not a model, whatever it may be", 3, "ETB301"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 3\n", 3, "git lfs pull"),
        (None, 2, "does not exist"),
    ],
)
def test_what_is_no_model(edgetpu, tmp_path, content, code, text):
    path = tmp_path / "x.tflite"
    if content is not None:
        path.write_bytes(content)
    run = edgetpu("inspect", str(path))
    assert (run.code, run.out) == (code, "")
    assert text in run.err


def test_neither_folders_nor_pipes_are_read(edgetpu, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        run = edgetpu("inspect", str(path))
        assert run.code == 2
        assert "is not a regular file" in run.err

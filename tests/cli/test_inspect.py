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


def compiled(tmp_path, name, token):
    from tests.support.standin.recording import compiled as by_google

    path = tmp_path / name
    path.write_bytes(by_google(models.conv_net(), cached=4096, streamed=64, token=token))
    return str(path)


def test_a_file_of_google_s_compiler(edgetpu, tmp_path):
    run = edgetpu("inspect", compiled(tmp_path, "a.tflite", 7))
    assert "input  input 1x8x8x3 FIXED_POINT8, 192 B" in run.out
    assert "4.0 KiB cached on the chip, 64 B streamed" in run.out
    assert "0000000000000007" in run.out


def test_files_that_share_a_token_are_named(edgetpu, tmp_path):
    paths = [compiled(tmp_path, f"{name}.tflite", token) for name, token in (("a", 7), ("b", 7), ("c", 8))]
    line = f"caching token 0000000000000007: shared by {paths[0]}, {paths[1]}"
    assert line in edgetpu("inspect", *paths).out
    assert line in edgetpu("inspect", *paths[:2]).out
    assert "caching token" not in edgetpu("inspect", *paths[1:]).out
    found = edgetpu("inspect", *paths, "--format", "json").json
    assert found["shared_tokens"] == [{"token": "0000000000000007", "files": paths[:2]}]
    executable = found["units"][0]["members"][0]["packages"][0]["executables"][0]
    assert executable["input_layers"][0]["shape"] == [1, 8, 8, 3]


def test_two_compiles_that_differ_in_their_token(edgetpu, tmp_path):
    run = edgetpu("inspect", compiled(tmp_path, "a.tflite", 7), compiled(tmp_path, "b.tflite", 8), "--format", "json")
    assert [d["what"].rpartition(": ")[2] for d in run.json["differences"]] == [
        "EXECUTION_ONLY token",
        "PARAMETER_CACHING token",
    ]

"""What a program may rely on: ``import edgetpu_build``."""

from __future__ import annotations

import subprocess
import sys

import pytest

import edgetpu_build
from tests.support import models


def test_every_public_name_is_there():
    for name in edgetpu_build.__all__:
        assert getattr(edgetpu_build, name) is not None
    assert set(edgetpu_build.__all__) <= set(dir(edgetpu_build))


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = edgetpu_build.nonsense  # type: ignore[attr-defined]


def test_importing_the_package_loads_nothing_else():
    code = "import sys; old = set(sys.modules); import edgetpu_build; print(*set(sys.modules) - old)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["edgetpu_build"]


def test_the_stub_tells_the_same_names():
    import ast
    from pathlib import Path

    stub = ast.parse(Path(edgetpu_build.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    names = {alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert names | {"__version__"} == set(edgetpu_build.__all__)


def test_inspect_takes_a_path_or_bytes(tmp_path):
    data = models.conv_net()
    path = tmp_path / "net.tflite"
    path.write_bytes(data)
    assert edgetpu_build.inspect(path).figures == edgetpu_build.inspect(data).figures
    assert edgetpu_build.inspect(str(path)).label == str(path)


def test_a_file_that_is_not_there():
    with pytest.raises(edgetpu_build.EdgeTpuBuildError) as caught:
        edgetpu_build.inspect("nowhere.tflite")
    assert caught.value.exit_code == 2


def test_compile_gives_values_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = edgetpu_build.compile(models.conv_net())
    (member,) = result.members
    assert member.artifact
    assert result.compiler.target == "simulator"
    assert member.figures.off_chip.confidence in ("exact", "estimated")
    assert list(tmp_path.iterdir()) == []


def test_compile_keeps_the_order_of_models():
    first, second = models.conv_net(), models.dense_net()
    labels = [m.label for m in edgetpu_build.compile([first, second]).members]
    assert labels == ["model 1", "model 2"]


def test_compiled_bytes_can_be_inspected():
    (member,) = edgetpu_build.compile(models.conv_net()).members
    found = edgetpu_build.inspect(member.artifact)
    assert found.target == "simulator"
    assert found.figures.cached_bytes == member.figures.cached_bytes


def test_names_for_several_models_are_grouped():
    with pytest.raises(edgetpu_build.EdgeTpuBuildError):
        edgetpu_build.compile([models.conv_net(), models.conv_net()], intermediate_tensors=["a"])


def test_what_cannot_be_compiled_is_raised():
    with pytest.raises(edgetpu_build.EdgeTpuBuildError) as caught:
        edgetpu_build.compile(b"nonsense")
    assert caught.value.exit_code == 3


def test_a_project_is_loaded_and_built(tmp_path):
    (tmp_path / "net.tflite").write_bytes(models.conv_net())
    (tmp_path / "pyproject.toml").write_text('[tool.edgetpu.models.net]\nsource = "net.tflite"\n', encoding="utf-8")
    project = edgetpu_build.Project.load(tmp_path)
    outcome = project.build()
    assert outcome.exit_code == 0
    assert [unit.state for unit in outcome.units] == ["compiled"]
    assert (tmp_path / "net_edgetpu.tflite").exists()
    assert [unit.state for unit in project.build("net").units] == ["fresh"]
    assert project.check().exit_code == 0
    assert project.root == tmp_path.resolve()


def test_a_wrong_configuration_is_raised(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.edgetpu]\nnonsense = 1\n", encoding="utf-8")
    with pytest.raises(edgetpu_build.EdgeTpuBuildError) as caught:
        edgetpu_build.Project.load(tmp_path)
    assert caught.value.exit_code == 2

"""The example's committed lock is what a build of its sources gives."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

import pytest

from edgetpu_build.cli.dispatch import main
from edgetpu_build.compiler.reweight import container
from edgetpu_build.engine.build import build
from edgetpu_build.engine.project import Project
from edgetpu_build.tflite.reader import read
from tests.support import silicon

EXAMPLE = Path(__file__).resolve().parents[2] / "example_project"


@pytest.mark.slow
def test_the_committed_lock_is_up_to_date(tmp_path: Path) -> None:
    project = tmp_path / "example"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("*_edgetpu.tflite", "__pycache__", "dist"))
    outcome = build(Project.load(project, os.environ), locked=True)
    assert [d.message for d in outcome.all_diagnostics if d.severity == "error"] == []


def test_its_models_are_small_enough_to_be_committed() -> None:
    assert sum(path.stat().st_size for path in (EXAMPLE / "models").glob("*.tflite")) < 6_000_000


def test_its_line_for_a_retrained_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On what Google's compiler would have written, as far as numbers go."""
    (line,) = (
        line for line in (EXAMPLE / "README.md").read_text().splitlines() if line.startswith("edgetpu-build reweight")
    )
    old = (EXAMPLE / "models" / "digits.tflite").read_bytes()
    for name, data in (
        ("compiled/digits.tflite", old),
        ("compiled/digits_edgetpu.tflite", silicon.compiled(old)),
        ("models/digits.tflite", _retrained(old)),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    assert main(line.split()[1:]) == 0
    made = (tmp_path / "digits_edgetpu.tflite").read_bytes()
    want = silicon.compiled(_retrained(old))
    assert len(made) == len(want)
    assert sum(a != b for a, b in zip(made, want, strict=True)) <= 16  # the caching token, twice


def _retrained(data: bytes) -> bytes:
    """Other weights, and every scale of a weight a little larger."""
    made = bytearray(data)
    view = memoryview(made)
    buffers = container.buffers(view)
    for tensor, table in zip(read(data).main.tensors, container.tensors(view), strict=True):
        if tensor.data is not None and tensor.type == "INT8":
            buffers[tensor.buffer][:] = bytes(value ^ 3 for value in tensor.data)
            scales = table.table("quantization").vector("scale", 4)  # type: ignore[union-attr]
            values = struct.unpack(f"<{len(scales) // 4}f", scales)  # type: ignore[arg-type]
            scales[:] = struct.pack(f"<{len(values)}f", *(value * 1.01 for value in values))  # type: ignore[index]
    return bytes(made)

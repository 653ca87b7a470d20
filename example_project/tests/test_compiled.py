"""The compiled models answer exactly as the originals, on the simulated device; `edgetpu-build build` makes them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "training")]
pytest.importorskip("ai_edge_litert")
pytest.importorskip("edgetpu_build")
pytest.importorskip("sklearn")

import data  # noqa: E402 - after the path is set
from meter_reader.models import compiled, open_on_cpu, open_on_edgetpu  # noqa: E402


@pytest.mark.parametrize("name", ["finder", "digits", "judge"])
def test_the_compiled_model_answers_as_the_original(name: str) -> None:
    try:
        compiled(name)
    except FileNotFoundError as problem:
        pytest.skip(str(problem))
    images = data.digits()[1][0]
    assert np.array_equal(open_on_edgetpu(name)(images), open_on_cpu(name, ROOT / "models")(images))

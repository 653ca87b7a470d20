"""The reader on held-out digits, by the uncompiled models: what the compiled ones must answer, too."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "training")]
pytest.importorskip("ai_edge_litert")
pytest.importorskip("sklearn")

import data  # noqa: E402 - after the path is set
from meter_reader import reader  # noqa: E402
from meter_reader.models import open_on_cpu  # noqa: E402

open_model = partial(open_on_cpu, folder=ROOT / "models")


@pytest.fixture(scope="module")
def held_out() -> tuple[np.ndarray, np.ndarray]:
    return data.digits()[1]


@pytest.mark.parametrize(("model", "least"), [("digits", 0.98), ("judge", 0.97)])
def test_held_out_digits_are_recognised(model: str, least: float, held_out: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = held_out[0][:150], held_out[1][:150]
    assert (open_model(model)(images).argmax(axis=1) == labels).mean() >= least


def test_a_counter_is_read_and_an_unreadable_cell_is_left_open(held_out: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = held_out
    picture = np.concatenate([images[0], images[1], np.zeros_like(images[0]), images[2]], axis=1)[..., 0]
    reading = reader.read(picture, open_model("finder"), open_model("digits"), open_model("judge"))
    assert reading.text == f"{labels[0]}{labels[1]}?{labels[2]}"


def test_a_picture_of_another_height_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 16 x"):
        reader.cells(np.zeros((15, 32)))

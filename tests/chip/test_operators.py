"""The table of operators, and which versions of them load."""

from __future__ import annotations

import pytest

from edgetpu_build.chip.generations import GENERATIONS, RUNTIMES, generation
from edgetpu_build.chip.operators import OPERATORS, available, highest_placed_version, highest_version

tflite = pytest.importorskip("tflite")
KINDS = {name for name in vars(tflite.BuiltinOperator) if name.isupper()}


def test_kinds_are_the_schemas() -> None:
    assert set(OPERATORS) <= KINDS
    assert all(facts.since in RUNTIMES for facts in OPERATORS.values())


def test_nothing_is_lost_in_a_newer_runtime_or_compiler() -> None:
    for kind in OPERATORS:
        for known in GENERATIONS:
            here = [available(kind, known, runtime) for runtime in RUNTIMES]
            assert here == sorted(here)
        ages = [available(kind, known, known.rules) for known in GENERATIONS]
        assert ages == sorted(ages)


def test_transpose_came_with_16_but_runs_on_runtime_13() -> None:
    assert available("TRANSPOSE", generation("16.0"), 13)
    assert not available("TRANSPOSE", generation("15.0"), 13)


@pytest.mark.parametrize(
    ("kind", "refused", "by"),
    [
        ("CONV_2D", 6, "16.0"),
        ("EXP", 2, "16.0"),
        ("QUANTIZE", 3, "16.0"),
        ("TRANSPOSE_CONV", 4, "16.0"),
        ("TRANSPOSE_CONV", 3, "2.1"),
        ("RESIZE_NEAREST_NEIGHBOR", 3, "2.1"),
        ("REVERSE_V2", 3, "15.0"),
        ("RELU", 2, "2.0.267685300"),
    ],
)
def test_reported_refusals(kind: str, refused: int, by: str) -> None:
    assert highest_version(kind, generation(by)) == refused - 1


def test_old_compilers_load_nothing_that_newer_ones_refuse() -> None:
    for kind in KINDS:
        limits = [limit for known in GENERATIONS if (limit := highest_version(kind, known)) is not None]
        assert limits == sorted(limits)


def test_half_pixel_resizing_is_loaded_by_15_but_not_mapped() -> None:
    assert highest_placed_version("RESIZE_NEAREST_NEIGHBOR", generation("15.0")) == 2
    assert highest_placed_version("RESIZE_NEAREST_NEIGHBOR", generation("16.0")) is None
    assert (highest_version("RESIZE_NEAREST_NEIGHBOR", generation("15.0")) or 0) >= 3

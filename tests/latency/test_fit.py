"""The constants are what the fit gives, its formula is the product's, and the errors are what the docs say.

Reads `benchmarks/`, which a source distribution has; scipy comes with scikit-learn.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from edgetpu_build.latency.constants import FITTED
from edgetpu_build.latency.model import Device, Traffic, predict

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def fit() -> ModuleType:
    pytest.importorskip("scipy")
    np = pytest.importorskip("numpy")
    assert np
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import fit_latency
    finally:
        sys.path.remove(str(BENCHMARKS))
    return fit_latency


def flat(fit: ModuleType) -> dict[str, float]:
    """The product's constants under the fit's names; links that the product does not know keep the start."""
    constants = {name: getattr(FITTED, name, value) for name, value in fit.START.items()}
    for host in ("x86", "arm"):
        constants[f"output_mb_{host}"] = FITTED.output_mb[host]  # type: ignore[index]
        constants[f"output_pixel_us_{host}"] = FITTED.output_pixel_us[host]  # type: ignore[index]
    for link in FITTED.bandwidth:
        constants[f"bandwidth_{link}"], constants[f"fixed_{link}"] = FITTED.bandwidth[link], FITTED.fixed[link]
    return constants


def test_the_fits_formula_is_the_products(fit: ModuleType) -> None:
    rows = [row for row in fit.load()[0] if row.link in FITTED.bandwidth and row.host in ("x86", "arm")]
    there = fit.predict(flat(fit), fit.Table(rows))
    for row, value in zip(rows, there, strict=True):
        traffic = Traffic(
            inputs=row.inputs, outputs=row.outputs, positions=row.positions, instructions=int(row.instructions)
        )
        device = Device(link=row.link, host=row.host)
        here = predict(row.works, traffic, device, streamed=row.streamed, cached=0).total
        assert here == pytest.approx(value, rel=1e-4)


@pytest.mark.slow
def test_constants_and_held_out_errors_are_as_told(fit: ModuleType) -> None:
    import numpy as np

    rows, _, document = fit.load()
    found, told = fit.fit(rows), flat(fit)
    for name in ("mac", "depthwise", "spread", "activations", "bandwidth_pcie", "bandwidth_usb3", "bandwidth_usb2"):
        assert found[name] == pytest.approx(told[name], rel=0.01)

    def median(chosen: list[object], predicted: dict[str, float]) -> float:
        return float(np.median([abs(predicted[row.id] / row.ms - 1) for row in chosen]))  # type: ignore[attr-defined]

    by_family = fit.held_out(rows, lambda row: row.family)
    assert median(rows, by_family) <= 0.08
    assert median([row for row in rows if row.family not in fit.SWEEPS], by_family) <= 0.07
    runs = fit.pipelines(document, found)
    assert float(np.median([abs(run.predicted / run.measured - 1) for run in runs])) <= 0.09
    right, total = fit.ranked(runs)
    assert right / total >= 0.97

"""The constants of the latency model and its error bands, as `benchmarks/fit_latency.py` prints them.

Not to be edited by hand: run the script and paste what it prints. Times are milliseconds, rates per second or per cycle
of the chip; MB is 1,000,000 bytes. Set by hand are ``half``, ``load`` and ``hop``, read from single observations, and
the bands of "output" and "tiled": their rows come from one sweep each, and hosts differ more than it shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Link = Literal["pcie", "usb3", "usb2"]
Clock = Literal["max", "std"]
Host = Literal["x86", "arm"]
Regime = Literal["compute", "streaming", "short", "output", "tiled"]

CLOCKS_MHZ: Mapping[Clock, float] = {"max": 500.0, "std": 250.0}
"""The two rates of the USB runtime: libedgetpu1-max and libedgetpu1-std."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """``mac``: cycles per step of 64 lanes x 4 input channels at one position of a tile; ``half``: the share of it that
    32 output channels or fewer take. ``depthwise``, ``pool``: cycles per tap at 64 channels of a position.
    ``spread``: bytes of cached weights brought to the tiles per cycle. ``activations``: bytes read and written per
    cycle. ``operator_us``: microseconds per operator. ``output_mb`` (milliseconds per MB) and ``output_pixel_us``
    (microseconds per position of a map): what the host needs to put outputs in order. ``bandwidth`` (MB/s) and
    ``fixed`` (an inference) by link. ``load``: to begin filling the cache; ``hop``: to hand tensors to the next
    segment. ``bands``: between which factors of a prediction 90 % of the held-out measurements lie.
    """

    mac: float
    half: float
    depthwise: float
    pool: float
    spread: float
    activations: float
    operator_us: float
    output_mb: Mapping[Host, float]
    output_pixel_us: Mapping[Host, float]
    bandwidth: Mapping[Link, float]
    fixed: Mapping[Link, float]
    load: float = 0.9
    hop: float = 0.25
    bands: Mapping[Regime, tuple[float, float]] = field(default_factory=dict)


FITTED = Constants(
    mac=2.025,
    half=0.5,
    depthwise=17.855,
    pool=7.576,
    spread=27.116,
    activations=35.582,
    operator_us=2.799,
    output_mb={"x86": 5.481, "arm": 9.93},
    output_pixel_us={"x86": 0.104, "arm": 0.1},
    bandwidth={"pcie": 381.457, "usb3": 452.07, "usb2": 35.662},
    fixed={"pcie": 0.084, "usb3": 0.26, "usb2": 0.236},
    bands={
        "compute": (0.86, 1.24),
        "streaming": (0.91, 1.27),
        "short": (0.6, 1.29),
        "output": (0.65, 1.6),
        "tiled": (0.7, 1.5),
    },
)

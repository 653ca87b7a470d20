"""One inference on one device: what is sent, what is computed, what streams, what comes back.

::

    total    = fixed + input and instructions over the link + sum of the operators + outputs
    operator = the longer of computing and streaming its parameters
    computing = the longest of array, weights, activations, + a little per operator
    outputs  = over the link + put in order by the host

The first inference after a (re)load also brings the cached parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edgetpu_build.figure import Figure, estimated
from edgetpu_build.latency.constants import CLOCKS_MHZ, FITTED, Clock, Constants, Host, Link, Regime
from edgetpu_build.latency.work import Work

Bound = Literal["array", "weights", "activations", "stream"]
IMAGE = 64  # positions from which an output counts as a map, which the host puts in order position by position


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What a prediction assumes about the device and the computer that it is attached to."""

    link: Link = "usb3"
    clock: Clock = "max"
    host: Host = "x86"

    def __str__(self) -> str:
        speed = "full clock" if self.clock == "max" else "reduced clock"
        return f"{_LINKS[self.link]}, {speed}, {_HOSTS[self.host]}"


_LINKS: dict[Link, str] = {"pcie": "PCIe", "usb3": "USB 3", "usb2": "USB 2"}
_HOSTS: dict[Host, str] = {"x86": "x86 host", "arm": "ARM host"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Bytes of an inference besides parameters, and ``positions``: rows times columns of the outputs that are maps."""

    inputs: int = 0
    outputs: int = 0
    positions: int = 0
    instructions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorTime:
    """Milliseconds of one operator. ``index``: its place in what was asked about. ``bound``: what it waits for."""

    index: int
    kind: str
    compute: float
    stream: float
    streamed: int
    bound: Bound

    @property
    def total(self) -> float:
        return max(self.compute, self.stream)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds of one inference, by part. ``load``: what the first one takes on top. ``notes``: where it is weak.

    ``regime`` chooses the error band.
    """

    device: Device
    operators: tuple[OperatorTime, ...]
    fixed: float
    inputs: float
    instructions: float
    outputs: float
    load: float
    regime: Regime
    band: tuple[float, float]
    notes: tuple[str, ...] = ()

    @property
    def on_device(self) -> float:
        return sum(operator.total for operator in self.operators)

    @property
    def total(self) -> float:
        return self.fixed + self.inputs + self.instructions + self.on_device + self.outputs

    @property
    def first(self) -> float:
        """The first inference after the parameters were loaded."""
        return self.total + self.load

    @property
    def figure(self) -> Figure:
        """Estimated, with the range that holds nine of ten held-out measurements; microseconds are enough."""
        low, high = self.band
        return estimated(*(round(self.total * factor, 3) for factor in (1.0, low, high)))


_NOTES: dict[Regime, str] = {
    "compute": "",
    "streaming": "",
    "short": "under 1 ms host and driver decide, which differ much",
    "output": "putting the outputs in order on the host is a large part, which differs 2 to 4 times between hosts",
    "tiled": "streamed weights are sent again for each band of a large map, which is known from one sweep only",
}


def predict(
    works: Sequence[Work],
    traffic: Traffic,
    device: Device,
    *,
    streamed: Sequence[int],
    cached: int,
    places: Sequence[int] = (),
    constants: Constants = FITTED,
) -> Latency:
    """``streamed``: parameter bytes that each operator streams; ``cached``: bytes that the first inference loads;
    ``places``: the operators' indices, by default counted from 0.
    """
    rate = constants.bandwidth[device.link] * 1e3  # bytes per millisecond
    cycles = CLOCKS_MHZ[device.clock] * 1e3  # per millisecond
    times = tuple(
        _operator(index, one, sent, rate=rate, cycles=cycles, constants=constants)
        for index, one, sent in zip(places or range(len(works)), works, streamed, strict=True)
    )
    positions = traffic.positions * constants.output_pixel_us[device.host] * 1e-3
    outputs = traffic.outputs * (constants.output_mb[device.host] * 1e-6 + 1 / rate) + positions
    fixed, sent = constants.fixed[device.link], traffic.inputs / rate
    instructions = traffic.instructions / rate
    total = fixed + sent + instructions + outputs + sum(time.total for time in times)
    regime = _regime(total, outputs, times, works)
    return Latency(
        device=device,
        operators=times,
        fixed=fixed,
        inputs=sent,
        instructions=instructions,
        outputs=outputs,
        load=constants.load + cached / rate if cached else 0.0,
        regime=regime,
        band=constants.bands.get(regime, (1.0, 1.0)),
        notes=(_NOTES[regime],) if _NOTES[regime] else (),
    )


def compute_cycles(one: Work, constants: Constants) -> tuple[float, float, float]:
    """Cycles that array, weights and activations take: the longest counts."""
    lanes = constants.half if one.narrow else 1.0
    steps = one.array * constants.mac * lanes + one.depthwise * constants.depthwise + one.pool * constants.pool
    weights = one.weights / constants.spread + one.dense / (16 * constants.spread)
    return steps, weights, one.activations / constants.activations


_BOUNDS: tuple[Bound, ...] = ("array", "weights", "activations")


def _operator(
    index: int, one: Work, streamed: int, *, rate: float, cycles: float, constants: Constants
) -> OperatorTime:
    costs = compute_cycles(one, constants)
    longest = max(costs)
    compute = longest / cycles + constants.operator_us * 1e-3
    stream = streamed * one.sends / rate
    return OperatorTime(
        index=index,
        kind=one.kind,
        compute=compute,
        stream=stream,
        streamed=streamed,
        bound="stream" if stream > compute else _BOUNDS[costs.index(longest)],
    )


def _regime(total: float, outputs: float, times: Sequence[OperatorTime], works: Sequence[Work]) -> Regime:
    """The least certain of what is true of a prediction."""
    again = sum(time.stream for time, one in zip(times, works, strict=True) if time.stream and one.sends > 1)
    if again > 0.1 * total:
        return "tiled"
    if total < 1:
        return "short"
    if outputs > 0.25 * total:
        return "output"
    return "streaming" if sum(time.stream for time in times) > 0.6 * total else "compute"

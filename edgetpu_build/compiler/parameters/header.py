"""The arrays in front of a chunk's weights: multiplier, bias and zero point, four bytes a lane each.

multiplier (f32): only where the weights have a scale per channel and these lead to different multipliers. bias (i32):
as in the model; from 15.0 on, an array of equal values over whole groups of four lanes (or of zeros) is left out: the
value stands in the instruction. zero point (i32, that of the stored bytes): only with a scale per channel.
Multipliers are f32(f32(s_in * s_w) * f32(1 / s_out)), rounded at each step, which `array('f')` does: products of two
24-bit mantissas are exact in a double, and for quotients the second rounding is harmless (53 >= 2 * 24 + 2).
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from edgetpu_build.compiler.parameters.generation import Generation
from edgetpu_build.compiler.parameters.site import Site, scale_of
from edgetpu_build.tflite.model import Tensor

SIGN = 0x80  # the chip's bytes are unsigned: INT8 is stored with its top bit flipped


def f32(value: float) -> float:
    """The nearest 32-bit float."""
    return float(array("f", [value])[0])


def reciprocal(value: float) -> float:
    """f32(1 / value); infinite for 0, which no working model has."""
    return f32(1 / value) if value else float("inf")


@dataclass(frozen=True, slots=True)
class Multipliers:
    """f32(f32(factor * scale) * inverse) of each scale, worked out when asked for."""

    factor: float
    scales: Sequence[float] = field(repr=False)
    inverse: float

    def __call__(self) -> array[float]:
        return self._of(self.scales)

    def differ(self) -> bool:
        """Rounding keeps the order, so the least and the greatest tell."""
        least, greatest = self._of((min(self.scales), max(self.scales)))
        return least != greatest

    def _of(self, scales: Sequence[float]) -> array[float]:
        factor, inverse = self.factor, self.inverse
        products = array("f", [factor * scale for scale in scales])
        return array("f", [product * inverse for product in products])


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Values per output channel; None: the array is left out. ``zero_points`` are those of the stored bytes.

    ``bias_tensor``: index of the tensor that ``bias`` came from, -1 if it was made up. ``sure``: whether the bias is
    stored follows from files.
    """

    multipliers: Multipliers | None = None
    bias: array[int] | None = field(default=None, repr=False)
    zero_points: Sequence[int] | None = field(default=None, repr=False)
    bias_tensor: int = -1
    sure: bool = True

    @property
    def bytes_per_lane(self) -> int:
        return 4 * sum(values is not None for values in (self.multipliers, self.bias, self.zero_points))

    def arrays(self) -> list[tuple[array[float] | array[int], bool]]:
        """The arrays that are stored, in order; True where a filled-up lane repeats channel 0, else it is 0."""
        stored: list[tuple[array[float] | array[int], bool]] = []
        if self.multipliers is not None:
            stored.append((self.multipliers(), True))
        if self.bias is not None:
            stored.append((self.bias, False))
        if self.zero_points is not None:
            stored.append((array("i", self.zero_points), True))
        return stored


NO_HEADER = Header()


def scales_of(weights: Tensor, count: int) -> tuple[float, ...]:
    """One scale for each of ``count`` output channels, or empty where one serves all."""
    scales = weights.quantization.scale if weights.quantization else ()
    return scales if len(scales) == count > 1 else ()


def stored_zero_points(weights: Tensor, count: int) -> Sequence[int]:
    """Zero point of each output channel's stored bytes."""
    given = weights.quantization.zero_point if weights.quantization else ()
    flip = SIGN if weights.type == "INT8" else 0
    if len(given) != count:
        return ((given[0] if given else 0) + flip & 0xFF,) * count
    return [point + flip & 0xFF for point in given]


def multipliers(source: Tensor, scales: Sequence[float], result: Tensor) -> Multipliers | None:
    """One per channel, None where one for all is enough."""
    if not scales:
        return None
    found = Multipliers(scale_of(source), scales, reciprocal(scale_of(result)))
    return found if found.differ() else None


def folded(bias: array[int], generation: Generation, *, depthwise: bool = False) -> bool:
    """Whether the bias stands in the instruction instead of an array."""
    count, first = len(bias), bias[0] if bias else 0
    if bias.count(first) != count:
        return False
    if first == 0 and count == 1 and generation.folds_single_zero:
        return True
    folds = generation.folds_depthwise if depthwise else generation.folds
    return folds and (first == 0 or count % 4 == 0)


def biases(tensor: Tensor | None, count: int) -> array[int] | None:
    """The 32-bit values of a constant bias; None where there is none, or not one per channel."""
    if tensor is None or tensor.data is None or len(tensor.data) != 4 * count:
        return None
    return array("i", bytes(tensor.data))


def of(site: Site, source: Tensor, weights: Tensor, bias: int, count: int) -> Header:
    """The header of a convolution-like operator with ``count`` output channels; ``bias``: that input's position."""
    scales = scales_of(weights, count)
    values = biases(site.input(bias), count)
    sure = True
    if values is not None and folded(values, site.generation, depthwise=site.kind == "DEPTHWISE_CONV_2D"):
        values, sure = None, site.generation.folding_seen
    return Header(
        multipliers=multipliers(source, scales, site.output),
        bias=values,
        zero_points=stored_zero_points(weights, count) if scales else None,
        bias_tensor=site.number(bias) if values is not None else -1,
        sure=sure,
    )

"""What every operator leaves in the instruction stream: one function an operator kind, from the numbers of its tensors.

A ``Role`` is one kind of word that an operator may have: its exact constants, and what else its form must show. All
arithmetic is the compiler's: 32-bit floats, rounded at each step, products with the reciprocal of the output's scale.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edgetpu_build.compiler.parameters.header import SIGN, f32, reciprocal
from edgetpu_build.compiler.parameters.layer import LANES, up
from edgetpu_build.compiler.parameters.site import channels, elements, scale_of
from edgetpu_build.compiler.reweight.graphs import Graph
from edgetpu_build.compiler.reweight.stream import Constants, Requantisation
from edgetpu_build.tflite.model import Operator, Tensor

SEEN_COPIES = ("2.0", "2.1", "14.1", "15.0")
PLAIN, TABLE, EXPONENT = 0, 1, 5  # functions of a requantisation
INFINITE, NEGATIVE_INFINITE, ONE = 0x7F800000, 0xFF800000, 0x3F800000
LARGEST_FACTOR = 32767
LOGISTIC_BOUND = 0x41265904  # 10.3967: beyond it the table of LOGISTIC is flat
SIGN_BIT = 0x80000000
EXPONENT_BOUND = 0xC1509C0D  # -13.0381: below it the exponential is nothing
MOVE = Constants(ONE, INFINITE, NEGATIVE_INFINITE)
"""Bytes that only move: in no way of the model's numbers."""


@dataclass(frozen=True, slots=True)
class Role:
    """``name``: what the word is for. ``lanes``: lanes that it may show, none for any. ``arrays``: what it must say of
    arrays in the parameters, -1 for anything; ``paired``: whether two maps come in, None for either. ``needed``: an
    operator of which no word of this name is found is not understood.
    """

    name: str
    constants: Constants
    lanes: tuple[int, ...] = ()
    arrays: int = -1
    function: int = PLAIN
    needed: bool = False
    paired: bool | None = False

    def fits(self, found: Requantisation) -> bool:
        """Whether a word of these constants has the form that this role asks for."""
        return (
            self.function == found.function
            and (not self.lanes or found.lanes in self.lanes)
            and self.arrays in (-1, found.arrays)
            and self.paired in (None, found.paired)
        )


def bits(value: float) -> int:
    """The 32 bits of a float."""
    try:
        return int(struct.unpack("<I", struct.pack("<f", value))[0])
    except OverflowError:
        return INFINITE if value > 0 else NEGATIVE_INFINITE


def point(tensor: Tensor) -> int:
    """The zero point of the stored bytes."""
    given = tensor.quantization.zero_point if tensor.quantization else ()
    return ((given[0] if given else 0) + (SIGN if tensor.type == "INT8" else 0)) & 0xFF


def clamps(result: Tensor, activation: str = "NONE") -> tuple[int, int]:
    """The greatest and the least result in steps of its scale, as the compiler finds them from real values."""
    scale, zero = scale_of(result), point(result)
    inverse = reciprocal(scale)
    high, low = f32(f32((255 - zero) * scale) * inverse), f32(f32(-zero * scale) * inverse)
    if activation in ("RELU", "RELU6"):
        low = max(low, 0.0)
    if activation == "RELU6":
        high = min(high, f32(6 * inverse))
    return bits(high), bits(low)


def ratio(source: float, result: float) -> int:
    """f32(source * f32(1 / result))."""
    return bits(f32(source * reciprocal(result)))


def roles(graph: Graph, index: int) -> tuple[Role, ...]:
    """Every word that operator ``index`` may have; none where it leaves nothing of its own."""
    rule = RULES.get(graph.operators[index].kind)
    return tuple(rule(graph, index)) if rule else ()


def _activation(operator: Operator) -> str:
    return str(operator.options.get("fused_activation_function", "NONE"))


def _lanes(count: int) -> tuple[int, ...]:
    """What words of ``count`` output channels show: those of a whole chunk, or of the last."""
    return (min(LANES, up(count, 4)), up(count % LANES, 4) or LANES)


def _convolution(graph: Graph, index: int) -> Iterator[Role]:
    operator = graph.operators[index]
    source, weights, result = graph.input(index, 0), graph.input(index, 1), graph.output(index)
    layer = graph.layer(index)
    if source is None or weights is None or layer is None or not weights.quantization:
        return
    header = getattr(layer.pieces[0], "header", None)
    if header is None:
        return
    high, low = clamps(result, _activation(operator))
    scale = f32(scale_of(source) * scale_of(weights))
    several = header.zero_points is not None
    addend = 0
    bias = graph.input(index, 2)
    if bias is not None and bias.data is not None and header.bias is None:
        addend = struct.unpack_from("<I", bias.data)[0]
    yield Role(
        "weights",
        Constants(
            ONE if header.multipliers is not None else ratio(scale, scale_of(result)),
            high,
            low,
            addend,
            point(result),
            0 if several else point(weights),
            point(source),
        ),
        lanes=(4,) if operator.kind == "DEPTHWISE_CONV_2D" and channels(source) > 1 else _lanes(channels(result)),
        needed=True,
        arrays=(header.bias is not None) | (header.multipliers is not None) << 1 | several << 2,
    )
    if operator.options.get("stride_w", 1) > 1:  # its input may be laid out anew
        yield from _unit(graph, "input", source)


def _add(graph: Graph, index: int) -> Iterator[Role]:
    pair = _pair(graph, index)
    if pair is None:
        yield from _add_constant(graph, index)
        return
    first, second, result = pair
    high, low = clamps(result, _activation(graph.operators[index]))
    step, factors = rationals(first, second)
    addend = -(point(first) * factors[0] + point(second) * factors[1]) & 0xFFFF_FFFF
    yield Role(
        "sum",
        Constants(ratio(step, scale_of(result)), high, low, addend, point(result)),
        lanes=(4,),
        needed=True,
        arrays=0,
        paired=True,
    )


def rationals(first: Tensor, second: Tensor) -> tuple[float, tuple[int, int]]:
    """The step that both operands of ADD are whole multiples of, and those multiples: the best approximation of the
    quotient of their scales by numbers below 32,768. (0, 0) where there is none that is sure.
    """
    one, two = scale_of(first), scale_of(second)
    quotient = one / two if two > 0 else 0.0
    if not 1 / LARGEST_FACTOR < quotient < LARGEST_FACTOR:
        return 0.0, (0, 0)
    least, most = closest(min(quotient, 1 / quotient), LARGEST_FACTOR)
    return f32(max(one, two) / most), (most, least) if one > two else (least, most)


def closest(value: float, limit: int) -> tuple[int, int]:
    """The fraction nearest to ``value`` (0 to 1) whose denominator is at most ``limit``: by continued fractions, the
    last term as far as it goes.
    """
    top, bottom = value.as_integer_ratio()
    if bottom <= limit:
        return top, bottom
    p0, q0, p1, q1 = 0, 1, 1, 0
    rest_top, rest = top, bottom
    while True:
        term = rest_top // rest
        if q0 + term * q1 > limit:
            break
        p0, q0, p1, q1 = p1, q1, p0 + term * p1, q0 + term * q1
        rest_top, rest = rest, rest_top - term * rest
    part = (limit - q0) // q1
    p2, q2 = p0 + part * p1, q0 + part * q1
    nearer = abs(p1 * bottom - top * q1) * q2 <= abs(p2 * bottom - top * q2) * q1
    return (p1, q1) if nearer else (p2, q2)


def _add_constant(graph: Graph, index: int) -> Iterator[Role]:
    """One value per channel: an array of integers in the parameters."""
    operator = graph.operators[index]
    pair = _with_constant(graph, index)
    if pair is None or operator.kind != "ADD" or graph.layer(index) is None:
        return
    source, _ = pair
    result = graph.output(index)
    high, low = clamps(result, _activation(operator))
    zero = point(source)
    yield Role(
        "sum",
        Constants(ratio(scale_of(source), scale_of(result)), high, low, 0, point(result), 0, zero),
        lanes=(4,),
        needed=True,
        arrays=1,
    )


def _multiply(graph: Graph, index: int) -> Iterator[Role]:
    operator, result = graph.operators[index], graph.output(index)
    high, low = clamps(result, _activation(operator))
    pair = _pair(graph, index)
    if pair is not None:
        first, second, _ = pair
        product = f32(scale_of(first) * scale_of(second))
        for one, two in ((first, second), (second, first)):
            yield Role(
                "product",
                Constants(ratio(product, scale_of(result)), high, low, 0, point(result), point(two), point(one)),
                lanes=(4,),
                needed=True,
                arrays=0,
            )
        return
    other = _with_constant(graph, index)
    if other is None:
        return
    source, constant = other
    if graph.layer(index) is not None:
        yield Role(
            "product",
            Constants(ONE, high, low, 0, point(result), 0, point(source)),
            lanes=(4,),
            needed=True,
            arrays=2,
        )
        return
    value = f32((_first(constant) - _zero(constant)) * scale_of(constant))
    yield Role(
        "product",
        Constants(
            ratio(f32(scale_of(source) * value), scale_of(result)), high, low, 0, point(result), 0, point(source)
        ),
        lanes=(4,),
        needed=True,
        arrays=0,
    )


def _logistic(graph: Graph, index: int) -> Iterator[Role]:
    source = graph.input(index, 0)
    if source is not None:
        yield Role(
            "table",
            Constants(bits(scale_of(source)), LOGISTIC_BOUND, LOGISTIC_BOUND | SIGN_BIT, input=point(source)),
            lanes=(4,),
            arrays=0,
            function=TABLE,
            needed=True,
        )


def _largest(graph: Graph, index: int) -> Iterator[Role]:
    """MAX_POOL_2D."""
    source = graph.input(index, 0)
    if source is None:
        return
    zero = point(source)
    unit = ratio(scale_of(source), scale_of(source))
    for high, low in ((INFINITE, NEGATIVE_INFINITE), clamps(graph.output(index), _activation(graph.operators[index]))):
        yield Role(
            "maximum",
            Constants(unit, high, low, -zero & 0xFFFF_FFFF, zero, 0, zero),
            lanes=_lanes(channels(source)),
            arrays=0,
            needed=True,
        )


def _mean(graph: Graph, index: int) -> Iterator[Role]:
    source, result = graph.input(index, 0), graph.output(index)
    if source is None:
        return
    options = graph.operators[index].options
    count = elements(source) // max(1, elements(result))
    if graph.operators[index].kind == "AVERAGE_POOL_2D":
        count = options.get("filter_height", 1) * options.get("filter_width", 1)
    if not count:
        return
    high, low = clamps(result, _activation(graph.operators[index]))
    multiplier = ratio(f32(scale_of(source) * f32(1 / count)), scale_of(result))
    zero = point(source)
    if zero == point(result) == 0:
        yield Role(
            "mean", Constants(multiplier, INFINITE, NEGATIVE_INFINITE), lanes=_lanes(channels(source)), paired=None
        )
    for weights in (0, zero):
        for data in (0, zero):
            yield Role("mean", Constants(multiplier, high, low, 0, point(result), weights, data), paired=None)


def _requantize(graph: Graph, index: int) -> Iterator[Role]:
    source, result = graph.input(index, 0), graph.output(index)
    if source is None:
        return
    if scale_of(source) == scale_of(result) and point(source) == point(result):
        yield from _unit(graph, "move", result)
        return
    high, low = clamps(result)
    yield Role(
        "requantisation",
        Constants(ratio(scale_of(source), scale_of(result)), high, low, 0, point(result), 0, point(source)),
        lanes=(4,),
        arrays=0,
        needed=True,
    )


def _joined(graph: Graph, index: int) -> Iterator[Role]:
    result = graph.output(index)
    high, low = clamps(result)
    for number in dict.fromkeys(graph.operators[index].inputs):
        source = graph.tensors[number]
        if scale_of(source) != scale_of(result) or point(source) != point(result):
            yield Role(
                "requantisation",
                Constants(ratio(scale_of(source), scale_of(result)), high, low, 0, point(result), 0, point(source)),
                lanes=(4,),
                arrays=0,
            )
    yield from _unit(graph, "move", result)


def _moved(graph: Graph, index: int) -> Iterator[Role]:
    yield from _unit(graph, "move", graph.output(index))


def _unit(graph: Graph, name: str, tensor: Tensor) -> Iterator[Role]:
    """Bytes that move and keep their scale: the multiplier is f32(s * f32(1 / s)). Where that is not 1, copies without
    a selection matrix are only seen from 14.1 and 15.0: for other compilers a plain 1 counts as possible too.
    """
    if scale_of(tensor) <= 0:
        return
    high, low = clamps(tensor)
    zero = point(tensor)
    unit = ratio(scale_of(tensor), scale_of(tensor))
    for arrays in (0, 1):
        yield Role(name, Constants(unit, high, low, 0, zero, 0, zero), arrays=arrays)
    if graph.generation not in SEEN_COPIES:
        yield Role(name, Constants(ONE, high, low, 0, zero, 0, zero), arrays=0, lanes=(4,))


def _softmax(graph: Graph, index: int) -> Iterator[Role]:
    from edgetpu_build.compiler.parameters.softmax import step_of

    source = graph.input(index, 0)
    if source is None or scale_of(source) <= 0:
        return
    yield from _unit(graph, "input", source)
    scale = scale_of(source)
    whole = step_of(source)
    inverse = reciprocal(whole)
    least = bits(f32(f32(-255 * whole) * inverse))
    differences = (
        (ratio(scale, whole), 0, 0),
        (ratio(scale, whole), 1, 0),
        (ONE, 1, 0),
        (ONE, 0, 255),
    )
    for multiplier, weights, data in differences:
        constants = Constants(multiplier, 0, least, 0, 255, weights, data)
        yield Role("difference", constants, paired=None)
    for constants, function in _SHARES:
        yield Role("share", constants, function=function, paired=None)
    for multiplier, arrays in ((bits(whole), 0), (ONE, 2)):  # the table has the multiplier of an incomplete group
        exponential = Constants(multiplier, 0, EXPONENT_BOUND, 0, 0, 0, 255)
        yield Role("exponential", exponential, arrays=arrays, function=EXPONENT, paired=None)
    high, low = clamps(source)
    zero = point(source)
    largest = Constants(ratio(scale, scale), high, low, -zero & 0xFFFF_FFFF, zero, zero)
    yield Role("largest", largest, arrays=0, lanes=(4,))


_SHARES = (
    (Constants(0x37800080, INFINITE, NEGATIVE_INFINITE), 7),
    (Constants(0x37800080, 0x47000000, 0), 4),
    (Constants(0x34000157, 0x437F0000, 0), 0),
)
"""What follows the exponentials of SOFTMAX: the same in all files, since its result is always in steps of 1/256."""


def _pair(graph: Graph, index: int) -> tuple[Tensor, Tensor, Tensor] | None:
    """Both operands where each is a whole map: computed, or a constant that is broadcast element by element."""
    first, second, result = graph.input(index, 0), graph.input(index, 1), graph.output(index)
    if first is None or second is None or not (_mapped(first) and _mapped(second)):
        return None
    return first, second, result


def _mapped(tensor: Tensor) -> bool:
    return tensor.data is None or 1 < elements(tensor) != channels(tensor)


def _with_constant(graph: Graph, index: int) -> tuple[Tensor, Tensor] | None:
    """The computed operand and the constant one."""
    first, second = graph.input(index, 0), graph.input(index, 1)
    if first is None or second is None or (first.data is None) == (second.data is None):
        return None
    return (first, second) if first.data is None else (second, first)


def _first(tensor: Tensor) -> int:
    data = bytes(tensor.data or b"\0")[:1]
    return int.from_bytes(data, "little", signed=tensor.type == "INT8")


def _zero(tensor: Tensor) -> int:
    return tensor.quantization.zero_point[0] if tensor.quantization and tensor.quantization.zero_point else 0


RULES: dict[str, Callable[[Graph, int], Iterator[Role]]] = {
    "ADD": _add,
    "AVERAGE_POOL_2D": _mean,
    "CONCATENATION": _joined,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "FULLY_CONNECTED": _convolution,
    "LOGISTIC": _logistic,
    "MAX_POOL_2D": _largest,
    "MEAN": _mean,
    "MUL": _multiply,
    "PAD": _moved,
    "QUANTIZE": _requantize,
    "RESHAPE": _moved,
    "RESIZE_NEAREST_NEIGHBOR": _moved,
    "SOFTMAX": _softmax,
    "SPLIT": _moved,
    "STRIDED_SLICE": _moved,
    "TRANSPOSE": _moved,
}

"""What Google's compiler would write, as far as new numbers change it: packages in the public format, whose parameters
are laid out as documented and whose instruction words follow docs/explanation/reweighting.md.

No Edge TPU runs these files; between the words that hold constants stands filler. All arithmetic is numpy's, so that
the product's own is held against something else.
"""

from __future__ import annotations

import math
import struct
from fractions import Fraction
from typing import Any

import numpy as np

from edgetpu_build.compiler import parameters
from edgetpu_build.compiler.package import Executable, Layer, Package, encode
from edgetpu_build.tflite import surgery
from edgetpu_build.tflite.model import Operator, Subgraph, Tensor
from edgetpu_build.tflite.reader import read

f32 = np.float32
INF = math.inf
FILLER = 0xDEAD_0001_0001_0001_0001_0001_0001_0001


def compiled(data: bytes, *, generation: str = "16.0", runtime: int = 14, token: int = 0x1122334455667788) -> bytes:
    """The artifact of a model, all of whose operators run on the device."""
    model = read(data)
    main = model.main
    everything = frozenset(range(len(main.operators)))
    layers = parameters.layers(main, generation=generation, mapped=everything)
    held = b"".join(layer.blob() for layer in layers if not layer.always_streamed)
    streamed = b"".join(layer.blob() for layer in layers if layer.always_streamed)
    runs = Executable(
        type="EXECUTION_ONLY",
        parameters=streamed,
        token=token,
        instructions=(instructions(main, layers),),
        inputs=_layers(main, main.inputs),
        outputs=_layers(main, main.outputs),
    )
    executables = (
        runs,
        Executable(type="PARAMETER_CACHING", parameters=held, token=token, instructions=(_words([FILLER] * 9),)),
    )
    package = Package(min_runtime_version=runtime, executables=executables, compiler_version="made for a test")
    part = surgery.Part(
        operators=tuple(sorted(everything)),
        inputs=main.inputs,
        outputs=main.outputs,
        custom_code="edgetpu-custom-op",
        custom_options=encode(package),
    )
    return surgery.delegate(model, [part])


def instructions(main: Subgraph, layers: tuple[parameters.Layer, ...]) -> bytes:
    """The words of all operators, one after the other."""
    words = [FILLER] * 4
    for index, operator in enumerate(main.operators):
        layer = next((layer for layer in layers if layer.index == index), None)
        words += [*_operator(main, operator, layer), FILLER, FILLER]
    return _words(words)


def requantisation(
    multiplier: float, high: float, low: float, *, lanes: int = 4, arrays: int = 0, kind: int = 0x30, **more: int
) -> list[int]:
    """The four words; ``more``: addend, output, weights, input, function."""
    bits = [struct.unpack("<I", struct.pack("<f", value))[0] for value in (multiplier, high, low)]
    wide = 0xC000 | (lanes // 4 - 1) << 16 | (lanes - 1) << 20 | more.get("function", 0) << 26
    for bit, value in zip((29, 61, 93), bits, strict=True):
        wide |= value << bit
    wide |= (more.get("addend", 0) & 0xFFFFFFFF) << 125 | more.get("output", 0) << 157 | (arrays & 3) << 173
    before = (kind | (0x2000 if arrays & 4 else 0)) << 48 | more.get("weights", 0) << 62 | more.get("input", 0) << 78
    return [0, before, wide & (1 << 128) - 1, wide >> 128]


def immediate(value: int) -> int:
    return value << 88 | 1 << 87


def scalar(operand: int, register: int = 0x12) -> int:
    """An instruction of the scalar core."""
    return operand << 70 | register << 64 | 0x9880 << 48 | 0x800


def _words(words: list[int]) -> bytes:
    return b"".join(word.to_bytes(16, "little") for word in words)


def _layers(main: Subgraph, numbers: tuple[int, ...]) -> tuple[Layer, ...]:
    return tuple(
        Layer(
            name=tensor.name,
            shape=tensor.shape,
            size=math.prod(tensor.shape),
            zero_point=zero(tensor),
            scale=scale(tensor),
        )
        for tensor in (main.tensors[number] for number in numbers)
    )


def scale(tensor: Tensor) -> float:
    assert tensor.quantization
    return tensor.quantization.scale[0]


def zero(tensor: Tensor) -> int:
    assert tensor.quantization
    return tensor.quantization.zero_point[0] + (128 if tensor.type == "INT8" else 0)


def clamps(tensor: Tensor, activation: str = "NONE") -> tuple[float, float]:
    step, inverse = f32(scale(tensor)), f32(1) / f32(scale(tensor))
    high, low = f32(f32(255 - zero(tensor)) * step) * inverse, f32(f32(-zero(tensor)) * step) * inverse
    if activation != "NONE":
        low = max(low, f32(0))
    return float(min(high, f32(6) * inverse) if activation == "RELU6" else high), float(low)


def ratio(source: Any, result: Tensor) -> float:
    return float(f32(source) * (f32(1) / f32(scale(result))))


def _operator(main: Subgraph, operator: Operator, layer: parameters.Layer | None) -> list[int]:
    sources = [main.tensors[number] for number in operator.inputs if number >= 0]
    result = main.tensors[operator.outputs[0]]
    rule = {
        "ADD": _add,
        "CONV_2D": _weights,
        "DEPTHWISE_CONV_2D": _weights,
        "FULLY_CONNECTED": _weights,
        "LOGISTIC": _logistic,
        "MAX_POOL_2D": _largest,
        "MEAN": _mean,
        "MUL": _product,
        "SOFTMAX": _softmax,
    }.get(operator.kind)
    return rule(operator, sources, result, layer) if rule else []


def _weights(operator: Operator, sources: list[Tensor], result: Tensor, layer: Any) -> list[int]:
    source, weights = sources[:2]
    header, count = layer.pieces[0].header, result.shape[-1]
    arrays = (header.bias is not None) + 2 * (header.multipliers is not None) + 4 * (header.zero_points is not None)
    high, low = clamps(result, operator.options["fused_activation_function"])
    multiplier = 1.0 if arrays & 2 else ratio(f32(scale(source)) * f32(scale(weights)), result)
    addend = 0
    if not arrays & 1 and len(sources) > 2 and sources[2].data is not None:
        addend = struct.unpack_from("<i", sources[2].data)[0]
    numbers = {
        "addend": addend,
        "output": zero(result),
        "weights": 0 if arrays & 4 else zero(weights),
        "input": zero(source),
    }
    depthwise = operator.kind == "DEPTHWISE_CONV_2D"
    chunks = [4] if depthwise else [min(64, -(-(count - first) // 4) * 4) for first in range(0, count, 64)]
    words: list[int] = []
    if operator.options.get("padding") == "SAME" and weights.shape[1] > 1:
        words += [FILLER, immediate(zero(source) * 0x01010101)] * 4
    for lanes in chunks:
        words += requantisation(multiplier, high, low, lanes=lanes, arrays=arrays, kind=0x38, **numbers)
        words += [FILLER] * 13  # the words of one operator follow each other 17 apart
    return words


def factors(first: float, second: float) -> tuple[int, int, float]:
    larger, smaller = max(first, second), min(first, second)
    found = Fraction(smaller / larger).limit_denominator(32767)
    step = float(f32(larger) / f32(found.denominator))
    pair = (found.denominator, found.numerator) if first > second else (found.numerator, found.denominator)
    return (*pair, step)


def _add(operator: Operator, sources: list[Tensor], result: Tensor, layer: Any) -> list[int]:
    one, two = sources
    first, second, step = factors(scale(one), scale(two))
    words = []
    for factor in (first, second):
        for value in (factor, factor << 16, 0, factor, factor << 16):
            words += [FILLER, immediate(value)]
    high, low = clamps(result, operator.options["fused_activation_function"])
    addend = -(zero(one) * first + zero(two) * second)
    return words + requantisation(ratio(step, result), high, low, kind=0xB0, addend=addend, output=zero(result))


def _product(operator: Operator, sources: list[Tensor], result: Tensor, layer: Any) -> list[int]:
    one, two = sources
    high, low = clamps(result, operator.options["fused_activation_function"])
    multiplier = ratio(f32(scale(one)) * f32(scale(two)), result)
    numbers = {"output": zero(result), "weights": zero(two), "input": zero(one)}
    return requantisation(multiplier, high, low, kind=0x1C30, **numbers)


def _logistic(operator: Operator, sources: list[Tensor], result: Tensor, layer: Any) -> list[int]:
    bound = struct.unpack("<f", bytes.fromhex("04592641"))[0]
    return requantisation(scale(sources[0]), bound, -bound, function=1, input=zero(sources[0]))


def _largest(operator: Operator, sources: list[Tensor], result: Tensor, layer: Any) -> list[int]:
    source = sources[0]
    high, low = clamps(source)
    lanes = min(64, -(-source.shape[-1] // 4) * 4)
    numbers = {"addend": -zero(source), "output": zero(source), "input": zero(source)}
    return requantisation(ratio(scale(source), source), high, low, lanes=lanes, kind=0x1C30, **numbers)


def _mean(operator: Operator, sources: list[Tensor], result: Tensor, layer: Any) -> list[int]:
    source = sources[0]
    count = math.prod(source.shape) // math.prod(result.shape)
    multiplier = ratio(f32(scale(source)) * (f32(1) / f32(count)), result)
    return requantisation(multiplier, *clamps(result), kind=0x1870, output=zero(result), weights=zero(source))


def _softmax(operator: Operator, sources: list[Tensor], result: Tensor, layer: Any) -> list[int]:
    source = sources[0]
    point, step = zero(source), f32(scale(source))
    whole = f32(f32(f32(255 - point) * step) - f32(f32(-point) * step)) / f32(255)
    least = float(f32(f32(-255) * whole) * (f32(1) / whole))
    bound = struct.unpack("<f", bytes.fromhex("0d9c50c1"))[0]
    difference = float(step * (f32(1) / whole))
    return [
        *requantisation(difference, 0.0, least, kind=0x1890, output=255, weights=1),
        FILLER,
        *requantisation(float(whole), 0.0, bound, function=5, input=255),
    ]

"""Damaged models for tests: bytes flipped, words replaced, ends cut off, and models whose parts contradict each other.

All of it is seeded: the same seed gives the same mutants.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from typing import Any

from tests.support.models import pack, unpack

WORDS = (0, 1, 2, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFC)
NUMBERS = (-(1 << 31), -129, -2, -1, 0, 1, 7, 1 << 15, (1 << 31) - 1)


def mutants(data: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """``count`` damaged copies: mostly small damage to bytes, every third one damage to the structure."""
    rng = random.Random(seed)
    for number in range(count):
        yield structured(data, rng) if number % 3 == 0 else scrambled(data, rng)


def truncated(data: bytes, steps: int = 100) -> Iterator[bytes]:
    """The file's beginning, from nothing in ``steps`` steps to all but the last one."""
    for step in range(steps):
        yield data[: len(data) * step // steps]


def scrambled(data: bytes, rng: random.Random) -> bytes:
    """A few bytes, words or stretches of the file changed, most often where tables are and not constants."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        at = _place(data, rng)
        kind = rng.randrange(5)
        if kind == 0:
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            out[at] = rng.randrange(256)
        elif kind == 2 and len(out) >= 4:
            at = min(at & ~3, len(out) - 4)
            struct.pack_into("<I", out, at, rng.choice((*WORDS, len(data), rng.randrange(len(data)))))
        elif kind == 3:
            size = rng.randrange(1, 64)
            other = _place(data, rng)
            out[at : at + size] = out[other : other + size].ljust(len(out[at : at + size]), b"\0")
        else:
            size = rng.randrange(1, 33)
            out[at : at + size] = bytes(len(out[at : at + size]))
    return bytes(out)


def _place(data: bytes, rng: random.Random) -> int:
    """Nine of ten lie in words that look like a flatbuffer's bookkeeping: small numbers and offsets."""
    at = rng.randrange(len(data))
    for _ in range(64 if rng.random() < 0.9 else 0):
        word = data[at & ~3 : (at & ~3) + 4]
        if len(word) == 4 and struct.unpack("<I", word)[0] < len(data):
            break
        at = rng.randrange(len(data))
    return at


def structured(data: bytes, rng: random.Random) -> bytes:
    """A well-formed flatbuffer that makes no sense: one to three faults of ``FAULTS``."""
    model = unpack(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        try:
            rng.choice(FAULTS)(model, rng)
        except (TypeError, AttributeError):  # an earlier fault took away what this one would change
            continue
    return pack(model)


def _tensor(model: Any, rng: random.Random) -> Any:
    return rng.choice(rng.choice(model.subgraphs).tensors)


def _operator(model: Any, rng: random.Random) -> Any:
    return rng.choice(rng.choice(model.subgraphs).operators)


def _changed(values: Any, value: int, rng: random.Random) -> list[int]:
    """The list with one entry replaced, or the value alone if there is none."""
    changed = [] if values is None else [int(v) for v in values]
    if not changed:
        return [value]
    changed[rng.randrange(len(changed))] = value
    return changed


def shape(model: Any, rng: random.Random) -> None:
    tensor = _tensor(model, rng)
    tensor.shape = _changed(tensor.shape, rng.choice(NUMBERS), rng)


def huge(model: Any, rng: random.Random) -> None:
    _tensor(model, rng).shape = [rng.choice((1 << 16, 1 << 30, (1 << 31) - 1))] * 3


def element_type(model: Any, rng: random.Random) -> None:
    _tensor(model, rng).type = rng.choice((0, 2, 4, 5, 9, 17, 22, 100, -1, 127))


def tensor_buffer(model: Any, rng: random.Random) -> None:
    count = len(model.buffers)
    _tensor(model, rng).buffer = rng.choice((0, count, count + 1000, (1 << 32) - 1, rng.randrange(count)))


def scales(model: Any, rng: random.Random) -> None:
    tensor = _tensor(model, rng)
    if tensor.quantization is not None and tensor.quantization.scale is not None:
        tensor.quantization.scale = [0.1] * rng.choice((0, 2, 3, 1000))


def zero_points(model: Any, rng: random.Random) -> None:
    tensor = _tensor(model, rng)
    if tensor.quantization is not None:
        tensor.quantization.zeroPoint = [rng.choice((-1, 0, 300, 1 << 40))] * rng.choice((0, 2, 3, 1000))


def axis(model: Any, rng: random.Random) -> None:
    tensor = _tensor(model, rng)
    if tensor.quantization is not None:
        tensor.quantization.quantizedDimension = rng.choice(NUMBERS)


def operator_input(model: Any, rng: random.Random) -> None:
    operator = _operator(model, rng)
    count = len(model.subgraphs[0].tensors)
    operator.inputs = _changed(operator.inputs, rng.choice((*NUMBERS, count, rng.randrange(count))), rng)


def operator_output(model: Any, rng: random.Random) -> None:
    operator = _operator(model, rng)
    count = len(model.subgraphs[0].tensors)
    operator.outputs = _changed(operator.outputs, rng.choice((*NUMBERS, count, rng.randrange(count))), rng)


def feeds_itself(model: Any, rng: random.Random) -> None:
    operator = _operator(model, rng)
    if operator.outputs is not None and len(operator.outputs):
        operator.inputs = _changed(operator.inputs, int(operator.outputs[0]), rng)


def cycle(model: Any, rng: random.Random) -> None:
    first, second = (_operator(model, rng) for _ in range(2))
    if second.outputs is not None and len(second.outputs):
        first.inputs = _changed(first.inputs, int(second.outputs[0]), rng)


def order(model: Any, rng: random.Random) -> None:
    rng.shuffle(model.subgraphs[0].operators)


def code(model: Any, rng: random.Random) -> None:
    _operator(model, rng).opcodeIndex = rng.choice((0, len(model.operatorCodes), 1 << 20))


def builtin(model: Any, rng: random.Random) -> None:
    entry = rng.choice(model.operatorCodes)
    entry.builtinCode, entry.version = rng.choice((-1, 0, 32, 200, 5000)), rng.choice(NUMBERS)


def graph_ends(model: Any, rng: random.Random) -> None:
    main = model.subgraphs[0]
    value = rng.choice((*NUMBERS, len(main.tensors)))
    if rng.random() < 0.5:
        main.inputs = _changed(main.inputs, value, rng)
    else:
        main.outputs = _changed(main.outputs, value, rng)


def nothing_there(model: Any, rng: random.Random) -> None:
    target = rng.choice((model, model.subgraphs[0], _tensor(model, rng), _operator(model, rng)))
    names = [name for name, value in vars(target).items() if not isinstance(value, int | float)]
    setattr(target, rng.choice(names), None)


def several_subgraphs(model: Any, rng: random.Random) -> None:
    model.subgraphs.append(model.subgraphs[0])


def twice(model: Any, rng: random.Random) -> None:
    operators = model.subgraphs[0].operators
    operators.append(rng.choice(operators))


def data_size(model: Any, rng: random.Random) -> None:
    buffer = rng.choice(model.buffers)
    buffer.data = list(bytes(rng.choice((0, 1, 3, 1000))))


def elsewhere(model: Any, rng: random.Random) -> None:
    buffer = rng.choice(model.buffers)
    buffer.data, buffer.offset, buffer.size = None, rng.choice((1, 2, 64, 1 << 40)), rng.choice((0, 16, 1 << 60))


FAULTS: tuple[Callable[[Any, random.Random], None], ...] = (
    shape,
    huge,
    element_type,
    tensor_buffer,
    scales,
    zero_points,
    axis,
    operator_input,
    operator_output,
    feeds_itself,
    cycle,
    order,
    code,
    builtin,
    graph_ends,
    nothing_there,
    several_subgraphs,
    twice,
    data_size,
    elsewhere,
)

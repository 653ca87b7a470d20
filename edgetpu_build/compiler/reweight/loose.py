"""The other constants of an instruction stream: padding and factors of ADD (immediates), scales of SOFTMAX (operands of
the scalar core).

An immediate belongs to the operator whose requantisation comes next. In front of a sum of two maps stand its two
factors, each as lower and as upper half of the immediate; in front of anything else a byte repeated four times, which
fills padding and is the zero point of the operator's input, or one of a few bit patterns that are the same in all
files. Up to 14.1 the scalar core computes SOFTMAX, with the scale (a float) and the zero point of its input in three
places each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from edgetpu_build.compiler.parameters.site import scale_of
from edgetpu_build.compiler.reweight.assign import Word
from edgetpu_build.compiler.reweight.blobs import refused
from edgetpu_build.compiler.reweight.constants import MOVE, bits, point, rationals
from edgetpu_build.compiler.reweight.graphs import Graph
from edgetpu_build.tflite.model import Tensor

PATTERNS = frozenset({1, 0x100, 0x10000, 0x1000000, 0x10001, 0x10002, 0x20001})
REPEATED = 0x01010101
SCALAR_COPIES = 3  # of the scale of a SOFTMAX, each with its zero point two words in front
Change = tuple[int, int]  # word, value
Graphs = tuple[Graph, Graph]  # old, new


def immediates(
    found: Sequence[Change], words: Sequence[Word], foreign: Sequence[int], graphs: Graphs
) -> Iterator[Change]:
    """What immediates become. ``foreign``: where words of operators that pick cells stand."""
    _zero_padding(graphs)
    stops: list[tuple[int, Word | None]] = [(at, None) for at in foreign]
    stops += [(word.found.at, word) for word in words if word.found.constants != MOVE or word.candidates]
    pending = [*found, (1 << 62, 0)]
    for stop, word in sorted(stops, key=lambda stop: stop[0]):
        window = []
        while pending[0][0] < stop:
            window.append(pending.pop(0))
        if window:
            yield from _window(window, word, graphs)
    if any(value and value not in PATTERNS for _, value in pending):
        raise refused("an immediate stands behind the last requantisation")


def _window(window: Sequence[Change], word: Word | None, graphs: Graphs) -> Iterator[Change]:
    old, _ = graphs
    operators = _operators(word, old)
    sums = [i for i in operators if word and word.found.paired and old.operators[i].kind == "ADD"]
    if sums and len(sums) == len(operators):
        yield from _factors(window, sums, graphs)
        return
    for at, value in window:
        fill = value & 0xFF
        if value in PATTERNS:
            continue
        if value != fill * REPEATED:
            raise refused(f"the immediate of word {at} is neither padding nor a factor of ADD")
        if fill == 0:
            continue
        outcomes = {point(after) for before, after in _inputs(operators, graphs) if point(before) == fill}
        if len(outcomes) != 1:
            raise refused(f"padding with {fill} in word {at} belongs to no one operator")
        yield at, outcomes.pop() * REPEATED


def _operators(word: Word | None, old: Graph) -> list[int]:
    """The operators that a word may belong to."""
    if word is None:
        return [i for i in sorted(old.mapped) if old.operators[i].kind.startswith("RESIZE")]
    return list(dict.fromkeys(operator for operator, _ in word.candidates))


def _inputs(operators: Sequence[int], graphs: Graphs) -> Iterator[tuple[Tensor, Tensor]]:
    """The first inputs of operators that pad with their zero point, as they were and as they become."""
    old, new = graphs
    for index in operators:
        before, after = old.input(index, 0), new.input(index, 0)
        if before is not None and after is not None and _pads(old, index):
            yield before, after


def _zero_padding(graphs: Graphs) -> None:
    """Padding with 0 looks like no padding: where it would become something else, nobody knows which word it is."""
    old, _ = graphs
    for index in sorted(old.mapped):
        for before, after in _inputs([index], graphs):
            if point(before) == 0 != point(after):
                raise refused(f"{old.name(index)} pads with zero point 0, which is no longer 0")


def _pads(graph: Graph, index: int) -> bool:
    """Whether an operator may read beyond the rim of its input, and finds its zero point there."""
    operator, source, weights = graph.operators[index], graph.input(index, 0), graph.input(index, 1)
    if operator.kind == "PAD" or operator.kind.startswith("RESIZE"):
        return True
    if operator.kind == "MAX_POOL_2D":
        return False
    if any(operator.inputs[0] in other.outputs and other.kind == "PAD" for other in graph.operators):
        return True
    if operator.options.get("padding") != "SAME" or source is None:
        return False
    window = weights.shape[1:3] if weights is not None and len(weights.shape) == 4 else (2, 2)
    return any(size > 1 for size in window)


def _factors(window: Sequence[Change], sums: Sequence[int], graphs: Graphs) -> Iterator[Change]:
    old, new = graphs
    before, after = {_pair(old, i) for i in sums}, {_pair(new, i) for i in sums}
    name = old.name(sums[0])
    if len(before) != 1 or len(after) != 1:
        raise refused(f"the factors of {name} could be those of another ADD")
    (mine,), (theirs,) = before, after
    if 0 in mine or 0 in theirs:
        raise refused(f"{name}: the scales of its operands are too far apart")
    if mine[0] == mine[1] and theirs[0] != theirs[1]:
        raise refused(f"{name}: its operands had one scale and now have two")
    become, counts = dict(zip(mine, theirs, strict=True)), dict.fromkeys(mine, 0)
    for at, value in window:
        if not value:
            continue
        half = 16 if value >> 16 else 0
        factor = value >> half
        if factor not in become or value != factor << half:
            raise refused(f"the immediate of word {at} is no factor of {name}")
        counts[factor] += 1
        yield at, become[factor] << half
    if len(set(counts.values())) != 1 or min(counts.values()) % 4:
        raise refused(f"the factors of {name} are not where they should be")


def _pair(graph: Graph, index: int) -> tuple[int, int]:
    first, second = graph.input(index, 0), graph.input(index, 1)
    return (0, 0) if first is None or second is None else rationals(first, second)[1]


def scalars(operands: Mapping[int, int], words: Sequence[Word], graphs: Graphs) -> Iterator[Change]:
    """What operands of the scalar core become: scales and zero points of SOFTMAX where no requantisation has them."""
    old, new = graphs
    done = {operator for word in words for operator, _ in word.candidates if word.found.function}
    softmax = [i for i in sorted(old.mapped) if old.operators[i].kind == "SOFTMAX" and i not in done]
    becomes: dict[tuple[int, int], set[tuple[int, int]]] = {}
    for index in softmax:
        becomes.setdefault(_softmax(old, index), set()).add(_softmax(new, index))
    for (scale, zero), after in becomes.items():
        many = sum(_softmax(old, index) == (scale, zero) for index in softmax)
        places = [at for at, operand in operands.items() if operand == scale]
        if len(places) != SCALAR_COPIES * many or any(operands.get(at - 2) != zero for at in places):
            raise refused("the scale and zero point of SOFTMAX are not where they should be")
        if len(after) != 1:
            raise refused("several SOFTMAX have the same input scale, and no longer will")
        ((new_scale, new_zero),) = after
        for at in places:
            yield at, new_scale
            yield at - 2, new_zero


def _softmax(graph: Graph, index: int) -> tuple[int, int]:
    source = graph.input(index, 0)
    return (0, 0) if source is None else (bits(scale_of(source)), point(source))

"""Where a model is cut into segments: as Google's ``-n`` does it, or at tensors named by the user.

Google's rule is the public greedy one (libcoral's ParameterCountBasedPartitioner): operators in depth-first order,
and a segment is closed just before its raw constant bytes would pass the average. Every cut set known in public
agrees with it. Everything here is linear in operators and tensors; a segment is a tuple of operator indices in file
order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from edgetpu_build.errors import EdgeTpuBuildError, error
from edgetpu_build.tflite.model import Subgraph

Segments = tuple[tuple[int, ...], ...]


def constant_bytes(subgraph: Subgraph) -> list[int]:
    """Raw bytes of every operator's constant inputs: weights, biases, shapes, paddings. Custom operators count nothing.

    A buffer that two operators share counts twice, an optional input left out (-1) not at all.
    """
    sizes = [0 if t.data is None else len(t.data) for t in subgraph.tensors]
    return [
        0 if op.kind == "CUSTOM" else sum(sizes[index] for index in op.inputs if index >= 0)
        for op in subgraph.operators
    ]


def consumers(subgraph: Subgraph) -> list[list[int]]:
    """Per operator, the operators that read its outputs: one entry a use, by output, then in file order."""
    uses: list[list[int]] = [[] for _ in subgraph.tensors]
    for position, op in enumerate(subgraph.operators):
        for index in op.inputs:
            if index >= 0:
                uses[index].append(position)
    return [[user for index in op.outputs for user in uses[index]] for op in subgraph.operators]


def schedule(children: Sequence[Sequence[int]]) -> list[int]:
    """Depth first: of the operators that are ready the newest comes next, those without consumers come last.

    The effect is trunk first, heads and outputs last. Operators on a cycle never become ready and are left out.
    """
    waiting = [0] * len(children)
    for users in children:
        for user in users:
            waiting[user] += 1
    ready = deque(position for position, count in enumerate(waiting) if not count)
    order = []
    while ready:
        position = ready.pop()
        order.append(position)
        for user in children[position]:
            waiting[user] -= 1
            if not waiting[user]:
                (ready.append if children[user] else ready.appendleft)(user)
    return order


def by_parameters(subgraph: Subgraph, count: int) -> Segments:
    """The cuts of ``-n count``. ETB311 where Google's compiler cannot cut either, with the count that works."""
    try:
        return _greedy(subgraph, count)
    except EdgeTpuBuildError as problem:
        best = max((n for n in range(2, count) if _works(subgraph, n)), default=1)
        hint = f"set `segments` to at most {best}" if best > 1 else "compile it whole"
        raise EdgeTpuBuildError(
            *(d.at(hint=f"{hint}, or name the tensors in `cuts`") for d in problem.diagnostics)
        ) from None


def _works(subgraph: Subgraph, count: int) -> bool:
    try:
        _greedy(subgraph, count)
    except EdgeTpuBuildError:
        return False
    return True


def _greedy(subgraph: Subgraph, count: int) -> Segments:
    children, sizes = consumers(subgraph), constant_bytes(subgraph)
    order = schedule(children)
    first_output = next((place for place, position in enumerate(order) if not children[position]), len(order))
    average = sum(sizes) // count + 1
    segments, start = [], 0
    for number in range(count - 1):
        last = first_output - (count - number - 1)  # one operator stays for each later segment
        end, held = start, 0
        while end <= last and held + sizes[order[end]] <= average:
            held += sizes[order[end]]
            end += 1
        if end == start:
            why = _why_empty(subgraph, order[start] if start <= last else -1, average)
            raise error("ETB311", f"cannot be cut into {count} segments: segment {number} would be empty, since {why}")
        segments.append(tuple(sorted(order[start:end])))
        start = end
    return (*segments, tuple(sorted(order[start:])))


def _why_empty(subgraph: Subgraph, position: int, average: int) -> str:
    if position < 0:
        return "an output comes before that many operators have run"
    size, kind = constant_bytes(subgraph)[position], subgraph.operators[position].kind
    return f"operator {position} ({kind}) alone holds {size} B of constants, more than the average of {average} B"


def by_tensors(subgraph: Subgraph, names: Sequence[str]) -> Segments:
    """One cut after each named tensor: a segment is all that the tensor needs and no earlier segment holds.

    Names may stand in any order; they are taken in the order in which the model computes them. ETB310 for a name that
    no operator computes, ETB311 where a segment would be empty.
    """
    makers = {index: position for position, op in enumerate(subgraph.operators) for index in op.outputs}
    named = {subgraph.tensors[index].name: position for index, position in makers.items()}
    missing = [name for name in names if name not in named]
    if missing:
        raise error("ETB310", f"cannot cut at `{missing[0]}`: no operator computes a tensor of this name", key="cuts")
    taken: set[int] = set()
    segments = []
    ordered = sorted(dict.fromkeys(names), key=named.__getitem__)
    for name in ordered:
        segment = _needed(subgraph, named[name], makers, taken)
        if not segment:
            raise error("ETB311", f"cannot cut at `{name}`: an earlier cut already holds all that it needs", key="cuts")
        taken |= segment
        segments.append(tuple(sorted(segment)))
    rest = tuple(position for position in range(len(subgraph.operators)) if position not in taken)
    if not rest:
        raise error("ETB311", f"cannot cut at `{ordered[-1]}`: no operator is left behind it", key="cuts")
    return (*segments, rest)


def _needed(subgraph: Subgraph, position: int, makers: dict[int, int], taken: set[int]) -> set[int]:
    found: set[int] = set()
    todo = [position]
    while todo:
        place = todo.pop()
        if place in found or place in taken:
            continue
        found.add(place)
        todo += [makers[index] for index in subgraph.operators[place].inputs if index in makers]
    return found

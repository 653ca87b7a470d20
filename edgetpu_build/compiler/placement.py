"""Which operators become an Edge TPU operator, and for each other one the reason.

Every operator is first tested alone (``chip.rules``). Then the graph falls into epochs: all operators of one sort
(able or unable) that can run before one of the other sort must. The first epoch of able operators becomes the Edge TPU
operator; with several subgraphs allowed, every one does. It is never the largest that is taken, and an able operator
after an unable one in the file still comes along if it does not depend on it. This is how TensorFlow Lite divides a
graph for its delegates, and all public compiles agree with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from edgetpu_build.chip.case import case
from edgetpu_build.chip.generations import Generation
from edgetpu_build.chip.rules import FOLLOWS, STOPPED, broken
from edgetpu_build.chip.rules.rule import MAPPED, Finding
from edgetpu_build.compiler.interface import OperatorResult
from edgetpu_build.errors import error
from edgetpu_build.tflite.model import Subgraph

GAINS_SHOWN = 8  # blockers whose gain is computed; each costs one pass over the graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """``operators``: one each, in file order. ``partitions``: each an Edge TPU operator, its indices in file order."""

    operators: tuple[OperatorResult, ...]
    partitions: tuple[tuple[int, ...], ...]

    @property
    def mapped(self) -> int:
        """How many operators run on the Edge TPU."""
        return sum(map(len, self.partitions))


def place(
    subgraph: Subgraph,
    *,
    generation: Generation,
    min_runtime_version: int = 14,
    multiple_subgraphs: bool = False,
    stop_at: Collection[int] = (),
) -> Placement:
    """Decides for every operator. ``stop_at``: operators that must stay on the CPU, as must all that depend on them.

    Raises ETB302 where the operators depend on each other in a circle.
    """
    runtime = generation.rules_for(min_runtime_version)
    graph = _Graph.of(subgraph)
    stopped = graph.behind(stop_at)
    findings = [tuple(broken(case(subgraph, i, generation, runtime))) for i in range(len(subgraph.operators))]
    able = [not found and not stopped[i] for i, found in enumerate(findings)]
    epochs = graph.epochs(able)
    partitions = _partitions(able, epochs, every=multiple_subgraphs)
    inside = {index for partition in partitions for index in partition}
    blockers = graph.blockers(able, epochs)
    results = [
        _mapped(subgraph, i)
        if i in inside
        else _left(subgraph, i, findings[i], stopped=stopped[i], blocker=blockers[i])
        for i in range(len(findings))
    ]
    if not multiple_subgraphs:
        _tell_gains(results, graph, able, len(inside))
    return Placement(operators=tuple(results), partitions=partitions)


def consumers(subgraph: Subgraph, tensors: Iterable[str]) -> frozenset[int]:
    """The operators that read the named tensors, at which `-i` wants mapping to stop; ETB310 for an unknown name."""
    numbers: dict[str, int] = {tensor.name: i for i, tensor in enumerate(subgraph.tensors)}
    wanted = set()
    for name in tensors:
        if name not in numbers:
            raise error(
                "ETB310", f"no tensor is called `{name}`", hint=_near(name, subgraph), key="intermediate-tensors"
            )
        wanted.add(numbers[name])
    return frozenset(i for i, operator in enumerate(subgraph.operators) if wanted.intersection(operator.inputs))


def _near(name: str, subgraph: Subgraph) -> str:
    from difflib import get_close_matches

    made = {t for operator in subgraph.operators for t in operator.outputs if t >= 0}
    near = get_close_matches(name, [subgraph.tensors[t].name for t in sorted(made)], n=1, cutoff=0.5)
    return f"did you mean `{near[0]}`" if near else "`edgetpu-build inspect` lists the tensors"


def _partitions(able: list[bool], epochs: list[int], *, every: bool) -> tuple[tuple[int, ...], ...]:
    groups: dict[int, list[int]] = {}
    for index, epoch in enumerate(epochs):
        if able[index]:
            groups.setdefault(epoch, []).append(index)
    ordered = [tuple(groups[epoch]) for epoch in sorted(groups)]
    return tuple(ordered if every else ordered[:1])


def _mapped(subgraph: Subgraph, index: int) -> OperatorResult:
    return OperatorResult(index=index, name=subgraph.operators[index].kind, target="edgetpu", status=MAPPED)


def _left(subgraph: Subgraph, index: int, found: tuple[Finding, ...], *, stopped: bool, blocker: int) -> OperatorResult:
    left = OperatorResult(index=index, name=subgraph.operators[index].kind, target="cpu")
    if found:
        return replace(left, rule=found[0].rule, status=found[0].status, reason=_reason(found), hint=found[0].hint)
    if stopped:
        reason = "it comes after the tensors at which mapping was asked to stop"
        return replace(left, rule=STOPPED.id, status=STOPPED.status, reason=reason)
    reason = f"it runs after operator {blocker} ({subgraph.operators[blocker].kind}), which stays on the CPU"
    hint = f"solve operator {blocker} first, or allow `multiple-subgraphs`"
    return replace(left, rule=FOLLOWS.id, status=FOLLOWS.status, reason=reason, hint=hint, follows=blocker)


def _reason(found: tuple[Finding, ...]) -> str:
    """Of the rule that decides, and which others would decide next: mending one alone may not be enough."""
    others = [finding.rule for finding in found if finding.status != found[0].status]
    return found[0].reason + (f"; it also breaks {', '.join(f'`{rule}`' for rule in others)}" if others else "")


def _tell_gains(results: list[OperatorResult], graph: _Graph, able: list[bool], now: int) -> None:
    """Says of the first few blockers how many operators each keeps from the Edge TPU, itself included."""
    blockers = dict.fromkeys(result.follows for result in results if result.follows >= 0)
    for blocker in list(blockers)[:GAINS_SHOWN]:
        changed = [*able[:blocker], True, *able[blocker + 1 :]]
        gain = len(_partitions(changed, graph.epochs(changed), every=False)[0]) - now
        if gain > 0:
            told = f"{results[blocker].reason}; mapping it would bring {gain} more to the Edge TPU"
            results[blocker] = replace(results[blocker], reason=told)


@dataclass(frozen=True, slots=True)
class _Graph:
    """Who needs whose results. ``order`` runs producers before consumers; ``producers`` may name one twice."""

    producers: list[list[int]]
    order: list[int]

    @classmethod
    def of(cls, subgraph: Subgraph) -> _Graph:
        made_by = {t: i for i, operator in enumerate(subgraph.operators) for t in operator.outputs if t >= 0}
        producers = [[made_by[t] for t in operator.inputs if t in made_by] for operator in subgraph.operators]
        return cls(producers, _sorted(producers))

    def behind(self, stop_at: Collection[int]) -> list[bool]:
        """Whether an operator is one of these or depends on one."""
        stopped = [False] * len(self.producers)
        for index in self.order if stop_at else ():
            stopped[index] = index in stop_at or any(stopped[p] for p in self.producers[index])
        return stopped

    def epochs(self, able: list[bool]) -> list[int]:
        """The number of each operator's epoch. Even ones are of the sort of the first operator that can run."""
        first = next((able[i] for i, producers in enumerate(self.producers) if not producers), True)
        epochs = [0] * len(able)
        for index in self.order:
            sort = able[index]
            epoch = int(sort != first)
            for producer in self.producers[index]:
                epoch = max(epoch, epochs[producer] + (able[producer] != sort))
            epochs[index] = epoch
        return epochs

    def blockers(self, able: list[bool], epochs: list[int]) -> list[int]:
        """The first unable operator, in file order, that keeps each able one out of the first epoch, else -1."""
        mapped = min((epoch for epoch, is_able in zip(epochs, able, strict=True) if is_able), default=0)
        none = len(able)
        blockers = [none] * none
        for index in self.order:
            earlier = min((blockers[p] for p in self.producers[index]), default=none)
            itself = index if not able[index] and epochs[index] > mapped else none
            blockers[index] = min(earlier, itself)
        return [b if able[i] and b < none else -1 for i, b in enumerate(blockers)]


def _sorted(producers: list[list[int]]) -> list[int]:
    waiting = [len(needed) for needed in producers]
    consumers: list[list[int]] = [[] for _ in producers]
    for index, needed in enumerate(producers):
        for producer in needed:
            consumers[producer].append(index)
    order = [index for index, count in enumerate(waiting) if not count]
    for index in order:
        for consumer in consumers[index]:
            waiting[consumer] -= 1
            if not waiting[consumer]:
                order.append(consumer)
    if len(order) < len(producers):
        stuck = next(index for index, count in enumerate(waiting) if count)
        raise error("ETB302", f"operator {stuck} needs its own result")
    return order

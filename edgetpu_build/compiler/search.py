"""The delegate search (``-d``): compile fewer and fewer operators until a try succeeds.

Each try leaves the last ``step`` operators of the one before on the CPU. What "succeeds" means is the caller's
business; the tries are kept, since Google's compiler prints each.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from edgetpu_build.compiler.text import Attempt
from edgetpu_build.errors import Diagnostic, EdgeTpuBuildError
from edgetpu_build.tflite.model import Subgraph

T = TypeVar("T")
Try = Callable[[frozenset[int]], tuple[T, str]]


class VainSearchError(EdgeTpuBuildError):
    """No try succeeded. ``attempts``: every try, in order, as Google's compiler prints them."""

    def __init__(self, *diagnostics: Diagnostic, attempts: tuple[Attempt, ...] = ()) -> None:
        super().__init__(*diagnostics)
        self.attempts = attempts

    def __reduce__(self) -> tuple[partial[VainSearchError], tuple[Diagnostic, ...]]:  # type: ignore[override]
        return partial(type(self), attempts=self.attempts), self.diagnostics


def search(subgraph: Subgraph, step: int, attempt: Try[T]) -> tuple[T, tuple[Attempt, ...]]:
    """The first success and all tries. ``attempt`` is told the operators to leave on the CPU, and answers (result,
    why it failed).

    Raises ETB312, as a VainSearchError, if not even a single operator can be compiled.
    """
    total = len(subgraph.operators)
    tries: list[Attempt] = []
    for count in range(total, 0, -step):
        result, reason = attempt(frozenset(range(count, total)))
        names = crossing(subgraph, count) if count < total else ()
        tries.append(Attempt(operators=count, intermediate_tensors=names, failed=bool(reason), reason=reason))
        if not reason:
            return result, tuple(tries)
    told = f"the delegate search found nothing to compile in {len(tries)} tries of step {step}"
    hint = tries[-1].reason if tries else "the model has no operators"
    raise VainSearchError(Diagnostic(code="ETB312", message=told, hint=hint), attempts=tuple(tries))


def crossing(subgraph: Subgraph, count: int) -> tuple[str, ...]:
    """Names of the tensors that the first ``count`` operators make for the others, in file order."""
    made = (tensor for op in subgraph.operators[:count] for tensor in op.outputs)
    wanted = {tensor for op in subgraph.operators[count:] for tensor in op.inputs}
    return tuple(subgraph.tensors[tensor].name for tensor in made if tensor in wanted)

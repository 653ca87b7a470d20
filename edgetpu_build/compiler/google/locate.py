"""The operator at which a compile fails: by our own estimate of activation memory, or by trying with the program.

Both bisect over the number of operators, in file order, that are compiled. The program's own answer is not monotonic in
every model, so what is found is one such operator, not the only one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from edgetpu_build.compiler import activation
from edgetpu_build.compiler.activation import WORTH_A_WARNING, Activation
from edgetpu_build.compiler.forecast import predict
from edgetpu_build.compiler.interface import Options
from edgetpu_build.errors import Diagnostic
from edgetpu_build.tflite import surgery
from edgetpu_build.tflite.model import Model
from edgetpu_build.units import format_size


def smallest_failing(count: int, fails: Callable[[int], bool]) -> int:
    """The smallest number of operators, up to ``count`` (which fails), that fails by bisection."""
    works, fails_at = 0, count
    while fails_at - works > 1:
        middle = (works + fails_at) // 2
        if fails(middle):
            fails_at = middle
        else:
            works = middle
    return fails_at


def suspect(model: Model, options: Options) -> Diagnostic | None:
    """The operator with which activation memory becomes too large for a tile, as far as we can estimate it."""
    total = len(model.main.operators)

    def needs(count: int) -> Activation | None:
        left_out = frozenset(range(count, total))
        (found,) = predict([model], replace(options, segments=1, cuts=()), stop_at=left_out)
        return max(found.activations, key=activation.likelihood, default=None)

    def fails(count: int) -> bool:
        need = needs(count)
        return need is not None and activation.likelihood(need) >= WORTH_A_WARNING

    if not total or not fails(total):
        return None
    count = smallest_failing(total, fails)
    need, operator = needs(count), model.main.operators[count - 1]
    largest = ", ".join(
        f"`{model.main.tensors[tensor].name}` ({format_size(size)} a tile)"
        for tensor, size in (need.largest if need else ())[:2]
    )
    message = (
        f"activation memory becomes too large at operator {count - 1} ({operator.kind}), by our estimate; the largest "
        f"tensors are {largest}"
    )
    hint = f"a smaller input, or `intermediate-tensors` before operator {count - 1}, or `search-delegate = true`"
    return Diagnostic(code="ETB312", message=message, hint=hint)


def first(model: Model, count: int) -> bytes:
    """A model of the first ``count`` operators, to be compiled alone."""
    operators = tuple(range(count))
    inputs, outputs = surgery.boundary(model.main, operators)
    return surgery.extract(model, operators, inputs, outputs)

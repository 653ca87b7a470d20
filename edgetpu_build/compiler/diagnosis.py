"""Whole-model findings, told before anything is mapped: what stops a compile, and what leaves it with nothing to map.

Google's compiler says "Internal compiler error", or nothing, where these name the tensor, the operator and the setting
of the converter that avoids it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator

from edgetpu_build.chip.case import EIGHT_BIT
from edgetpu_build.chip.generations import LATEST, Generation
from edgetpu_build.chip.operators import CONVERTER_ADVICE, UNKNOWN_KINDS, highest_version
from edgetpu_build.compiler import scales
from edgetpu_build.compiler.artifact import CUSTOM_OPERATOR
from edgetpu_build.compiler.interface import OperatorResult
from edgetpu_build.errors import Diagnostic, EdgeTpuBuildError, warning
from edgetpu_build.tflite.model import Model, Operator, Subgraph, Tensor

COMPILED_OPERATORS = ("edgetpu-custom-op", CUSTOM_OPERATOR)
KNOWN_CUSTOM_OPERATORS = ("TFLite_Detection_PostProcess", "PosenetDecoderOp")
"""Custom operators of CPU parts in files that Google's compiler wrote; others are refused when it loads the model."""

TENSOR_BYTES = 2 << 30  # TensorFlow Lite counts bytes in 32 bits with a sign
NAMES_SHOWN = 5

_FULL_INTEGER = (
    "quantise fully: `converter.optimizations = [tf.lite.Optimize.DEFAULT]`, a `representative_dataset`, and "
    "`target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]`"
)
_SIZES = {"INT8": 1, "UINT8": 1, "BOOL": 1, "INT16": 2, "UINT16": 2, "FLOAT16": 2, "INT64": 8, "UINT64": 8}


def examine(model: Model, label: str, *, generation: Generation = LATEST) -> tuple[Diagnostic, ...]:
    """Warnings about a model that can be compiled; raises every reason why one cannot.

    These are ETB302, 304, 305, 306 (float, before 16.0), 307, 309, 318 and 319.
    ``label`` is what messages call the file. A float model compiles with 16.0 (to nothing on the Edge TPU, hence the
    warning) and is refused by older compilers.
    """
    graph = model.main
    found = [
        *_already_compiled(graph),
        *_several_subgraphs(model),
        *_too_new(graph, generation),
        *_unknown_custom(graph),
        *_dynamic(graph),
        *_too_large(graph),
        *_not_quantised(graph, generation),
        *scales.unusable(graph),
    ]
    found = [diagnostic.at(file=label) for diagnostic in found]
    errors = [diagnostic for diagnostic in found if diagnostic.severity == "error"]
    if errors:
        raise EdgeTpuBuildError(*errors)
    return tuple(found)


def nothing_mapped(operators: Iterable[OperatorResult], label: str) -> Diagnostic | None:
    """The warning (ETB308) for a placement that leaves every operator on the CPU, with the commonest reason."""
    found = list(operators)
    if any(operator.target == "edgetpu" for operator in found):
        return None
    if not found:
        return warning("ETB308", "the model has no operators", file=label)
    rule, count = Counter(operator.rule for operator in found).most_common(1)[0]
    first = next(operator for operator in found if operator.rule == rule)
    message = f"none of {len(found)} operators goes to the Edge TPU: {count} because of rule `{rule}` ({first.reason})"
    return warning("ETB308", message, first.hint, file=label, rule=rule)


def _error(code: str, message: str, hint: str) -> Diagnostic:
    return Diagnostic(code=code, message=message, hint=hint)


def _already_compiled(graph: Subgraph) -> Iterator[Diagnostic]:
    for index, operator in enumerate(graph.operators):
        if operator.custom_code in COMPILED_OPERATORS:
            message = f"operator {index} is `{operator.custom_code}`: the model is compiled already"
            yield _error("ETB304", message, "compile the original that it was made from")
            return


def _several_subgraphs(model: Model) -> Iterator[Diagnostic]:
    count = len(model.subgraphs)
    if count == 1:
        return
    control = sorted({o.kind for o in model.main.operators if o.kind in ("IF", "WHILE", "CALL_ONCE", "CALL")})
    left_by = f" for {', '.join(control)}" if control else ""
    hint = "export the model without control flow: unroll loops and fix recurrent layers to a number of steps"
    yield _error("ETB305", f"the model has {count} subgraphs{left_by}, and one is allowed", hint)


def _too_new(graph: Subgraph, generation: Generation) -> Iterator[Diagnostic]:
    told = set()
    for index, operator in enumerate(graph.operators):
        key = (operator.kind, operator.version)
        if key in told:
            continue
        told.add(key)
        limit = highest_version(operator.kind, generation)
        if operator.kind in UNKNOWN_KINDS:
            message = f"operator {index} is {operator.kind}, which compiler {generation.name} does not know"
            yield _error("ETB309", message, CONVERTER_ADVICE.get(operator.kind, "use an older operator instead"))
        elif limit is not None and operator.version > limit:
            message = (
                f"operator {index} ({operator.kind}) has version {operator.version}, the highest that compiler "
                f"{generation.name} loads is {limit}; one such operator fails the whole model"
            )
            advice = CONVERTER_ADVICE.get(operator.kind, "convert with an older TensorFlow (2.5 to 2.8)")
            yield _error("ETB309", message, advice)


def _unknown_custom(graph: Subgraph) -> Iterator[Diagnostic]:
    for index, operator in enumerate(graph.operators):
        name = operator.custom_code
        if operator.kind != "CUSTOM" or name in KNOWN_CUSTOM_OPERATORS or name in COMPILED_OPERATORS:
            continue
        hint = f"leave it to the application; the compiler knows {' and '.join(KNOWN_CUSTOM_OPERATORS)}"
        if name.startswith("Flex"):
            hint = "convert without `tf.lite.OpsSet.SELECT_TF_OPS`"
        yield _error(
            "ETB318", f"operator {index} is the custom operator `{name}`, which the compiler cannot load", hint
        )
        return


def _dynamic(graph: Subgraph) -> Iterator[Diagnostic]:
    for number in _used(graph):
        tensor = graph.tensors[number]
        if all(size >= 0 for size in tensor.shape):
            continue
        shape = "x".join(map(str, tensor.shape))
        message = f"the shape of `{tensor.name}` is {shape} and must be fixed; {_origin(graph, number)}"
        hint = "convert with a fixed input: `tf.function(model).get_concrete_function(tf.TensorSpec([1, ...]))`"
        yield _error("ETB307", message, hint)
        return


def _too_large(graph: Subgraph) -> Iterator[Diagnostic]:
    for number in _used(graph):
        tensor = graph.tensors[number]
        size = math.prod(map(abs, tensor.shape)) * _SIZES.get(tensor.type, 4)
        if size >= TENSOR_BYTES:
            shape = "x".join(map(str, tensor.shape))
            message = f"`{tensor.name}` of shape {shape} takes {size:,} bytes, allowed are less than {TENSOR_BYTES:,}"
            yield _error("ETB302", message, "export the model again, for a smaller input")
            return


def _not_quantised(graph: Subgraph, generation: Generation) -> Iterator[Diagnostic]:
    """Float tensors that an operator computes, other than by DEQUANTIZE at the end of a quantised model."""
    computed = [(i, t) for i, o in enumerate(graph.operators) for t in o.outputs if t >= 0]
    left = [
        (i, t)
        for i, t in computed
        if graph.tensors[t].type not in EIGHT_BIT and not _belongs_on_the_cpu(graph.operators[i], graph.tensors[t])
    ]
    if not left:
        return
    whole = not any(graph.tensors[t].type in EIGHT_BIT for _, t in computed)
    names = ", ".join(f"`{graph.tensors[t].name}`" for _, t in left[:NAMES_SHOWN])
    more = f" and {len(left) - NAMES_SHOWN} more" if len(left) > NAMES_SHOWN else ""
    amount = "no tensor is 8-bit" if whole else f"{len(left)} of {len(computed)} computed tensors are not 8-bit"
    cause, hint = _cause(graph, *left[0])
    message = f"the model is not {'' if whole else 'fully '}quantised: {amount} ({names}{more}); {cause}"
    refused = whole and not generation.supervised
    yield Diagnostic(code="ETB306", message=message, hint=hint, severity="error" if refused else "warning")


def _belongs_on_the_cpu(operator: Operator, tensor: Tensor) -> bool:
    """Whether a quantised model may compute this beside its 8-bit part: indices, shapes, the tail of a detector."""
    if operator.kind in ("DEQUANTIZE", "CAST", "CUSTOM"):
        return True
    return not tensor.type.startswith("FLOAT") and tensor.type != "INT16"


def _cause(graph: Subgraph, index: int, number: int) -> tuple[str, str]:
    """What left a tensor unquantised, and the way out."""
    operator, tensor = graph.operators[index], graph.tensors[number]
    maker = f"`{tensor.name}` is {tensor.type} because operator {index} ({operator.kind})"
    inputs = [graph.tensors[t] for t in operator.inputs if t >= 0]
    constants = {t.type for t in inputs if t.data is not None and t.type not in ("INT32", "INT64")}
    if tensor.type == "INT16":
        return f"{maker} was quantised with 16-bit activations", _FULL_INTEGER
    if constants & set(EIGHT_BIT):
        return f"{maker} has 8-bit weights only (dynamic-range quantisation)", _FULL_INTEGER
    if "FLOAT16" in constants or any(_made_by(graph, t) == "DEQUANTIZE" for t in operator.inputs if t >= 0):
        return f"{maker} computes on a dequantised tensor", _FULL_INTEGER
    return f"{maker} was never quantised", _FULL_INTEGER


def _used(graph: Subgraph) -> list[int]:
    """Tensors that matter, in the order of the file: read or made by an operator, fed to the model, or given by it."""
    ends = {t for operator in graph.operators for t in (*operator.inputs, *operator.outputs)}
    return sorted(t for t in ends.union(graph.inputs, graph.outputs) if t >= 0)


def _origin(graph: Subgraph, number: int) -> str:
    maker = next((i for i, o in enumerate(graph.operators) if number in o.outputs), -1)
    if maker < 0:
        return "it is an input of the model" if number in graph.inputs else "nothing makes it"
    return f"operator {maker} ({graph.operators[maker].kind}) makes it"


def _made_by(graph: Subgraph, number: int) -> str:
    return next((o.kind for o in graph.operators if number in o.outputs), "")

"""What is in a .tflite file: a model and what compiling it would come to, or a compiled file and the packages in it.

Google's files and the builtin compiler's alike. Figures of a compiled file are read from it and so exact; those of a
model are the forecast of the builtin compiler.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from edgetpu_build.compiler.artifact import CUSTOM_OPERATOR, Program, program
from edgetpu_build.compiler.interface import LayerResult, OperatorResult, Options, Target
from edgetpu_build.compiler.package import Layer, Package, decode
from edgetpu_build.errors import Diagnostic, EdgeTpuBuildError
from edgetpu_build.figure import UNKNOWN, Figure, Figures, exact
from edgetpu_build.tflite.model import Model, Operator, Subgraph, Tensor
from edgetpu_build.tflite.reader import read

TARGETS: Mapping[str, Target] = {"edgetpu-custom-op": "edgetpu", CUSTOM_OPERATOR: "simulator"}
"""Custom operator -> what runs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """An Edge TPU operator of a compiled file: ``index`` in the file, ``size`` of its custom options in bytes.

    ``program``: what the simulated device runs; None for silicon, whose instructions nobody reads.
    """

    index: int
    custom_code: str
    size: int
    package: Package
    program: Program | None = None

    @property
    def layers(self) -> tuple[LayerResult, ...]:
        """Parameter memory by operator of the program (``index``: in it); none for silicon."""
        return tuple(_layers(self.program)) if self.program else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """One file. ``target`` is empty for a model that was not compiled.

    ``operators`` and ``layers``: of the file itself; for a model that was not compiled, as builtin would place them.
    ``appended``: bytes behind the flatbuffer (a zip of labels, say). ``warnings``: what is in the way of compiling it.
    """

    label: str
    size: int
    model: Model
    target: Target | Literal[""] = ""
    compiled: tuple[Compiled, ...] = ()
    operators: tuple[OperatorResult, ...] = ()
    layers: tuple[LayerResult, ...] = ()
    figures: Figures
    warnings: tuple[Diagnostic, ...] = ()

    @property
    def appended(self) -> int:
        return self.size - self.model.flatbuffer_size

    @property
    def kinds(self) -> Counter[str]:
        """How many operators of each kind; custom ones by their code."""
        return Counter(operator.name for operator in self.operators)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing in which two files differ, as text; "" where a side does not have it."""

    what: str
    before: str
    after: str


def inspect(data: bytes, *, label: str = "", options: Options | None = None) -> Inspection:
    """What is in a file's bytes. ``options``: what a forecast assumes. ETB301, ETB302 or ETB303 if it is no model."""
    model = read(data, label=label)
    found = tuple(_packages(model.main)) if model.subgraphs else ()
    if found:
        return _of_compiled(model, found, label, len(data))
    return _of_model(model, label, len(data), options or Options())


def differences(before: Inspection, after: Inspection) -> tuple[Difference, ...]:
    """Everything that can be told of both files and is not the same."""
    first, second = _facts(before), _facts(after)
    names = [*first, *(name for name in second if name not in first)]
    pairs = ((name, first.get(name, ""), second.get(name, "")) for name in names)
    return tuple(Difference(what=name, before=old, after=new) for name, old, new in pairs if old != new)


def shared_tokens(files: Iterable[Inspection]) -> dict[int, tuple[str, ...]]:
    """Caching tokens that several files have, and those files: they keep their parameters on the chip side by side."""
    users: dict[int, dict[str, None]] = {}
    for found in files:
        for executable in (e for compiled in found.compiled for e in compiled.package.executables if e.token):
            users.setdefault(executable.token, {})[found.label] = None
    return {token: tuple(labels) for token, labels in users.items() if len(labels) > 1}


def shape(tensor: Tensor) -> str:
    """ "1x224x224x3"."""
    return "x".join(map(str, tensor.shape)) or "scalar"


def quantization(tensor: Tensor) -> str:
    """ "scale 0.0078, zero point 128", or nothing."""
    found = tensor.quantization
    if not found or not found.scale:
        return ""
    if len(found.scale) > 1:
        return f"{len(found.scale)} scales along dimension {found.axis}"
    return f"scale {found.scale[0]:.6g}, zero point {found.zero_point[0] if found.zero_point else 0}"


def _packages(subgraph: Subgraph) -> Iterator[Compiled]:
    for index, operator in enumerate(subgraph.operators):
        if operator.custom_code in TARGETS:
            options = operator.custom_options or b""
            package = decode(options)
            yield Compiled(
                index=index,
                custom_code=operator.custom_code,
                size=len(options),
                package=package,
                program=_program(package) if operator.custom_code == CUSTOM_OPERATOR else None,
            )


def _program(package: Package) -> Program | None:
    runs = (e for e in package.executables if e.type != "PARAMETER_CACHING" and e.instructions)
    return next((program(e.instructions[0]) for e in runs), None)


def _layers(found: Program) -> Iterator[LayerResult]:
    """Constants of one operator share a place in a blob, which is one layer."""
    users = {t: i for i, op in reversed(list(enumerate(found.model.main.operators))) for t in op.inputs}
    places = {(r.blob, r.offset): r for r in found.relocations}
    for place in sorted(places.values(), key=lambda r: users[r.tensor]):
        index = users[place.tensor]
        yield LayerResult(
            index=index,
            name=_name(found.model.main.operators[index]),
            bytes=place.size,
            placement=place.blob,
            reason="read from the file",
        )


def _of_compiled(model: Model, found: tuple[Compiled, ...], label: str, size: int) -> Inspection:
    inside = {compiled.index for compiled in found}
    operators = tuple(
        OperatorResult(index=i, name=_name(operator), target="edgetpu" if i in inside else "cpu")
        for i, operator in enumerate(model.main.operators)
    )
    streamed = exact(sum(c.package.streamed_bytes for c in found))
    figures = Figures(
        off_chip=streamed,
        cached_bytes=exact(sum(c.package.cached_bytes for c in found)),
        streamed_bytes=streamed,
        edgetpu_operators=_inside(found),
        cpu_operators=exact(len(operators) - len(found)),
        subgraphs=exact(len(found)),
        runtime_version=exact(max(c.package.min_runtime_version for c in found)),
    )
    target = TARGETS[found[0].custom_code]
    return Inspection(
        label=label,
        size=size,
        model=model,
        target=target,
        compiled=found,
        operators=operators,
        layers=tuple(layer for compiled in found for layer in compiled.layers),
        figures=figures,
    )


def _inside(found: tuple[Compiled, ...]) -> Figure:
    """Operators of the original that the Edge TPU runs: only the simulated device's program tells."""
    programs = [compiled.program for compiled in found]
    if not all(programs):
        return UNKNOWN
    return exact(sum(len(p.model.main.operators) for p in programs if p))


def _of_model(model: Model, label: str, size: int, options: Options) -> Inspection:
    from edgetpu_build.chip.generations import generation
    from edgetpu_build.compiler import diagnosis
    from edgetpu_build.compiler.forecast import predict

    try:
        warnings = diagnosis.examine(model, label, generation=generation(options.generation))
        (forecast,) = predict([model], options)
    except EdgeTpuBuildError as problem:
        return _not_to_be_compiled(model, label, size, problem.diagnostics)
    nothing = diagnosis.nothing_mapped(forecast.placement.operators, label)
    return Inspection(
        label=label,
        size=size,
        model=model,
        operators=forecast.placement.operators,
        layers=forecast.layers,
        figures=forecast.figures,
        warnings=(*warnings, *forecast.warnings, *([nothing] if nothing else [])),
    )


def _not_to_be_compiled(model: Model, label: str, size: int, why: tuple[Diagnostic, ...]) -> Inspection:
    reason = "; ".join(d.message for d in why)
    operators = model.main.operators if model.subgraphs else ()
    return Inspection(
        label=label,
        size=size,
        model=model,
        figures=Figures(),
        operators=tuple(
            OperatorResult(index=i, name=_name(operator), target="cpu", reason=reason)
            for i, operator in enumerate(operators)
        ),
        warnings=tuple(replace(d, severity="warning") for d in why),
    )


def _name(operator: Operator) -> str:
    return operator.custom_code or operator.kind


def _facts(found: Inspection) -> dict[str, str]:
    """What two files are compared by, in the order in which it is told."""
    facts = {"size": f"{found.size} B", "made for": found.target or "not compiled"}
    facts |= {"schema version": str(found.model.version), "description": found.model.description}
    for name, sides in (("input", _ends(found, "inputs")), ("output", _ends(found, "outputs"))):
        facts |= {f"{name} {i}": side for i, side in enumerate(sides)}
    facts |= {f"operators {kind}": str(count) for kind, count in sorted(found.kinds.items())}
    facts |= {f"{o.index} {o.name}": _where(o) for o in found.operators if o.target == "cpu"}
    facts |= {f"{layer.index} {layer.name} parameters": f"{layer.bytes} B {layer.placement}" for layer in found.layers}
    for number, compiled in enumerate(found.compiled):
        facts |= {
            f"Edge TPU operator {number}: {key}": value for key, value in _package_facts(compiled.package).items()
        }
    facts["appended bytes"] = str(found.appended)
    facts["metadata"] = ", ".join(name for name, _ in found.model.metadata)
    return facts


def _package_facts(package: Package) -> dict[str, str]:
    from hashlib import sha256

    facts = {
        "runtime version": str(package.min_runtime_version),
        "compiler": package.compiler_version,
        "cached": f"{package.cached_bytes} B",
        "streamed": f"{package.streamed_bytes} B",
    }
    for executable in package.executables:
        facts[f"{executable.type} token"] = token(executable.token)
        facts[f"{executable.type} parameters"] = sha256(executable.parameters).hexdigest()[:16]
        facts[f"{executable.type} instructions"] = f"{sum(map(len, executable.instructions))} B"
        facts[f"{executable.type} estimated cycles"] = str(executable.estimated_cycles or "not told")
        for side, layers in (("input", executable.inputs), ("output", executable.outputs)):
            facts |= {f"{executable.type} {side} {i}": layer_text(layer) for i, layer in enumerate(layers)}
    return facts


def layer_text(layer: Layer) -> str:
    """An input or output of the chip: shape, type and the bytes that it takes there."""
    quantization = f", scale {layer.scale:.6g}, zero point {layer.zero_point}" if layer.scale else ""
    return f"{layer.name} {'x'.join(map(str, layer.shape))} {layer.data_type}, {layer.size} B{quantization}"


def token(value: int) -> str:
    """A caching token as 16 hex digits, "none" for 0."""
    return f"{value:016x}" if value else "none"


def _ends(found: Inspection, which: Literal["inputs", "outputs"]) -> list[str]:
    if not found.model.subgraphs:
        return []
    main = found.model.main
    return [f"{t.name} {shape(t)} {t.type}" for t in (main.tensors[i] for i in getattr(main, which))]


def _where(operator: OperatorResult) -> str:
    return f"on the CPU ({operator.rule})" if operator.rule else "on the CPU"

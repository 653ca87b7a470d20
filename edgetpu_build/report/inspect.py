"""`inspect` for a person and for a program: one file in full, or what two files differ in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any

from edgetpu_build.compiler import inspection
from edgetpu_build.compiler.inspection import Compiled, Difference, Inspection
from edgetpu_build.compiler.interface import OperatorResult
from edgetpu_build.compiler.package import Layer
from edgetpu_build.engine.outcome import Output
from edgetpu_build.report import json_form, text
from edgetpu_build.report.style import PLAIN, Style, pad, printable, shorten, width
from edgetpu_build.tflite.model import Tensor

_MADE_FOR = {"": "a model", "edgetpu": "compiled for the Edge TPU", "simulator": "compiled for the simulated device"}


def human(found: Inspection, style: Style = PLAIN) -> str:
    """Everything about one file: what it is, its ends, its packages or its forecast, its operators."""
    blocks = [_head(found, style), _ends(found)]
    blocks += [_package(compiled, style) for compiled in found.compiled]
    if not found.target:
        blocks.append(_forecast(found, style))
    blocks.append(_operators(found, style))
    return "\n\n".join(block for block in blocks if block)


def human_differences(before: Inspection, after: Inspection, style: Style = PLAIN) -> str:
    found = inspection.differences(before, after)
    if not found:
        same = before.model.raw == after.model.raw
        return "the files are identical" if same else "the files differ in bytes, but in nothing that can be told"
    rows = [("", printable(before.label), printable(after.label)), *((d.what, d.before, d.after) for d in found)]
    return "\n".join(_columns(rows, style, right=(False, False, False)))


def human_tokens(files: Sequence[Inspection]) -> str:
    """Which of several files were compiled to share the chip's memory."""
    return "\n".join(
        f"caching token {inspection.token(token)}: shared by {', '.join(map(printable, labels))}"
        for token, labels in inspection.shared_tokens(files).items()
    )


def tokens_json(files: Sequence[Inspection]) -> list[dict[str, Any]]:
    shared = inspection.shared_tokens(files)
    return [{"token": inspection.token(token), "files": list(labels)} for token, labels in shared.items()]


def to_json(files: Sequence[Inspection]) -> dict[str, Any]:
    """The unit that holds the files as members, in the order given."""
    return {
        "name": "+".join(json_form.stem(found.label) for found in files),
        "kind": "model",
        "state": "compiled" if all(found.target for found in files) else "fresh",
        "why": "read from the file",
        "seconds": 0.0,
        "members": [_member(found) for found in files],
    }


def differences_json(found: Iterable[Difference]) -> list[dict[str, str]]:
    return [{"what": d.what, "before": d.before, "after": d.after} for d in found]


def _head(found: Inspection, style: Style) -> str:
    name = style.paint(printable(found.label), "bold")
    facts = [text.size(found.size), _MADE_FOR[found.target], text.plural(len(found.operators), "operator")]
    return f"{name}: {', '.join(facts)}"


def _ends(found: Inspection) -> str:
    if not found.model.subgraphs:
        return ""
    main = found.model.main
    lines = [_end("input", main.tensors[i]) for i in main.inputs] + [
        _end("output", main.tensors[i]) for i in main.outputs
    ]
    if found.model.description:
        lines.append(f"description  {printable(found.model.description)}")
    if found.model.signatures:
        lines.append(f"signatures   {printable(', '.join(s.key for s in found.model.signatures))}")
    if found.model.metadata:
        lines.append(f"metadata     {printable(', '.join(name for name, _ in found.model.metadata))}")
    if found.appended:
        lines.append(f"appended     {text.size(found.appended)} behind the model")
    return "\n".join(lines)


def _end(side: str, tensor: Tensor) -> str:
    quantization = inspection.quantization(tensor)
    facts = f"{inspection.shape(tensor)} {tensor.type}" + (f", {quantization}" if quantization else "")
    return f"{side:<11}  {printable(tensor.name)}  {facts}"


def _package(compiled: Compiled, style: Style) -> str:
    package = compiled.package
    title = f"operator {compiled.index}: {compiled.custom_code}, {text.size(compiled.size)}, "
    title += f"needs runtime {package.min_runtime_version} or newer"
    if any(character.isdigit() for character in package.compiler_version):  # 16.0 writes "cl/" and nothing else
        title += f", by {printable(package.compiler_version)}"
    rows = [("executable", "parameters", "instructions", "cycles", "token")]
    for e in package.executables:
        instructions, cycles = text.size(sum(map(len, e.instructions))), f"{e.estimated_cycles or ''}"
        rows.append((e.type, text.size(len(e.parameters)), instructions, cycles, inspection.token(e.token)))
    lines = [style.paint(title, "bold"), *_columns(rows, style, right=(False, True, True, True, False))]
    lines.append(f"{text.size(package.cached_bytes)} cached on the chip, {text.size(package.streamed_bytes)} streamed")
    return "\n".join([*lines, *_layers(compiled), *_program(compiled, style)])


def _layers(compiled: Compiled) -> list[str]:
    """What goes into the chip and comes out of it."""
    return [
        f"{side:<6} {printable(inspection.layer_text(layer))}"
        for e in compiled.package.executables
        for side, layers in (("input", e.inputs), ("output", e.outputs))
        for layer in layers
    ]


def _program(compiled: Compiled, style: Style) -> list[str]:
    """The operators that the simulated device runs, and where the parameters of each are."""
    if not compiled.program:
        return []
    layers = {layer.index: layer for layer in compiled.layers}
    rows = [("", "operator inside", "parameters", "memory")]
    for index, operator in enumerate(compiled.program.model.main.operators):
        layer = layers.get(index)
        rows.append((str(index), operator.kind, *((text.size(layer.bytes), layer.placement) if layer else ("", ""))))
    return ["", *_columns(rows, style, right=(True, False, True, False))]


def _forecast(found: Inspection, style: Style) -> str:
    if found.figures.off_chip.value is None:
        return ""
    f = found.figures
    facts = [
        f"on-chip {text.figure(f.on_chip_used, text.size)} of {text.figure(f.on_chip_available, text.size)}",
        f"off-chip {text.figure(f.off_chip, text.size)}",
        f"{text.figure(f.edgetpu_operators)} of {text.plural(len(found.operators), 'operator')} on the Edge TPU in "
        + text.plural(int(f.subgraphs.value or 0), "piece"),
        f"{text.figure(f.cpu_operators)} on the CPU",
        f"runtime {text.figure(f.runtime_version)}",
        *([f"{text.figure(f.latency_ms, text.milliseconds)} an inference"] if f.latency_ms.value else []),
    ]
    note = " (~ estimated)" if any("~" in fact for fact in facts) else ""
    return style.paint("compiled, it would take:", "bold") + f" {', '.join(facts)}{note}"


def _operators(found: Inspection, style: Style) -> str:
    """One line an operator; the parameters' columns only where there are any."""
    if not found.operators:
        return ""
    layers = {} if found.target else {layer.index: layer for layer in found.layers}
    rows = [("", "operator", "runs on", *(("parameters", "memory") if layers else ()), "why")]
    for operator in found.operators:
        layer = layers.get(operator.index)
        memory = (text.size(layer.bytes), layer.placement) if layer else ("", "")
        streams = layer.reason if layer and layer.placement == "streamed" else ""
        why = _why(operator) or streams
        rows.append(
            (str(operator.index), printable(operator.name), _target(operator), *(memory if layers else ()), why)
        )
    right = (True, False, False, True, False, False) if layers else (True, False, False, False)
    return "\n".join(_columns(rows, style, right=right))


def _target(operator: OperatorResult) -> str:
    return "Edge TPU" if operator.target == "edgetpu" else "CPU"


def _why(operator: OperatorResult) -> str:
    if operator.target == "edgetpu":
        return ""
    reason = f"{operator.rule}: {operator.reason}" if operator.rule else operator.reason
    return printable(reason + (f" (hint: {operator.hint})" if operator.hint else ""))


def _columns(rows: Sequence[Sequence[str]], style: Style, *, right: Sequence[bool]) -> Iterator[str]:
    """Titles first, dim; the last column is cut where the terminal ends."""
    widths = [max(width(row[i]) for row in rows) for i in range(len(right))]
    for number, row in enumerate(rows):
        cells = [pad(cell, widths[i], right=right[i]) for i, cell in enumerate(row)]
        line = "  ".join(cells).rstrip()
        if style.width:
            line = shorten(line, max(style.width, 40), style.glyph("…", ".."))
        yield style.paint(line, "dim") if number == 0 else line


def _member(found: Inspection) -> dict[str, Any]:
    answer = {
        "name": json_form.stem(found.label),
        "source": found.label,
        "outputs": [json_form.output(_file(found))] if found.target else [],
        "figures": found.figures.to_json(),
        "operators": [json_form.operator(o) for o in found.operators],
        "layers": [json_form.layer(item) for item in found.layers],
        "size": found.size,
        "target": found.target,
        "schema_version": found.model.version,
        "description": found.model.description,
        "appended": found.appended,
        "metadata": [name for name, _ in found.model.metadata],
        "signatures": [s.key for s in found.model.signatures],
        "packages": [_package_json(compiled) for compiled in found.compiled],
    }
    if found.model.subgraphs:
        main = found.model.main
        answer["inputs"] = [_tensor(main.tensors[i]) for i in main.inputs]
        answer["outputs_of_model"] = [_tensor(main.tensors[i]) for i in main.outputs]
    segment = _segment(found.label)
    if segment:
        answer["segment"] = segment
    return answer


def _file(found: Inspection) -> Output:
    return Output(path=found.label, sha256=sha256(found.model.raw).hexdigest(), size=found.size)


def _tensor(tensor: Tensor) -> dict[str, Any]:
    answer: dict[str, Any] = {"name": tensor.name, "shape": list(tensor.shape), "type": tensor.type}
    if tensor.quantization:
        answer["scale"] = list(tensor.quantization.scale)
        answer["zero_point"] = list(tensor.quantization.zero_point)
    return answer


def _package_json(compiled: Compiled) -> dict[str, Any]:
    package = compiled.package
    return {
        "operator": compiled.index,
        "custom_code": compiled.custom_code,
        "size": compiled.size,
        "min_runtime_version": package.min_runtime_version,
        "compiler_version": package.compiler_version,
        "model_identifier": package.model_identifier,
        "cached_bytes": package.cached_bytes,
        "streamed_bytes": package.streamed_bytes,
        "executables": [
            {
                "type": e.type,
                "parameter_bytes": len(e.parameters),
                "instruction_bytes": sum(map(len, e.instructions)),
                "token": inspection.token(e.token) if e.token else None,
                "scratch_bytes": e.scratch_size,
                "estimated_cycles": e.estimated_cycles,
                "narrow_memory_bytes_per_tile": e.narrow_memory,
                "input_layers": [_layer_json(layer) for layer in e.inputs],
                "output_layers": [_layer_json(layer) for layer in e.outputs],
            }
            for e in package.executables
        ],
    }


def _layer_json(layer: Layer) -> dict[str, Any]:
    return {
        "name": layer.name,
        "shape": list(layer.shape),
        "size": layer.size,
        "data_type": layer.data_type,
        "scale": layer.scale,
        "zero_point": layer.zero_point,
        "executions": layer.executions,
    }


def _segment(label: str) -> dict[str, int] | None:
    """Which piece of a pipeline a file is, as its name tells: `X_segment_1_of_4_edgetpu.tflite`."""
    head, mark, tail = label.rpartition("_segment_")
    numbers = tail.removesuffix(".tflite").removesuffix("_edgetpu").split("_of_") if mark and head else []
    if len(numbers) != 2 or not all(n.isascii() and n.isdigit() for n in numbers):
        return None
    return {"index": int(numbers[0]), "count": int(numbers[1])}

"""Why Google's program failed: its words, and the cause as our own core sees it.

Its messages name neither tensor nor operator. ``diagnosis`` knows most causes by sight; ``activation`` the others.
Where neither sees anything, that is said: a cause is never invented.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from edgetpu_build.chip.generations import LATEST, Generation
from edgetpu_build.compiler import diagnosis, segmentation
from edgetpu_build.compiler.google import command
from edgetpu_build.compiler.google.locate import suspect
from edgetpu_build.compiler.google.session import Run
from edgetpu_build.compiler.google.transcript import HARMLESS, Message, Transcript
from edgetpu_build.compiler.interface import Options
from edgetpu_build.errors import Diagnostic, EdgeTpuBuildError
from edgetpu_build.tflite.model import Model, Subgraph
from edgetpu_build.units import format_duration

FLAKY = ("internal", "crashed", "aborted", "silent", "signal", "nothing")
"""Failures that went away for some when they just tried again; see docs/how-to/google-compiler.md."""

Cause = Callable[[Subgraph, "Failure"], Iterator[Diagnostic]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """``said``: the program's words, or ours for how it ended. ``kind``: of the message that tells most."""

    kind: str
    said: str
    detail: str = ""
    others: tuple[Message, ...] = ()

    @property
    def flaky(self) -> bool:
        return self.kind in FLAKY


def failure(run: Run, found: Sequence[Transcript], missing: Sequence[str] = ()) -> Failure | None:
    """What went wrong with a run, None if nothing did. ``missing``: files that it should have written and did not."""
    messages = [message for transcript in found for message in transcript.trouble if message.kind not in HARMLESS]
    ended = [transcript.succeeded for transcript in found if transcript.succeeded is not None]
    if run.timed_out:
        return Failure(kind="timeout", said=f"it was stopped after {format_duration(run.seconds)}")
    if run.code == 0 and not missing and (not ended or ended[-1]):
        return None
    if messages and not (run.code == 0 and ended and ended[-1]):
        told = min(messages, key=lambda message: _TELLING.index(message.kind))
        others = tuple(message for message in messages if message is not told)
        return Failure(kind=told.kind, said=told.text, detail=told.detail, others=others)
    if run.code < 0:
        return Failure(kind="signal", said=f"it was ended by {_signal(-run.code)}")
    if run.code == 0 and missing:
        return Failure(kind="nothing", said=f"it said nothing was wrong, but wrote no {_named(missing)}")
    last = next((line for line in reversed(run.text.splitlines()) if line.strip()), "nothing")
    return Failure(
        kind="silent", said=f"it ended with code {run.code} and gave no reason; its last line: {last.strip()}"
    )


def explained(
    told: Failure, models: Sequence[tuple[str, Model]], options: Options, version: str, *, note: Sequence[str] = ()
) -> EdgeTpuBuildError:
    """The error for a failure, with what our own core finds in the models. ``note``: more that was found out."""
    who = command.known(version) or LATEST
    found = [cause.at(file=label) for label, model in models for cause in _causes(model, options, who, told)]
    code, hint = _DEFAULTS.get(told.kind, ("ETB312", _TRY))
    labels = ", ".join(f"`{label}`" for label, _ in models)
    said = f"Google's compiler failed on {labels}: {told.said}"
    extra = "".join(f"; {words}" for words in note)
    if not found:
        return EdgeTpuBuildError(Diagnostic(code=code, message=said + extra, hint=hint, file=models[0][0]))
    first, *others = found
    keep = code if code != "ETB312" else first.code
    first = replace(
        first, code=keep, message=f"{said}; {first.message}{extra}", hint=first.hint or hint, severity="error"
    )
    return EdgeTpuBuildError(first, *(replace(other, severity="warning") for other in others))


def _causes(model: Model, options: Options, who: Generation, told: Failure) -> list[Diagnostic]:
    """Certain ones first; suspicions only where there are none."""
    try:
        sure = [d for d in diagnosis.examine(model, "", generation=who) if d.code in _SURE.get(told.kind, ("ETB319",))]
    except EdgeTpuBuildError as problem:
        sure = list(problem.diagnostics)
    find = _BY_KIND.get(told.kind)
    sure = sure or (list(find(model.main, told)) if find else [])
    if sure:
        return sure
    if told.kind in _SUSPICIOUS:
        return list(_suspicions(model, replace(options, generation=who.name)))
    return []


def _suspicions(model: Model, options: Options) -> Iterator[Diagnostic]:
    if options.segments > 1:
        yield from _cannot_be_cut(model.main, options.segments)
    try:
        found = suspect(model, options)
    except EdgeTpuBuildError:
        return
    if found:
        yield found


def _cannot_be_cut(graph: Subgraph, count: int) -> Iterator[Diagnostic]:
    try:
        segmentation.by_parameters(graph, count)
    except EdgeTpuBuildError as problem:
        yield from problem.diagnostics


def _dynamic(graph: Subgraph, told: Failure) -> Iterator[Diagnostic]:
    """Fixed shapes whose signature leaves a size open: 16.0 takes the signature at its word."""
    for tensor in graph.tensors:
        if any(size < 0 for size in tensor.shape_signature):
            shape = "x".join(map(str, tensor.shape_signature))
            message = f"`{tensor.name}` has the shape {shape} in its signature"
            hint = "convert with a fixed batch: `tf.TensorSpec([1, ...])`, or `input_shapes` of the converter"
            yield Diagnostic(code="ETB307", message=message, hint=hint)
            return


def _not_prepared(graph: Subgraph, told: Failure) -> Iterator[Diagnostic]:
    words = " ".join(message.text for message in (Message(kind="", text=told.said), *told.others))
    number = re.search(r"Node number (\d+) ", words)
    if not number or int(number[1]) >= len(graph.operators):
        return
    index = int(number[1])
    operator = graph.operators[index]
    names = ", ".join(f"`{graph.tensors[i].name}`" for i in (*operator.inputs, *operator.outputs)[:4] if i >= 0)
    message = f"TensorFlow Lite cannot prepare operator {index} ({operator.kind}) with {names}"
    hint = "convert the model again with another TensorFlow, or from the float model"
    yield Diagnostic(code="ETB319" if "scale" in words or "overflow" in words else "ETB312", message=message, hint=hint)


def _colons(graph: Subgraph, told: Failure) -> Iterator[Diagnostic]:
    message = "a colon in a tensor's name separates models for it"
    yield Diagnostic(code="ETB310", message=message, hint="rename the tensor when exporting, or use `cuts`")


def _floats(graph: Subgraph, told: Failure) -> Iterator[Diagnostic]:
    left = [tensor.name for tensor in graph.tensors if tensor.type.startswith("FLOAT")]
    if left:
        names, more = ", ".join(f"`{name}`" for name in left[:5]), f" and {len(left) - 5} more" * (len(left) > 5)
        hint = "quantise fully, to 8 bit, with a representative data set"
        yield Diagnostic(code="ETB306", message=f"these tensors are float: {names}{more}", hint=hint)


def _unsupported(graph: Subgraph, told: Failure) -> Iterator[Diagnostic]:
    name = re.match(r'loc\("([^"]*)"', told.said)
    makers = {graph.tensors[t].name: (i, op.kind) for i, op in enumerate(graph.operators) for t in op.outputs}
    if name and name[1] in makers:
        index, kind = makers[name[1]]
        message = f"the operator is {index} ({kind}), which makes `{name[1]}`"
        yield Diagnostic(code="ETB312", message=message, hint="stop before it with `intermediate-tensors`")


_TRY = "`search-delegate = true` leaves ever more operators to the CPU until it works"
_LOAD = "TensorFlow Lite must load the model: check it with an interpreter of TensorFlow 2.5"
_CONVERT = "convert with an older TensorFlow (2.5 to 2.8)"
_DEFAULTS = {
    "timeout": ("ETB313", "raise `timeout`; large activations make it slow, a smaller input makes it fast"),
    "not-quantised": ("ETB306", "quantise fully, to 8 bit, with a representative data set"),
    "not-parsed": ("ETB302", _CONVERT),
    "registration": ("ETB309", _CONVERT),
    "version": ("ETB309", _CONVERT),
    "opcode": ("ETB309", _CONVERT),
    "dynamic": ("ETB307", "convert with a fixed input shape"),
    "custom": ("ETB318", "leave the custom operator to the application"),
    "flex": ("ETB318", "convert without `tf.lite.OpsSet.SELECT_TF_OPS`"),
    "prepare": ("ETB312", _LOAD),
    "empty": ("ETB302", "convert the model again"),
    "lists": ("ETB310", "rename the tensor when exporting, or use `cuts`"),
    "nothing": ("ETB314", "run the program by hand on this model"),
    "signal": ("ETB312", "the system kills what takes too much memory: try fewer `jobs`"),
}
_TELLING = (
    "timeout", "dynamic", "custom", "flex", "prepare", "version", "opcode", "registration", "empty", "unsupported",
    "lists", "not-quantised", "not-parsed", "reason", "internal", "aborted", "crashed", "error", "model",
)  # fmt: skip
_SURE = {"not-quantised": ("ETB306", "ETB319"), "aborted": ("ETB306", "ETB319")}
"""Warnings of the diagnosis that explain a failure, by its kind."""
_BY_KIND: dict[str, Cause] = {
    "dynamic": _dynamic,
    "prepare": _not_prepared,
    "lists": _colons,
    "not-quantised": _floats,
    "unsupported": _unsupported,
}
_SUSPICIOUS = (*FLAKY, "reason", "timeout")
LOCATABLE = (*FLAKY, "reason", "error", "prepare", "unsupported")
"""Failures that one operator causes, so that it can be looked for."""


def _signal(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


def _named(names: Sequence[str]) -> str:
    return " and no ".join(f"`{name}`" for name in names[:3])

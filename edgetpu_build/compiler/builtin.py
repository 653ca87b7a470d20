"""The project's own compiler: predicts what Google's would do and writes artifacts for the simulated device.

Pure: bytes in, values out. ``forecast`` does the arithmetic; here it becomes files. An artifact made here runs on no
silicon, and says so in its operator's name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import NamedTuple

from edgetpu_build.chip.generations import generation
from edgetpu_build.compiler import activation, artifact, balance, diagnosis, segmentation, segments_auto, text
from edgetpu_build.compiler.forecast import Forecast, predict, predict_segment
from edgetpu_build.compiler.interface import (
    Identity,
    LayerResult,
    MemberResult,
    OperatorResult,
    Options,
    Progress,
    Request,
    Result,
    SegmentResult,
    Source,
)
from edgetpu_build.compiler.parts import parts
from edgetpu_build.compiler.revision import REVISION, identity
from edgetpu_build.compiler.search import search
from edgetpu_build.errors import Diagnostic, error, warning
from edgetpu_build.figure import sum_up
from edgetpu_build.tflite import reader, surgery
from edgetpu_build.tflite.model import Model
from edgetpu_build.units import format_size

__all__ = ["REVISION", "Builtin", "predict"]

Tries = tuple[text.Attempt, ...]
_NAMED = re.compile(r"\boperator (\d+)")
LIKELY_TO_FAIL = 0.6
"""At which likelihood the delegate search counts a try as failed. A guess: the likelihood is a score set by hand from
three failures (``activation.likelihood``), and Google's compiler may well succeed there, or fail elsewhere."""


class Builtin:
    """The backend called ``builtin``. ``segments``: where to cut, found by somebody else; () for as the options say."""

    def __init__(self, segments: segmentation.Segments = ()) -> None:
        self._segments = segments

    def identify(self) -> Identity:
        return identity()

    def compile(self, request: Request, *, timeout: float, progress: Progress) -> Result:
        """Compiles the request; it takes milliseconds, so ``timeout`` is not looked at."""
        _refuse(request)
        options = request.options
        known = generation(options.generation)
        models = [reader.read(source.data, label=source.label) for source in request.sources]
        found = [diagnosis.examine(m, s.label, generation=known) for m, s in zip(models, request.sources, strict=True)]
        progress("predicting")
        job = _Job(request, token(request, self._segments), self._segments)
        options, notes = _counted(models[0], options)
        segmented = options.segments > 1 or options.cuts or self._segments
        members, tries = job.segmented(models[0], options) if segmented else job.whole(models, options)
        return Result(
            compiler=self.identify(),
            options=options,
            members=tuple(replace(m, warnings=(*more, *m.warnings)) for m, more in zip(members, found, strict=True)),
            warnings=(*notes, *_guessed(tries)),
            attempts=tries,
        )


def _refuse(request: Request) -> None:
    """What cannot be asked for, by name."""
    options = request.options
    alone = {"segments": options.segments != 1, "cuts": options.cuts, "search-delegate": options.delegate_step}
    for key, asked in alone.items() if len(request.sources) > 1 else ():
        if asked:
            raise error("ETB207", f"`{key}` does not go with several models", "compile the model by itself", key=key)


def token(request: Request, segments: segmentation.Segments = ()) -> int:
    """The caching token of a compile: 64 bits of its content, shared by all members and segments, never 0."""
    digest = sha256(b"caching token 1")
    cut = (repr(segments).encode(),) if segments else ()
    for part in (*_asked(request.options), *cut, *(x for source in request.sources for x in _content(source))):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return int.from_bytes(digest.digest()[:8], "little") or 1


def _asked(options: Options) -> tuple[bytes, ...]:
    """The options; what is assumed of the device only where it decides the cut."""
    device = f"{options.link} {options.clock}".encode()
    return (repr(options).encode(), *((device,) if options.balance != "parameters" else ()))


def _content(source: Source) -> tuple[bytes, bytes]:
    return source.data, repr(source.intermediate_tensors).encode()


def _counted(model: Model, options: Options) -> tuple[Options, tuple[Diagnostic, ...]]:
    """The options with ``segments = "auto"`` made a number."""
    if options.segments or options.cuts:
        return options, ()

    def off_chip(count: int) -> float:
        if count == 1:
            return _avoidable(predict([model], options)[0])
        segments = _cuts(model, replace(options, segments=count))
        return sum(_avoidable(predict_segment(model, operators, options)) for operators in segments)

    count, left = segments_auto.smallest(off_chip, options.max_segments)
    message = f"even {count} segments leave {format_size(left)} off-chip"
    notes = (warning("ETB311", message, "raise `max-segments`", key="max-segments"),) if left else ()
    return replace(options, segments=count), notes


def _cuts(model: Model, options: Options) -> segmentation.Segments:
    if options.cuts:
        return segmentation.by_tensors(model.main, options.cuts)
    if options.balance != "parameters":
        return balance.by_latency(model, options.segments, options)
    return segmentation.by_parameters(model.main, options.segments)


def _avoidable(forecast: Forecast) -> int:
    """Bytes off-chip that a larger chip would hold."""
    return sum(d.candidate.layer.size for d in forecast.decisions if not d.cached and not d.hopeless)


class _Job(NamedTuple):
    """One compile on its way to artifacts."""

    request: Request
    token: int
    segments: segmentation.Segments = ()

    def whole(self, models: Sequence[Model], options: Options) -> tuple[tuple[MemberResult, ...], Tries]:
        names = [source.intermediate_tensors for source in self.request.sources]
        tries: Tries = ()
        if options.delegate_step:
            forecast, tries = _searched(models[0], options, names[0])
            forecasts: tuple[Forecast, ...] = (forecast,)
        else:
            forecasts = predict(models, options, names)
        members, address = [], 0
        for source, forecast in zip(self.request.sources, forecasts, strict=True):
            members.append(self._member(source, forecast, address))
            address += int(forecast.figures.cached_bytes.value or 0)
        return tuple(members), tries

    def _member(self, source: Source, forecast: Forecast, address: int) -> MemberResult:
        operators = forecast.placement.operators
        return MemberResult(
            label=source.label,
            figures=forecast.figures,
            operators=operators,
            layers=forecast.layers,
            artifact=self._artifact(forecast, source.data, address),
            log=self._log(operators),
            warnings=_warnings(forecast.warnings, operators, source.label),
        )

    def segmented(self, model: Model, options: Options) -> tuple[tuple[MemberResult, ...], Tries]:
        source = self.request.sources[0]
        found = [
            self._segment(model, number, operators, options)
            for number, operators in enumerate(self.segments or _cuts(model, options))
        ]
        pieces = [piece for piece, _, _ in found]
        operators = sorted((op for _, part, _ in found for op in part.operators), key=lambda op: op.index)
        member = MemberResult(
            label=source.label,
            figures=sum_up([piece.figures for piece in pieces]),
            operators=tuple(operators),
            layers=tuple(
                sorted((layer for _, part, _ in found for layer in part.layers), key=lambda layer: layer.index)
            ),
            log=self._log(operators),
            segments=tuple(pieces),
            warnings=_warnings([note for _, part, _ in found for note in part.warnings], operators, source.label),
        )
        return (member,), tuple(attempt for _, _, tries in found for attempt in tries)

    def _segment(
        self, model: Model, number: int, operators: tuple[int, ...], options: Options
    ) -> tuple[SegmentResult, _Mapped, Tries]:
        inputs, outputs = surgery.boundary(model.main, operators)
        plain = surgery.extract(model, operators, inputs, outputs)
        piece = reader.read(plain, label=f"segment {number}")
        tries: Tries = ()
        if options.delegate_step:
            forecast, tries = _searched(piece, options, (), segment=True)
        else:
            (forecast,) = predict([piece], options, segment=True)
        back = _Mapped.of(forecast, operators)
        result = SegmentResult(
            index=number,
            operators=operators,
            inputs=tuple(model.main.tensors[index].name for index in inputs),
            outputs=tuple(model.main.tensors[index].name for index in outputs),
            figures=forecast.figures,
            artifact=self._artifact(forecast, plain),
            log=self._log(back.operators),
            plain=plain,
        )
        return result, back, tries

    def _log(self, operators: Sequence[OperatorResult]) -> str:
        return text.log_text(operators, generation=generation(self.request.options.generation))

    def _artifact(self, forecast: Forecast, original: bytes, address: int = 0) -> bytes:
        """The model unchanged where nothing is mapped: whether that is a failure is the engine's business."""
        if not forecast.placement.partitions:
            return original
        found = parts(forecast, self.request.options.generation, address)
        return artifact.build(forecast.model, found, token=self.token, runtime_version=forecast.runtime)


class _Mapped(NamedTuple):
    """A segment's results with the positions of the original file."""

    operators: tuple[OperatorResult, ...]
    layers: tuple[LayerResult, ...]
    warnings: tuple[Diagnostic, ...]

    @classmethod
    def of(cls, forecast: Forecast, original: Sequence[int]) -> _Mapped:
        names = {str(position): f"operator {index}" for position, index in enumerate(original)}

        def renamed(sentence: str) -> str:
            return _NAMED.sub(lambda found: names.get(found[1], found[0]), sentence)

        return cls(
            tuple(
                replace(
                    op,
                    index=original[op.index],
                    reason=renamed(op.reason),
                    hint=renamed(op.hint),
                    follows=original[op.follows] if op.follows >= 0 else -1,
                )
                for op in forecast.placement.operators
            ),
            tuple(replace(layer, index=original[layer.index]) for layer in forecast.layers),
            tuple(replace(told, message=renamed(told.message)) for told in forecast.warnings),
        )


def _guessed(tries: Tries) -> tuple[Diagnostic, ...]:
    """That the search stepped back on a guess, where it did."""
    failed = [attempt for attempt in tries if attempt.failed]
    if not failed:
        return ()
    message = (
        f"the delegate search counted {len(failed)} of {len(tries)} tries as failed on a guess: {failed[0].reason}; "
        f"from a likelihood of {LIKELY_TO_FAIL:.0%} on a try counts as failed, a limit set by hand"
    )
    return (warning("ETB312", message, 'Google\'s compiler knows: `--backend google`, or `backend = "google"`'),)


def _warnings(found: Sequence[Diagnostic], operators: Sequence[OperatorResult], label: str) -> tuple[Diagnostic, ...]:
    nothing = diagnosis.nothing_mapped(operators, label)
    return (*found, nothing) if nothing else tuple(found)


def _searched(
    model: Model, options: Options, names: tuple[str, ...], *, segment: bool = False
) -> tuple[Forecast, Tries]:
    def attempt(left_out: frozenset[int]) -> tuple[Forecast, str]:
        (forecast,) = predict([model], options, [names], segment=segment, stop_at=left_out)
        score = max(map(activation.likelihood, forecast.activations), default=0.0)
        reason = f"large activation tensors are likely to make it fail (likelihood {score:.0%}, a guess)"
        return forecast, reason if score >= LIKELY_TO_FAIL else ""

    return search(model.main, options.delegate_step, attempt)

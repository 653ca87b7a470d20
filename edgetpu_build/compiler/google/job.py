"""The runs of one request, read into its members.

Segments that the program cannot cut itself (`cuts`, `balance`) are cut by our core and compiled one by one. A failure
that may be chance is tried once more, and told. All runs of a request share its time limit.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from edgetpu_build.chip.generations import LATEST
from edgetpu_build.compiler import segmentation, segments_auto
from edgetpu_build.compiler.google import command as commands
from edgetpu_build.compiler.google import locate, names, reading, transcript, translate
from edgetpu_build.compiler.google.reasons import Forecasts, Piece, Placed, nothing_mapped
from edgetpu_build.compiler.google.session import Run, Session
from edgetpu_build.compiler.google.transcript import Block, Transcript
from edgetpu_build.compiler.interface import (
    MemberResult,
    OperatorResult,
    Options,
    Progress,
    Request,
    SegmentResult,
    Source,
)
from edgetpu_build.compiler.text import Attempt, log_text
from edgetpu_build.errors import Diagnostic, error, warning
from edgetpu_build.figure import sum_up
from edgetpu_build.tflite import reader, surgery
from edgetpu_build.tflite.model import Model
from edgetpu_build.tflite.restore import restore

TELLING = (
    "Started a",
    "Searching for",
    "Try to",
    "Models compiled",
    "Model compiled",
    "Compilation ",
    "ERROR:",
    "Internal",
)
"""How lines begin that say how far the program is."""


class Job:
    """Owns what one request came to so far: its session, the text, the tries, the notes."""

    def __init__(
        self,
        command: Sequence[str],
        session: Session,
        *,
        version: str,
        deadline: float,
        progress: Progress,
        locate: bool,
    ) -> None:
        self._command, self._session, self._version = command, session, version
        self._deadline, self._progress, self._locate = deadline, progress, locate
        self.text: list[str] = []
        self.attempts: list[Attempt] = []
        self.notes: list[Diagnostic] = []

    def compile(self, request: Request, models: Sequence[Model]) -> tuple[Options, tuple[MemberResult, ...]]:
        options, sources = request.options, request.sources
        if options.delegate_step and (who := commands.known(self._version)) and not who.supervised:
            message = f"`search-delegate` came with compiler 16.0, and this is {self._version}"
            raise error("ETB402", message, "leave it out, or use a newer compiler", key="search-delegate")
        if options.cuts or (options.balance != "parameters" and options.segments > 1):
            return options, (self._cut(sources[0], models[0], options),)
        if options.segments == 0:
            return self._counted(sources[0], models[0], options)
        if options.segments > 1:
            return options, (self._segmented(sources[0], models[0], options),)
        pieces = self._whole(sources, models, options)
        forecasts = Forecasts(models, options, [source.intermediate_tensors for source in sources], self._version)
        return options, tuple(
            self._member(source, model, piece, forecasts.explain(position, model, piece), options)
            for position, (source, model, piece) in enumerate(zip(sources, models, pieces, strict=True))
        )

    def _whole(self, sources: Sequence[Source], models: Sequence[Model], options: Options) -> list[Piece]:
        outputs = [f"{names.model(position)}_edgetpu" for position in range(len(sources))]
        blocks = self._run(sources, models, options, outputs)
        return [
            self._piece(name, model, source.label, block, options)
            for name, model, source, block in zip(outputs, models, sources, blocks, strict=True)
        ]

    def _member(self, source: Source, model: Model, piece: Piece, placed: Placed, options: Options) -> MemberResult:
        operators, layers, latency = placed
        notes = list(nothing_mapped(operators, source.label))
        data = piece.data
        if options.restore_metadata:
            restored = restore(piece.found.model, model)
            data = restored.data
            if restored.lost:
                message = (
                    f"signatures that name tensors inside the Edge TPU operator were lost: {', '.join(restored.lost)}"
                )
                notes.append(warning("ETB314", message, file=source.label))
        return MemberResult(
            label=source.label,
            figures=replace(reading.figures(model, piece.found, piece.block), latency_ms=latency),
            operators=tuple(operators),
            layers=layers,
            artifact=data,
            log=piece.log or self._made_log(operators),
            warnings=tuple(notes),
        )

    def _counted(self, source: Source, model: Model, options: Options) -> tuple[Options, tuple[MemberResult, ...]]:
        """`segments = "auto"`: compiled for each count until nothing streams that a larger chip would hold."""
        made: dict[int, MemberResult] = {}
        hopeless = Forecasts([model], options, [()], self._version).hopeless

        def off_chip(count: int) -> float:
            asked = replace(options, segments=count)
            _, (made[count],) = self.compile(Request(sources=(source,), options=asked), [model])
            return max(0.0, (made[count].figures.streamed_bytes.value or 0) - hopeless)

        count, left = segments_auto.smallest(off_chip, options.max_segments)
        if left:
            message = f"even {count} segments leave {left:.0f} B off-chip"
            self.notes.append(warning("ETB311", message, "raise `max-segments`", key="max-segments"))
        return replace(options, segments=count), (made[count],)

    def _segmented(self, source: Source, model: Model, options: Options) -> MemberResult:
        count = options.segments
        stems = [f"{names.model(0)}_segment_{number}_of_{count}" for number in range(count)]
        blocks = self._run([source], [model], options, [f"{stem}_edgetpu" for stem in stems])
        plains = self._plains(stems, model, count)
        pieces = [
            self._piece(f"{stem}_edgetpu", reader.read(plain), f"segment {number} of {source.label}", block, options)
            for number, (stem, plain, block) in enumerate(zip(stems, plains, blocks, strict=True))
        ]
        return self._joined(source, model, list(zip(plains, pieces, strict=True)), options)

    def _plains(self, stems: Sequence[str], model: Model, count: int) -> list[bytes]:
        """The segments before they were compiled: as the program left them, else cut by us at the same places."""
        left = [self._session.read(f"{stem}.tflite") for stem in stems]
        if all(left):
            return [data for data in left if data]
        cuts = segmentation.by_parameters(model.main, count)
        return [surgery.extract(model, part, *surgery.boundary(model.main, part)) for part in cuts]

    def _cut(self, source: Source, model: Model, options: Options) -> MemberResult:
        """Cut by our core, then each segment compiled as a model of its own."""
        if options.cuts:
            cuts = segmentation.by_tensors(model.main, options.cuts)
        else:
            from edgetpu_build.compiler.balance import by_latency

            who = commands.known(self._version) or LATEST
            cuts = by_latency(model, options.segments, replace(options, generation=who.name))
        single = replace(options, segments=1, cuts=(), balance="parameters")
        made = []
        for number, part in enumerate(cuts):
            plain = surgery.extract(model, part, *surgery.boundary(model.main, part))
            piece = Source(label=f"segment {number} of {source.label}", data=plain)
            made.append((plain, self._whole([piece], [reader.read(plain)], single)[0]))
        return self._joined(source, model, made, options)

    def _joined(
        self, source: Source, model: Model, made: Sequence[tuple[bytes, Piece]], options: Options
    ) -> MemberResult:
        segments, operators, layers = [], [], []
        for number, (plain, piece) in enumerate(made):
            part = reader.read(plain, label=f"segment {number}")
            inside = sorted(reading.same_operators(model.main, part.main))
            forecasts = Forecasts([part], options, [()], self._version, segment=True)
            placed, held, latency = forecasts.explain(0, part, piece)
            tensors = part.main.tensors
            back = inside if len(inside) == len(placed) else list(range(len(placed)))
            operators += [
                replace(op, index=back[op.index], follows=back[op.follows] if op.follows >= 0 else -1) for op in placed
            ]
            layers += [replace(layer, index=back[layer.index]) for layer in held]
            segments.append(
                SegmentResult(
                    index=number,
                    operators=tuple(back),
                    inputs=tuple(tensors[index].name for index in part.main.inputs),
                    outputs=tuple(tensors[index].name for index in part.main.outputs),
                    figures=replace(reading.figures(part, piece.found, piece.block), latency_ms=latency),
                    artifact=piece.data,
                    log=piece.log or self._made_log(placed),
                    plain=plain,
                )
            )
        operators.sort(key=lambda op: op.index)
        return MemberResult(
            label=source.label,
            figures=sum_up([segment.figures for segment in segments]),
            operators=tuple(operators),
            layers=tuple(sorted(layers, key=lambda layer: layer.index)),
            log=self._made_log(operators),
            segments=tuple(segments),
            warnings=tuple(nothing_mapped(operators, source.label)),
        )

    def _piece(self, name: str, model: Model, label: str, block: Block, options: Options) -> Piece:
        data = self._session.read(f"{name}.tflite")
        if data is None:
            raise error("ETB314", f"Google's compiler wrote nothing for `{label}`", "run it by hand on this model")
        found = reading.compiled(data, model, label)
        log = self._session.read(f"{name}.log")
        words = log.decode("utf-8", "replace") if log else ""
        told = next((run.blocks[0] for run in transcript.read(words) if run.blocks), None)
        block = replace(block, rows=told.rows if told else block.rows)
        reading.check(model, found, block, label)
        reading.check_runtime(found, options.min_runtime_version, label)
        return Piece(data, found, block, names.with_slots(words))

    def _run(
        self, sources: Sequence[Source], models: Sequence[Model], options: Options, outputs: Sequence[str]
    ) -> list[Block]:
        """One compile, tried again if its failure may be chance; what was told of each output."""
        run, found, told = self._try(sources, options, outputs)
        if told and told.flaky and time.monotonic() + run.seconds < self._deadline:
            self._progress(f"failed ({told.said}), trying once more")
            first, (run, found, told) = told, self._try(sources, options, outputs)
            if told is None:
                message = f"Google's compiler failed at first ({first.said}), and succeeded when it was tried again"
                self.notes.append(warning("ETB312", message, file=sources[0].label))
        if told:
            labelled = [(source.label, model) for source, model in zip(sources, models, strict=True)]
            note = self._located(sources, models, options, told)
            raise translate.explained(told, labelled, options, self._version, note=note)
        self.attempts += [attempt for part in found for attempt in part.attempts]
        return self._blocks(found, len(outputs), sources)

    def _try(
        self, sources: Sequence[Source], options: Options, outputs: Sequence[str]
    ) -> tuple[Run, tuple[Transcript, ...], translate.Failure | None]:
        inputs = [f"{names.model(position)}.tflite" for position in range(len(sources))]
        self._session.clear()
        for name, source in zip(inputs, sources, strict=True):
            self._session.write(name, source.data)
        left = max(0.0, self._deadline - time.monotonic())
        argv = commands.start(self._command, self._session.folder)
        argv += commands.time_limit(left, self._version)
        argv += commands.arguments(options, sources, inputs, version=self._version)
        labels = [source.label for source in sources]
        run = self._session.run(argv, timeout=left, hear=lambda line: self._hear(line, labels))
        run = replace(run, text=names.restored(run.text, labels))
        self.text.append(run.text)
        found = transcript.read(run.text)
        missing = [f"{name}.tflite" for name in outputs if self._session.read(f"{name}.tflite") is None]
        return run, found, translate.failure(run, found, [names.restored(name, labels) for name in missing])

    def _blocks(self, found: Sequence[Transcript], count: int, sources: Sequence[Source]) -> list[Block]:
        blocks = [block for part in found for block in part.blocks]
        if len(blocks) == count:
            return blocks
        if blocks:
            message = f"Google's compiler told of {len(blocks)} models, and wrote {count}"
            raise error(
                "ETB315", message, "build again; if it stays so, run the program by hand", file=sources[0].label
            )
        unread = next((line for part in found for line in part.unread), "nothing")
        message = f"what Google's compiler printed could not be read (`{unread[:80]}`), so room on the chip is unknown"
        self.notes.append(warning("ETB315", message, file=sources[0].label))
        return [Block() for _ in range(count)]

    def _hear(self, line: str, labels: Sequence[str]) -> None:
        if line.startswith(TELLING):
            self._progress(names.restored(line.strip(), labels))

    def _located(
        self, sources: Sequence[Source], models: Sequence[Model], options: Options, told: translate.Failure
    ) -> list[str]:
        """By running the program on ever other beginnings of the model, if that was asked for."""
        wanted = self._locate and len(models) == 1 and told.kind in translate.LOCATABLE
        if not wanted or options.segments > 1 or not models[0].main.operators:
            return []
        plain = replace(options, delegate_step=0)

        def fails(count: int) -> bool:
            self._progress(f"looking for the operator at fault: the first {count}")
            part = Source(label=sources[0].label, data=locate.first(models[0], count))
            return self._try([part], plain, [f"{names.model(0)}_edgetpu"])[2] is not None

        at = locate.smallest_failing(len(models[0].main.operators), fails) - 1
        kind = models[0].main.operators[at].kind
        if not at:
            return [f"compiled alone, operator 0 ({kind}) fails already"]
        return [f"compiled alone, the operators before {at} ({kind}) succeed, with it they fail"]

    def _made_log(self, operators: Sequence[OperatorResult]) -> str:
        who = commands.known(self._version) or LATEST
        return log_text(operators, generation=who, first_line=commands.BANNER + self._version)

"""One compile without a project: the files that `edgetpu_compiler` would leave, named as it names them.

Nothing is written before every model is compiled; then each file is written whole.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from edgetpu_build import files
from edgetpu_build.compiler import text
from edgetpu_build.compiler.interface import MemberResult, OperatorResult, Result, SegmentResult
from edgetpu_build.engine.outcome import Output
from edgetpu_build.errors import error
from edgetpu_build.figure import Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One compiled model or segment on its way to disk. ``source`` is how its log calls what it was compiled from.

    ``plain``: the uncompiled segment, empty for a whole model; it is written to ``plain_path`` if at all.
    """

    source: str
    source_size: int
    output: str
    log: str
    plain_path: str
    figures: Figures
    operators: tuple[OperatorResult, ...]
    artifact: bytes = field(repr=False)
    log_text: str = field(repr=False)
    plain: bytes = field(default=b"", repr=False)

    @property
    def published(self) -> Output:
        return Output(path=self.output, sha256=sha256(self.artifact).hexdigest(), size=len(self.artifact))

    def block(self) -> text.Block:
        """What is printed about it."""
        return text.Block(
            source=self.source,
            source_size=self.source_size,
            output=self.output,
            output_size=len(self.artifact),
            log=self.log,
            figures=self.figures,
            rows=text.rows(self.operators),
        )


def read(path: str) -> bytes:
    """A model's bytes; ETB211 where there is no file of that name."""
    file = Path(path)
    if not file.is_file():
        found = "is a directory" if file.is_dir() else "is no file" if file.exists() else "does not exist"
        raise error("ETB211", f"`{path}` {found}", "name a .tflite file", file=path)
    return files.read_stable(path)[0]


def check_names(paths: Sequence[str], folder: str) -> None:
    """ETB212 where two models would be written to one file, or one onto a source."""
    sources = {os.path.realpath(path): path for path in paths}
    made: dict[str, str] = {}
    for path in paths:
        target = _join(folder, f"{Path(path).stem}_edgetpu.tflite")
        clash = made.get(target) or sources.get(os.path.realpath(target))
        if clash:
            raise error(
                "ETB212", f"the output of `{path}`, `{target}`, falls on that of `{clash}`", "rename one of them"
            )
        made[target] = path


def make_folder(folder: str) -> None:
    """Creates the folder of `-o`, but not those above it; ETB501 where that cannot be."""
    if Path(folder).is_dir():
        return
    try:
        Path(folder).mkdir()
    except OSError as problem:
        hint = "its parent folder must exist" if isinstance(problem, FileNotFoundError) else ""
        raise error("ETB501", f"cannot create `{folder}`: {problem.strerror}", hint, file=folder) from None


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Ends what runs inside after so long with ETB313, wherever it is. Bounds the main thread only, where it can."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(_signal: int, _frame: object) -> None:
        raise error("ETB313", f"compiling took more than {seconds:g} s and was stopped", "raise `--timeout_sec`")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def pieces(result: Result, paths: Sequence[str], sizes: Sequence[int], folder: str) -> tuple[tuple[Piece, ...], ...]:
    """For each member what becomes a file: itself, or its segments."""
    return tuple(
        _segments(member, path, folder) if member.segments else (_whole(member, path, size, folder),)
        for member, path, size in zip(result.members, paths, sizes, strict=True)
    )


def write(made: Sequence[Piece], *, keep_segments: bool) -> None:
    """Artifact and log of each; the uncompiled segments too if they are to be kept. Raises ETB501."""
    for piece in made:
        log = text.fill(piece.log_text, source=piece.source, output=piece.output)
        files.write_atomic(piece.output, piece.artifact)
        files.write_atomic(piece.log, log.encode("utf-8", "surrogateescape"))
        if keep_segments and piece.plain:
            files.write_atomic(piece.plain_path, piece.plain)


def _whole(member: MemberResult, path: str, size: int, folder: str) -> Piece:
    target = _join(folder, Path(path).stem)
    return Piece(
        source=path,
        source_size=size,
        output=f"{target}_edgetpu.tflite",
        log=f"{target}_edgetpu.log",
        plain_path=f"{target}.tflite",
        figures=member.figures,
        operators=member.operators,
        artifact=member.artifact,
        log_text=member.log,
    )


def _segments(member: MemberResult, path: str, folder: str) -> tuple[Piece, ...]:
    placed = {operator.index: operator for operator in member.operators}
    return tuple(_segment(segment, len(member.segments), placed, path, folder) for segment in member.segments)


def _segment(segment: SegmentResult, count: int, placed: dict[int, OperatorResult], path: str, folder: str) -> Piece:
    name = f"{Path(path).stem}_segment_{segment.index}_of_{count}"
    target = _join(folder, name)
    return Piece(
        source=f"{name}.tflite",
        source_size=len(segment.plain),
        output=f"{target}_edgetpu.tflite",
        log=f"{target}_edgetpu.log",
        plain_path=f"{target}.tflite",
        figures=segment.figures,
        operators=tuple(placed[index] for index in segment.operators if index in placed),
        artifact=segment.artifact,
        log_text=segment.log,
        plain=segment.plain,
    )


def _join(folder: str, name: str) -> str:
    return os.path.join(folder, name)  # not Path: `-o .` prints "./name"

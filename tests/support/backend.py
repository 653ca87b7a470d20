"""A compiler for tests of the engine: quick, deterministic, counted, and able to fail in every way.

What it does is written in the model: ``fail``, ``hang``, ``die``, ``bug``, ``float`` (nothing maps) or
``sleep=SECONDS`` anywhere in its bytes; else it makes of each source an artifact that holds it and names the options.
Figures follow from the length of the source. Each compile appends a line to the file ``log``, from whatever process it
runs in.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgetpu_build.compiler.interface import (
    Identity,
    MemberResult,
    OperatorResult,
    Options,
    Progress,
    Request,
    Result,
    SegmentResult,
    Source,
)
from edgetpu_build.errors import error
from edgetpu_build.figure import Figures, estimated, exact


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """``log``: where compiles are counted. ``revision``: who it says it is."""

    log: str
    revision: str = "1"
    name: Any = "builtin"

    def identify(self) -> Identity:
        target = "simulator" if self.name == "builtin" else "edgetpu"
        return Identity(name=self.name, version="16.0", identity=f"stand-in {self.revision}", target=target)  # type: ignore[arg-type]

    def compile(self, request: Request, *, timeout: float, progress: Progress) -> Result:
        with Path(self.log).open("a") as log:
            log.write(" ".join(source.label for source in request.sources) + "\n")
        progress("standing in")
        for source in request.sources:
            _misbehave(source)
        shared = hashlib.sha256(b"".join(source.data for source in request.sources)).hexdigest()
        members = tuple(_member(source, request.options, f"{self.revision} {shared}") for source in request.sources)
        return Result(compiler=self.identify(), options=request.options, members=members)

    def compiles(self) -> list[str]:
        """The labels of each compile so far."""
        return Path(self.log).read_text().splitlines() if Path(self.log).exists() else []

    def __call__(self, name: str, **_: object) -> StandIn:
        """What a project's ``backend`` is: whatever compiler is asked for, it is this one."""
        return self


def _misbehave(source: Source) -> None:
    if b"fail" in source.data:
        raise error("ETB312", f"`{source.label}` asked to fail", "make it well")
    if b"hang" in source.data:
        while True:
            time.sleep(0.01)
    if b"die" in source.data:
        os.kill(os.getpid(), signal.SIGKILL)
    if b"bug" in source.data:
        raise ZeroDivisionError("a bug in the compiler")
    if b"sleep=" in source.data:
        time.sleep(float(source.data.split(b"sleep=")[1].split(b" ")[0]))


def _member(source: Source, options: Options, salt: str) -> MemberResult:
    figures = _figures(len(source.data), mapped=b"float" not in source.data)
    operators = (
        OperatorResult(index=0, name="CONV_2D", target="edgetpu"),
        OperatorResult(index=1, name="SOFTMAX", target="cpu", rule="R1", reason="its input is too large"),
    )
    if b"float" in source.data:
        operators = operators[1:]
    count = options.segments or min(2, options.max_segments)
    if count == 1:
        return MemberResult(
            label=source.label,
            figures=figures,
            operators=operators,
            artifact=_artifact(source, options, salt),
            log="compiled {input} to {output}\n",
        )
    pieces = tuple(
        SegmentResult(
            index=index,
            operators=(index,),
            inputs=("in",),
            outputs=("out",),
            figures=_figures(len(source.data) // count, mapped=True),
            artifact=_artifact(source, options, f"{salt} {index}"),
            log="compiled {input} to {output}\n",
        )
        for index in range(count)
    )
    return MemberResult(label=source.label, figures=figures, operators=operators, segments=pieces)


def _artifact(source: Source, options: Options, salt: str) -> bytes:
    told = f"{salt} {options!r} {source.intermediate_tensors!r} ".encode()
    return b"compiled " + hashlib.sha256(told + source.data).hexdigest().encode() + b" " + source.data


def _figures(size: int, *, mapped: bool) -> Figures:
    return Figures(
        on_chip_available=exact(8 << 20),
        on_chip_used=exact(size),
        off_chip=exact(max(0, size - 100)),
        cached_bytes=exact(size),
        streamed_bytes=exact(max(0, size - 100)),
        edgetpu_operators=exact(int(mapped)),
        cpu_operators=exact(1),
        subgraphs=exact(int(mapped)),
        runtime_version=exact(14),
        latency_ms=estimated(size / 100),
    )

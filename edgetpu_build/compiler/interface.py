"""What a compiler is to the rest of the project: a request of bytes and options in, a result of bytes and figures out.

Both backends (``builtin``, ``google``) answer in these values, so engine, store, lock and reports need not know which
one ran. Everything here pickles: a compile may run in another process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from edgetpu_build.errors import Diagnostic
from edgetpu_build.figure import Figures

if TYPE_CHECKING:
    from edgetpu_build.compiler.text import Attempt
    from edgetpu_build.latency.constants import Clock, Link

Target = Literal["edgetpu", "simulator"]
Balance = Literal["parameters", "latency", "profile"]
Reweight = Literal["off", "auto", "only"]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything besides the models that may change an output byte. Hence all of it is in the fingerprint.

    ``segments`` 1 means no split, 0 means "auto": the smallest count, up to ``max_segments``, with nothing off-chip.
    ``delegate_step`` 0 means no delegate search. ``generation`` is the compiler that builtin predicts ("16.0").
    ``restore_metadata``: put back what Google's compiler drops; builtin drops nothing. ``link`` and ``clock``: the
    device that predicted latency, and so ``balance`` "latency", assumes. ``reweight``: whether google's artifact may be
    made from a stored one of the same architecture; "only": never by its compiler.
    """

    min_runtime_version: int = 14
    segments: int = 1
    max_segments: int = 8
    balance: Balance = "parameters"
    cuts: tuple[str, ...] = ()
    delegate_step: int = 0
    multiple_subgraphs: bool = False
    generation: str = "16.0"
    restore_metadata: bool = False
    reweight: Reweight = field(default="off", repr=False)
    link: Link = field(default="usb3", repr=False)
    clock: Clock = field(default="max", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One model to compile. ``label`` is what messages and logs call it (a file name); it changes no artifact byte."""

    label: str
    data: bytes = field(repr=False)
    intermediate_tensors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One compile: a single model, or the members of a co-compile group in order."""

    sources: tuple[Source, ...]
    options: Options = Options()


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who compiles. ``identity`` is what the fingerprint takes: a revision (builtin), a digest or version (google)."""

    name: Literal["builtin", "google"]
    version: str
    identity: str
    target: Target


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorResult:
    """Where one operator of the original runs, and why.

    ``index``: position in the original file. ``rule``: id of the deciding rule ("" when mapped). ``status``: Google's
    words for it. ``reason``: ours, with the observed value. ``hint``: what to change. ``follows``: index of the first
    blocker if this operator is on the CPU only because of another one, else -1.
    """

    index: int
    name: str
    target: Literal["edgetpu", "cpu"]
    rule: str = ""
    status: str = ""
    reason: str = ""
    hint: str = ""
    follows: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerResult:
    """Parameter memory of one operator: ``bytes`` in the blob, where they live, and why in one sentence."""

    index: int
    name: str
    bytes: int
    placement: Literal["cached", "streamed"]
    reason: str
    confidence: Literal["exact", "estimated"] = "exact"


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentResult:
    """One piece of a pipeline. ``operators``: indices in the original file. ``plain``: the uncompiled segment."""

    index: int
    operators: tuple[int, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    figures: Figures
    artifact: bytes = field(repr=False)
    log: str = ""
    plain: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberResult:
    """What became of one source. ``artifact`` is empty when segmented: then each segment holds its own.

    ``log`` is the text of the ``.log`` file without the paths' lines being resolved: ``{input}`` and ``{output}`` are
    filled in by whoever writes it. ``stdout`` is the block that Google's program prints for this model, same slots.
    """

    label: str
    figures: Figures
    operators: tuple[OperatorResult, ...]
    layers: tuple[LayerResult, ...] = ()
    artifact: bytes = field(default=b"", repr=False)
    log: str = ""
    segments: tuple[SegmentResult, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A whole unit: every member, in order, or an EdgeTpuBuildError instead. ``attempts``: of a delegate search."""

    compiler: Identity
    options: Options
    members: tuple[MemberResult, ...]
    warnings: tuple[Diagnostic, ...] = ()
    transcript: str = ""
    attempts: tuple[Attempt, ...] = ()


class Backend(Protocol):
    """A compiler. ``identify`` may start a program and is called only when something must be compiled."""

    def identify(self) -> Identity: ...

    def compile(self, request: Request, *, timeout: float, progress: Progress) -> Result: ...

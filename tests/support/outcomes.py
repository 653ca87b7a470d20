"""Made-up outcomes: what reports are tested with, no engine needed."""

from __future__ import annotations

from edgetpu_build.compiler.interface import OperatorResult
from edgetpu_build.engine.outcome import MemberOutcome, Outcome, Output, SegmentOutcome, UnitOutcome
from edgetpu_build.errors import Diagnostic
from edgetpu_build.figure import Figures, estimated, exact

MIB = 1 << 20
ROOM = 8_060_000


def figures(on_chip: float = 0, off_chip: float = 0, cpu: int = 0, *, sure: bool = True) -> Figures:
    figure = exact if sure else estimated
    return Figures(
        on_chip_available=exact(ROOM),
        on_chip_used=figure(on_chip),
        off_chip=figure(off_chip),
        cached_bytes=figure(on_chip),
        streamed_bytes=figure(off_chip),
        edgetpu_operators=exact(60),
        cpu_operators=exact(cpu),
        subgraphs=exact(1),
        runtime_version=exact(14),
    )


def output(path: str) -> Output:
    return Output(path=path, sha256="ab" * 32, size=12345)


OPERATORS = (
    OperatorResult(index=0, name="CONV_2D", target="edgetpu", status="Mapped to Edge TPU"),
    OperatorResult(
        index=1,
        name="SOFTMAX",
        target="cpu",
        rule="softmax-length",
        status="Operation is otherwise supported, but not mapped due to some unspecified limitation",
        reason="20000 elements in a row, at most 16384",
        hint="leave it to the CPU",
    ),
)


def detector(**more: object) -> UnitOutcome:
    """A model that was compiled and streams more than before."""
    member = MemberOutcome(
        name="detector",
        source="models/detector.tflite",
        outputs=(output("models/detector_edgetpu.tflite"),),
        figures=figures(3.4 * MIB, 400_000, 1),
        operators=OPERATORS,
        before=figures(3.4 * MIB, 0, 0),
    )
    values = {"name": "detector", "kind": "model", "state": "compiled", "why": "its source changed", "seconds": 0.8123}
    return UnitOutcome(**values | {"members": (member,), "compiler": "builtin 16.0", "target": "simulator"} | more)  # type: ignore[arg-type]


def backbone() -> UnitOutcome:
    """A model in four segments, out of the store."""
    segments = tuple(
        SegmentOutcome(
            index=i,
            outputs=(output(f"models/backbone_segment_{i}_of_4_edgetpu.tflite"),),
            operators=(2 * i, 2 * i + 1),
            figures=figures(6.1 * MIB),
        )
        for i in range(4)
    )
    member = MemberOutcome(
        name="backbone",
        source="models/backbone.tflite",
        outputs=tuple(o for s in segments for o in s.outputs),
        figures=Figures(),
        segments=segments,
    )
    return UnitOutcome(
        name="backbone", kind="segments", state="cached", why="found in the store", seconds=0.003, members=(member,)
    )


def front_door() -> UnitOutcome:
    """A group of two with nothing to do, estimated; one name is of wide characters."""
    members = tuple(
        MemberOutcome(
            name=name,
            source=f"{name}.tflite",
            outputs=(output(f"{name}_edgetpu.tflite"),),
            figures=figures(*sizes, sure=False),
        )
        for name, sizes in (("门口", (3 * MIB, 0, 0)), ("classifier", (2 * MIB, MIB, 2)))
    )
    return UnitOutcome(name="front-door", kind="group", state="fresh", why="nothing changed", members=members)


BUDGET = Diagnostic(
    code="ETB101",
    message="`off-chip` is 390.6 KiB, the budget allows 64.0 KiB",
    hint="raise `off-chip`, or split the model with `segments = 2`",
    file="pyproject.toml",
    line=14,
    key="off-chip",
    unit="detector",
)


def broken() -> UnitOutcome:
    fault = Diagnostic(
        code="ETB303", message="`models/b.tflite` is a Git LFS pointer", hint="`git lfs pull`", unit="broken"
    )
    return UnitOutcome(
        name="broken", kind="model", state="failed", why="its source changed", seconds=0.01, diagnostics=(fault,)
    )


def build() -> Outcome:
    """One of each."""
    return Outcome(
        command="build",
        units=(detector(diagnostics=(BUDGET,)), backbone(), front_door(), broken()),
        written=("models/detector_edgetpu.tflite", "edgetpu.lock"),
        lock_changed=True,
        seconds=4.2,
    )


def fresh(count: int) -> Outcome:
    units = tuple(detector(name=f"model-{i}", state="fresh", why="nothing changed", seconds=0.0) for i in range(count))
    quiet = tuple(UnitOutcome(name=u.name, kind=u.kind, state=u.state, why=u.why, members=()) for u in units)
    return Outcome(command="build", units=quiet)

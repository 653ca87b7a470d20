"""Pages about made-up files and builds: what the tests of the HTML report look at."""

from __future__ import annotations

from edgetpu_build.compiler.builtin import Builtin
from edgetpu_build.compiler.inspection import Inspection, inspect
from edgetpu_build.compiler.interface import Options, Request, Source
from edgetpu_build.engine.layers import Layered
from edgetpu_build.engine.outcome import MemberOutcome, Outcome, Output, SegmentOutcome, UnitOutcome
from edgetpu_build.figure import Figures, exact
from edgetpu_build.report.html import of_files, of_outcome, render
from edgetpu_build.tflite.reader import read
from tests.support import models, outcomes

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'`&\u202e\x00{{}}${x}<!--"


def file(data: bytes, label: str = "net.tflite") -> Inspection:
    return inspect(data, label=label)


def page(*files: Inspection) -> str:
    return render(of_files(files))


def blocked() -> bytes:
    """A CPU operator in the middle, others after it, an arc over it."""
    net = models.Net()
    x = net.conv(net.input((1, 16, 16, 3)), 16)
    y = net.like("ABS", net.conv(x, 16))
    return net.build([net.softmax(net.dense(net.mean(net.add(x, net.conv(y, 16))), 10))])


def compiled(data: bytes, **options: object) -> bytes:
    request = Request(sources=(Source(label="net.tflite", data=data),), options=Options(**options))  # type: ignore[arg-type]
    return Builtin().compile(request, timeout=0, progress=lambda _: None).members[0].artifact


def layered(name: str, *datas: bytes, **options: object) -> tuple[Layered, ...]:
    """A unit as the engine tells its layers."""
    sources = tuple(Source(label=f"{name}{i}.tflite", data=data) for i, data in enumerate(datas))
    result = Builtin().compile(
        Request(sources=sources, options=Options(**options)),  # type: ignore[arg-type]
        timeout=0,
        progress=lambda _: None,
    )
    return tuple(
        Layered(name=f"{name}{i}", model=read(data), result=member, figures=member.figures)
        for i, (data, member) in enumerate(zip(datas, result.members, strict=True))
    )


def unit(name: str, members: tuple[Layered, ...], before: Figures | None = None) -> UnitOutcome:
    output = Output(path=f"{name}_edgetpu.tflite", sha256="0" * 64, size=1)
    return UnitOutcome(
        name=name,
        kind="group" if len(members) > 1 else "segments" if members[0].result.segments else "model",
        state="compiled",
        why="`segments` changed from 1 to 2",
        members=tuple(
            MemberOutcome(
                name=member.name,
                source=member.result.label,
                outputs=(output,),
                figures=member.figures,
                before=before,
                segments=tuple(
                    SegmentOutcome(index=s.index, outputs=(output,), operators=s.operators, figures=s.figures)
                    for s in member.result.segments
                ),
            )
            for member in members
        ),
    )


def build() -> str:
    """A group, a segmented model that got worse, one that is blocked, one that failed."""
    made = {
        "pair": layered("pair", models.conv_net(), models.dense_net()),
        "cut": layered("cut", models.mobilenet_like(), segments=2),
        "blocked": layered("blocked", blocked()),
    }
    worse = Figures(off_chip=exact(0), on_chip_used=exact(5_000_000), cpu_operators=exact(0), subgraphs=exact(1))
    units = [unit(name, members, worse if name == "cut" else None) for name, members in made.items()]
    units[2] = UnitOutcome(
        **{name: getattr(units[2], name) for name in units[2].__slots__} | {"diagnostics": (outcomes.BUDGET,)}
    )
    found = Outcome(command="build", units=(*units, outcomes.broken()), seconds=1.5)
    return render(of_outcome("meter-reader", found, made.get))

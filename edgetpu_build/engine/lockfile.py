"""`edgetpu.lock`: what was built from what, made to be committed.

No time, host, user or absolute path; units by name, one value a line. A figure stands as a plain number; those that are
not exact are listed under ``estimated``, unknown ones are left out. Version 1, see ``locktext`` for the grammar.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgetpu_build import __version__, files
from edgetpu_build.compiler.interface import Identity, Options
from edgetpu_build.engine import locktext
from edgetpu_build.engine.fingerprint import DEFAULTS, Ingredient, Input, ingredients, matters, tag_of
from edgetpu_build.engine.outcome import MemberOutcome, Output, SegmentOutcome
from edgetpu_build.engine.plan import Kind
from edgetpu_build.errors import EdgeTpuBuildError, error
from edgetpu_build.figure import UNKNOWN, Figure, Figures

if TYPE_CHECKING:
    from edgetpu_build.engine.outcome import Outcome
    from edgetpu_build.engine.project import Project

NAME = "edgetpu.lock"
VERSION = 1
OptionValue = str | int | bool | tuple[str, ...]

_HEAD = "# Written by edgetpu-build: what was compiled from what. Commit it; do not edit it.\n"
_UNIT = "\n\n[[unit]]\n"
_NAMES = tuple(field.name for field in fields(Figures))
_FIGURES = {tag_of(name): name for name in _NAMES}
_OPTIONS = {tag_of(option.name): option.name for option in fields(Options)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedSegment:
    """One piece of a segmented member; its file is the member's output at the same position."""

    index: int
    operators: tuple[int, ...]
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedMember:
    """One model as it was compiled: ``sha256`` and ``size`` of its source, what came of it, and the figures."""

    name: str
    source: str
    sha256: str
    size: int
    outputs: tuple[Output, ...]
    figures: Figures
    intermediate_tensors: tuple[str, ...] = ()
    logs: tuple[Output, ...] = ()
    segments: tuple[LockedSegment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedUnit:
    """``options`` are complete, also where the text leaves out a default. ``reweighted_from``: SHA-256 of the artifact
    that this one was made from without a compile, "" if it was compiled.
    """

    name: str
    kind: Kind
    target: str
    compiler: Identity
    fingerprint: str
    options: Options
    members: tuple[LockedMember, ...]
    reweighted_from: str = ""

    @property
    def ingredients(self) -> tuple[Ingredient, ...]:
        """What the fingerprint was made of."""
        inputs = [Input(sha256=m.sha256, intermediate_tensors=m.intermediate_tensors) for m in self.members]
        return ingredients(self.compiler, self.options, inputs)

    @property
    def files(self) -> tuple[Output, ...]:
        """Everything that was published for it."""
        return tuple(output for member in self.members for output in member.outputs + member.logs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Units by name. ``texts``: their blocks as they were read: what did not change is written as it was."""

    units: Mapping[str, LockedUnit] = field(default_factory=dict)
    generator: str = f"edgetpu-build {__version__}"
    texts: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def files(self) -> dict[str, Output]:
        """Everything that was published, by path."""
        return {output.path: output for unit in self.units.values() for output in unit.files}

    def updated(self, units: Iterable[LockedUnit], *, keep: Iterable[str]) -> Lock:
        """With these units, and of the others those whose name is to be kept."""
        names = frozenset(keep)
        kept = {name: unit for name, unit in self.units.items() if name in names}
        new = {unit.name: unit for unit in units if unit != kept.get(unit.name)}
        texts = {name: text for name, text in self.texts.items() if name in kept and name not in new}
        return Lock(units=kept | new, texts=texts)


def read(root: Path) -> Lock | None:
    """The lock of a project, None without one. Raises ETB501 to ETB504."""
    try:
        data = files.read_bytes(os.path.join(root, NAME))
    except FileNotFoundError:
        return None
    except OSError as failure:
        raise error("ETB501", f"cannot read `{NAME}`: {failure.strerror}", file=NAME) from failure
    return parse(data)


@lru_cache(maxsize=2)  # it is read again before it is written, and is nearly always the same
def parse(data: bytes) -> Lock:
    """The lock in these bytes. Raises ETB502 to ETB504."""
    try:
        text = data.decode()
        _refuse_conflict(text)
        table = locktext.loads(text)
    except EdgeTpuBuildError:
        raise
    except ValueError as failure:
        raise _unreadable(str(failure)) from failure
    version = table.get("version")
    if not isinstance(version, int) or version < 1:
        raise _unreadable("it has no `version`")
    if version > VERSION:
        raise error(
            "ETB503",
            f"`{NAME}` is of version {version}; this edgetpu-build knows {VERSION}",
            "upgrade edgetpu-build, or delete the lock and build again",
            file=NAME,
        )
    try:
        units = [_unit(unit) for unit in table.get("unit", [])]
        blocks = text.rstrip("\n").split(_UNIT)[1:]
        return Lock(
            units={unit.name: unit for unit in units},
            generator=str(table.get("generator", "")),
            texts={unit.name: block for unit, block in zip(units, blocks)} if len(blocks) == len(units) else {},  # noqa: B905
        )
    except (KeyError, TypeError, ValueError, AttributeError) as failure:
        raise _unreadable(f"{type(failure).__name__}: {failure}") from failure


def dumps(lock: Lock) -> str:
    """The text of the lock: equal units, equal text, unless somebody edited a block that stays."""
    head = _HEAD + locktext.dumps({"version": VERSION, "generator": lock.generator})
    blocks = (lock.texts.get(name) or _unit_text(lock.units[name]) for name in sorted(lock.units))
    return _UNIT.join([head, *blocks]) + "\n"


def write(root: Path, lock: Lock) -> bool:
    """Let the lock file say this; False if its units are these already. Raises ETB501."""
    return files.write_atomic(os.path.join(root, NAME), dumps(lock).encode())


def _refuse_conflict(text: str) -> None:
    for number, line in enumerate(text.split("\n"), start=1) if "<<<<<<< " in text or ">>>>>>> " in text else ():
        if line.startswith(locktext.CONFLICT):
            raise error(
                "ETB504",
                f"`{NAME}` holds the markers of a merge conflict",
                f"take either side (`git checkout --ours {NAME}`), then run `edgetpu-build build`",
                file=NAME,
                line=number,
            )


def _unreadable(reason: str) -> EdgeTpuBuildError:
    hint = f"restore it (`git checkout {NAME}`), or delete it and run `edgetpu-build build`"
    return error("ETB502", f"`{NAME}` cannot be read: {reason}", hint, file=NAME)


def _unit_text(unit: LockedUnit) -> str:
    return locktext.dumps(_unit_table(unit), within="unit.")


def _unit_table(unit: LockedUnit) -> dict[str, Any]:
    return {
        "name": unit.name,
        "kind": unit.kind,
        "target": unit.target,
        "compiler": unit.compiler.name,
        "compiler-version": unit.compiler.version,
        "compiler-identity": unit.compiler.identity,
        "fingerprint": unit.fingerprint,
        **({"reweighted-from": unit.reweighted_from} if unit.reweighted_from else {}),
        "options": dict(_changed_options(unit)),
        "member": [_member_table(member) for member in unit.members],
    }


def _changed_options(unit: LockedUnit) -> Iterable[tuple[str, OptionValue]]:
    for tag, name in _OPTIONS.items():
        value = getattr(unit.options, name)
        told = name == "min_runtime_version" or value != getattr(DEFAULTS, name)
        if told and matters(unit.compiler.name, name):
            yield tag, value


def _member_table(member: LockedMember) -> dict[str, Any]:
    table: dict[str, Any] = {
        "name": member.name,
        "source": member.source,
        "source-sha256": member.sha256,
        "source-size": member.size,
    }
    if member.intermediate_tensors:
        table["intermediate-tensors"] = member.intermediate_tensors
    table["figures"] = _figures_table(member.figures)
    table["output"] = [_output_table(output) for output in member.outputs]
    table |= {"log": [_output_table(log) for log in member.logs]} if member.logs else {}
    return table | ({"segment": [_segment_table(s) for s in member.segments]} if member.segments else {})


def _segment_table(segment: LockedSegment) -> dict[str, Any]:
    figures = _figures_table(segment.figures)
    return {"index": segment.index, "operators": segment.operators, "figures": figures}


def _output_table(output: Output) -> dict[str, Any]:
    table: dict[str, Any] = {"path": output.path, "sha256": output.sha256}
    if output.masked_sha256:
        table["masked-sha256"] = output.masked_sha256
    return table | {"size": output.size}


def _figures_table(figures: Figures) -> dict[str, Any]:
    known = {name: getattr(figures, name) for name in _NAMES if getattr(figures, name).value is not None}
    table: dict[str, Any] = {tag_of(name): figure.value for name, figure in known.items()}
    guessed = [tag_of(name) for name, figure in known.items() if figure.confidence != "exact"]
    return table | ({"estimated": guessed} if guessed else {})


def _unit(table: Mapping[str, Any]) -> LockedUnit:
    options: dict[str, Any] = {
        _OPTIONS[tag]: tuple(value) if isinstance(value, list) else value for tag, value in table["options"].items()
    }
    return LockedUnit(
        name=_text(table["name"]),
        kind=_one_of(table["kind"], ("model", "group", "segments")),
        target=_one_of(table["target"], ("edgetpu", "simulator")),
        compiler=_compiler(table["compiler"], table["compiler-version"], table["compiler-identity"], table["target"]),
        fingerprint=_text(table["fingerprint"]),
        options=Options(**options) if options else DEFAULTS,
        members=tuple(map(_member, table["member"])),
        reweighted_from=_text(table.get("reweighted-from", "")),
    )


@lru_cache(maxsize=64)  # most units have the same
def _compiler(name: object, version: object, identity: object, target: Any) -> Identity:
    known = _one_of(name, ("builtin", "google"))
    return Identity(name=known, version=_text(version), identity=_text(identity), target=target)


def _member(table: Mapping[str, Any]) -> LockedMember:
    return LockedMember(
        name=_text(table["name"]),
        source=_text(table["source"]),
        sha256=_text(table["source-sha256"]),
        size=int(table["source-size"]),
        outputs=tuple(map(_output, table["output"])),
        figures=_figures(table["figures"]),
        intermediate_tensors=tuple(table.get("intermediate-tensors", ())),
        logs=tuple(map(_output, table.get("log", ()))),
        segments=tuple(
            LockedSegment(index=s["index"], operators=tuple(s["operators"]), figures=_figures(s["figures"]))
            for s in table.get("segment", ())
        ),
    )


def _output(table: Mapping[str, Any]) -> Output:
    path = _text(table["path"])
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError(f"`{path}` leaves the project")
    masked = table.get("masked-sha256", "")
    return Output(path=path, sha256=_text(table["sha256"]), size=int(table["size"]), masked_sha256=masked)


_SEEN: dict[tuple[float, type, bool], Figure] = {}


def _figures(table: Mapping[str, Any]) -> Figures:
    guessed: Sequence[str] = table.get("estimated", ())
    return Figures(
        **{_FIGURES[tag]: _figure(value, tag in guessed) for tag, value in table.items() if tag != "estimated"}
    )


def _figure(value: float, guessed: bool) -> Figure:
    """Most units have most numbers in common, and making a thousand equal values takes its time."""
    key = (value, type(value), guessed)
    found = _SEEN.get(key)
    if found is None:
        found = _SEEN[key] = Figure(_number(value), "estimated" if guessed else "exact")
    return found


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"`{value}` is not a number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"`{value}` is not a text")
    return value


def _one_of(value: object, allowed: tuple[str, ...]) -> Any:
    if value not in allowed:
        raise ValueError(f"`{value}` is none of {', '.join(allowed)}")
    return value


def as_outcome(member: LockedMember, before: Figures | None = None) -> MemberOutcome:
    """What the lock knows of a member, as the reports want it."""
    segments = tuple(
        SegmentOutcome(index=s.index, outputs=(output,), operators=s.operators, figures=s.figures)
        for s, output in zip(member.segments, member.outputs)  # noqa: B905 - uncut: one output, no segments
    )
    return MemberOutcome(
        name=member.name,
        source=member.source,
        outputs=member.outputs,
        figures=member.figures,
        segments=segments,
        before=before,
        logs=member.logs,
    )


def without_range(figures: Figures) -> Figures:
    """As the lock keeps them: it has no room for ranges."""
    return Figures(
        **{
            name: UNKNOWN if figure.value is None else _figure(figure.value, figure.confidence != "exact")
            for name in _NAMES
            for figure in (getattr(figures, name),)
        }
    )


def same_but_token(one: LockedUnit, other: LockedUnit) -> bool:
    """Whether two entries say the same but for the caching tokens in the outputs."""
    return _tokenless(one) == _tokenless(other)


def _tokenless(unit: LockedUnit) -> LockedUnit:
    def masked(output: Output) -> Output:
        return replace(output, sha256=output.masked_sha256 or output.sha256)

    members = (replace(m, outputs=tuple(map(masked, m.outputs))) for m in unit.members)
    return replace(unit, members=tuple(members))


def refresh(project: Project, *, upgrade: bool = False) -> Outcome:
    """The command `lock`: write the lock from what exists, or with ``upgrade`` from what today's compiler makes."""
    from edgetpu_build.engine.refresh import refresh as do

    return do(project, upgrade=upgrade)

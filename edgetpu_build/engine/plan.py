"""Config and the files that are there -> the units to build. The only place that expands globs and names outputs."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edgetpu_build.compiler import choose
from edgetpu_build.compiler.interface import Options
from edgetpu_build.config.model import Budget, CompilerChoice, Config, DeviceConfig, GroupConfig, ModelConfig
from edgetpu_build.engine.tree import Tree, WorkTree, is_pattern
from edgetpu_build.errors import Diagnostic, EdgeTpuBuildError, error, warning

Kind = Literal["model", "group", "segments"]

NO_BUDGET = Budget()
_MOST_PIECES = 65

_REFUSED = {
    "missing": ("does not exist", "check the path, or fetch the file"),
    "folder": ("is a folder", "name a `.tflite` file, or a glob such as `models/*.tflite`"),
    "special": ("is not a regular file", "name a `.tflite` file"),
    "unreadable": ("cannot be looked at", "check the permissions of its folders"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One model of a unit. Paths are POSIX, relative to the project.

    ``outputs`` has one path, or one a segment. For ``segments = "auto"`` the count is not known yet: ``outputs`` is
    empty and ``output_pattern`` (with ``{index}`` and ``{count}``) names them once it is; ``output_whole`` where it
    stays uncut.
    """

    name: str
    source: str
    outputs: tuple[str, ...]
    output_pattern: str = ""
    output_whole: str = ""
    intermediate_tensors: tuple[str, ...] = ()
    wheel_path: str | None = None
    ship: bool = True
    budget: Budget = NO_BUDGET
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What is compiled, stored and published as one: a model, a segmented model, or a group."""

    name: str
    kind: Kind
    members: tuple[Member, ...]
    options: Options
    compiler: CompilerChoice = "auto"
    timeout: float = 180.0
    budget: Budget = NO_BUDGET
    calls: Mapping[str, float] = field(default_factory=dict)
    auto_order: bool = False
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Units in the order of the configuration (groups stand where their first member stood)."""

    units: tuple[Unit, ...]
    warnings: tuple[Diagnostic, ...] = ()

    folders: tuple[str, ...] = ()


def plan(config: Config, root: Path, *, tree: Tree | None = None, known_outputs: Iterable[str] = ()) -> Plan:
    """The units of a configuration, all problems told at once: ETB207 to ETB213.

    ``tree``: where files are looked for, the working tree by default. ``known_outputs``: compiled files of earlier
    builds, which no glob finds whatever their names. ``Plan.folders``: those whose entries decided what globs found.
    """
    tree = tree or WorkTree(os.fspath(root))
    problems: list[Diagnostic] = []
    models = [model for entry in config.models for model in _models(entry, tree, problems)]
    models = _without_outputs(models, frozenset(known_outputs))
    _check_names(models, problems)
    _check_sources(models, tree, problems)
    _check_outputs(models, tree, problems)
    units = _units(config, models, problems)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise EdgeTpuBuildError(*errors)
    folders = tuple(sorted(tree.folders)) if isinstance(tree, WorkTree) else ()
    return Plan(units=units, warnings=tuple(problems), folders=folders)


def select(plan: Plan, names: Sequence[str]) -> tuple[Unit, ...]:
    """The units called so, or that hold members called so; a glob's key means all its models. ETB209 for others."""
    if not names:
        return plan.units
    called: dict[str, set[str]] = {}
    for unit in plan.units:
        for name in (unit.name, *(member.name for member in unit.members)):
            called.setdefault(name, set()).add(unit.name)
            called.setdefault(name.partition("[")[0], set()).add(unit.name)
    unknown = [name for name in names if name not in called]
    if unknown:
        raise EdgeTpuBuildError(*(_unknown(name, called) for name in unknown))
    chosen = set().union(*(called[name] for name in names))
    return tuple(unit for unit in plan.units if unit.name in chosen)


def output_paths(member: Member, count: int) -> tuple[str, ...]:
    """Where the files of a member go that came out in ``count`` pieces (1: whole)."""
    if member.outputs and not member.output_pattern:
        return member.outputs
    if count == 1 and member.output_whole:
        return (member.output_whole,)
    return tuple(_numbered(member.output_pattern, index, count) for index in range(count))


def all_outputs(units: Iterable[Unit]) -> Iterator[str]:
    """Every path that these units may write, logs apart."""
    for member in (member for unit in units for member in unit.members):
        yield from member.outputs
        if member.output_pattern:
            yield member.output_whole
            yield from (path for count in range(2, _MOST_PIECES) for path in output_paths(member, count))


def log_path(output: str) -> str:
    """The text that a compiler writes about an output stands beside it."""
    return output.removesuffix(".tflite") + ".log"


class _Model:
    """A configured model with one of its sources; ``name`` is `KEY[stem]` where a glob found it.

    ``outputs``: every path that it may be compiled to, for "auto" those of each count. ``whole``: where it goes uncut,
    "" if the configuration names its pieces only.
    """

    __slots__ = ("config", "name", "outputs", "pattern", "segments", "source", "stem", "whole")

    def __init__(self, config: ModelConfig, source: str, *, found: bool) -> None:
        self.config, self.source = config, source
        self.stem = posixpath.basename(source).removesuffix(".tflite")
        self.name = f"{config.name}[{self.stem}]" if found else config.name
        self.segments = len(config.cuts) + 1 if config.cuts else config.segments
        self.whole = "" if config.output and self.segments != 1 else self._path("{stem}_edgetpu.tflite")
        self.pattern = "" if self.segments == 1 else self._path("{stem}_segment_{index}_of_{count}_edgetpu.tflite")
        self.outputs = (self.whole,) if self.segments == 1 else self._pieces()

    def place(self, key: str) -> dict[str, str | int]:
        lines = self.config.lines
        full = f"tool.edgetpu.models.{self.config.name}.{key}"
        return {"file": "pyproject.toml", "line": lines.get(key, lines.get("", 0)), "key": full, "unit": self.name}

    def _path(self, default: str) -> str:
        folder = posixpath.dirname(self.source) if self.config.out_dir is None else self.config.out_dir
        path = self.config.output or posixpath.join(folder, default)
        return _clean(path.replace("{stem}", self.stem))

    def _pieces(self) -> tuple[str, ...]:
        counts = [self.segments] if self.segments else range(1, self.config.max_segments + 1)
        pieces = [_numbered(self.pattern, index, count) for count in counts for index in range(count)]
        return tuple(dict.fromkeys(pieces + ([self.whole] if self.whole and not self.segments else [])))


def _clean(path: str) -> str:
    return posixpath.normpath(path)


def _numbered(pattern: str, index: int, count: int) -> str:
    return pattern.replace("{index}", str(index)).replace("{count}", str(count))


def _models(model: ModelConfig, tree: Tree, problems: list[Diagnostic]) -> list[_Model]:
    source = _clean(model.source)
    if not is_pattern(source) or tree.kind(source) == "file":
        return [_Model(model, source, found=False)]
    found = [path for path in tree.matches(source) if not path.endswith("_edgetpu.tflite")]
    if not found:
        hint = "compiled files (`*_edgetpu.tflite`) are never matched"
        place = _Model(model, source, found=False).place("source")
        problems.append(error("ETB211", f"no file matches `{model.source}`", hint, **place).diagnostics[0])
    return [_Model(model, path, found=True) for path in found]


def _without_outputs(models: list[_Model], known: frozenset[str]) -> list[_Model]:
    """Less those that are themselves outputs: what a build wrote must never become the source of the next."""
    found = [model for model in models if model.name != model.config.name]
    if not found:
        return models
    outputs = set(known).union(*(model.outputs for model in models if model.name == model.config.name))
    dropped = set()
    for model in sorted(found, key=lambda model: len(model.source)):
        if model.source in outputs:
            dropped.add(model)
        else:
            outputs |= set(model.outputs) - {model.source}
    return [model for model in models if model not in dropped]


def _check_names(models: list[_Model], problems: list[Diagnostic]) -> None:
    first: dict[str, _Model] = {}
    for model in models:
        other = first.setdefault(model.name, model)
        if other is not model:
            message = f"`{other.source}` and `{model.source}` are both called `{model.name}`"
            problems.append(
                error("ETB208", message, "give each folder a table of its own", **model.place("source")).diagnostics[0]
            )


def _check_sources(models: list[_Model], tree: Tree, problems: list[Diagnostic]) -> None:
    for model in models:
        found = tree.kind(model.source)
        if found in _REFUSED:
            message, hint = _REFUSED[found]
            text = f"source `{model.source}` {message}"
            problems.append(error("ETB211", text, hint, **model.place("source")).diagnostics[0])
        elif not _outside(model.source) and tree.leaves(model.source):
            text = f"source `{model.source}` is a symlink that leaves the project"
            hint = "it cannot travel in an sdist; copy the model into the project"
            problems.append(warning("ETB210", text, hint, **model.place("source")))


def _check_outputs(models: list[_Model], tree: Tree, problems: list[Diagnostic]) -> None:
    taken = {name: f"`{name}` itself" for name in ("pyproject.toml", "edgetpu.lock")}
    taken |= {model.source.casefold(): f"the source of `{model.name}`" for model in models}
    for model in models:
        for path in model.outputs:
            if _outside(path) or tree.leaves(path):
                text, hint = f"output `{path}` leaves the project", "outputs stay inside the project"
                problems.append(error("ETB210", text, hint, **model.place("output")).diagnostics[0])
                break
            other = taken.setdefault(path.casefold(), f"an output of `{model.name}`")
            if other != f"an output of `{model.name}`":
                text = f"output `{path}` of `{model.name}` falls on {other}"
                hint = "set another `output` or `out-dir`; upper and lower case count as one"
                problems.append(error("ETB212", text, hint, **model.place("output")).diagnostics[0])
                break


def _outside(path: str) -> bool:
    return path == ".." or path.startswith(("/", "../"))


def _units(config: Config, models: list[_Model], problems: list[Diagnostic]) -> tuple[Unit, ...]:
    generation = _generation(config)
    groups: dict[str, tuple[GroupConfig, list[_Model]]] = {}
    for group in config.groups:
        members = _members(group, models, problems)
        groups |= {member.name: (group, members) for member in members}
    units: dict[str, Unit] = {}
    for model in models:
        if model.name not in groups:
            units[model.name] = _single(model, config.device, generation)
            continue
        group, members = groups[model.name]
        if group.name not in units:
            units[group.name] = _group(group, members, config.device, generation)
    return tuple(units.values())


def _generation(config: Config) -> str:
    """What builtin would predict. That it may predict none of those allowed is told when it is asked to compile."""
    try:
        return choose.generation(config.requires_compiler)
    except EdgeTpuBuildError:
        return choose.DEFAULT_GENERATION


def _members(group: GroupConfig, models: list[_Model], problems: list[Diagnostic]) -> list[_Model]:
    found = []
    for name in group.models:
        named = [m for m in models if m.name == name] or [m for m in models if m.config.name == name]
        if not named:
            full = f"tool.edgetpu.groups.{group.name}.models"
            text = f"`{name}` in group `{group.name}` is no model that was found"
            place: dict[str, str | int] = {"file": "pyproject.toml", "line": group.lines.get("models", 0), "key": full}
            problems.append(error("ETB209", text, "", unit=group.name, **place).diagnostics[0])
        found += named
    return found


def _single(model: _Model, device: DeviceConfig, generation: str) -> Unit:
    own, segments = model.config, model.segments
    return Unit(
        name=model.name,
        kind="model" if segments == 1 else "segments",
        members=(_member(model),),
        options=Options(
            min_runtime_version=own.min_runtime_version,
            segments=segments,
            max_segments=own.max_segments if segments == 0 else Options().max_segments,
            balance="parameters" if segments == 1 or own.cuts else own.balance,
            cuts=own.cuts,
            delegate_step=own.search_delegate,
            multiple_subgraphs=own.multiple_subgraphs,
            restore_metadata=own.restore_metadata,
            reweight=own.reweight,
            generation=generation,
            link=device.link,
            clock=device.clock,
        ),
        compiler=own.compiler,
        timeout=own.timeout,
        budget=own.budget,
        line=own.lines.get("", 0),
    )


def _group(group: GroupConfig, members: list[_Model], device: DeviceConfig, generation: str) -> Unit:
    first = members[0].config
    return Unit(
        name=group.name,
        kind="group",
        members=tuple(map(_member, members)),
        options=Options(
            min_runtime_version=first.min_runtime_version,
            multiple_subgraphs=first.multiple_subgraphs,
            restore_metadata=first.restore_metadata,
            generation=generation,
            link=device.link,
            clock=device.clock,
        ),
        compiler=group.compiler,
        timeout=group.timeout,
        budget=group.budget,
        calls=group.calls,
        auto_order=group.order == "auto",
        line=group.lines.get("", 0),
    )


def _member(model: _Model) -> Member:
    own, auto = model.config, model.segments == 0
    return Member(
        name=model.name,
        source=model.source,
        outputs=() if auto else model.outputs,
        output_pattern=model.pattern if auto else "",
        output_whole=model.whole if auto else "",
        intermediate_tensors=own.intermediate_tensors,
        wheel_path=own.wheel_path,
        ship=own.ship,
        budget=own.budget,
        line=own.lines.get("", 0),
    )


def _unknown(name: str, known: Iterable[str]) -> Diagnostic:
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(sorted(known)[:12]) or 'none'}"
    return error("ETB209", f"`{name}` is neither a model nor a group of this project", hint).diagnostics[0]

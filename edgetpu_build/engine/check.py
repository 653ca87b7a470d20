"""Does what is there agree: configuration, lock, sources, outputs, budgets. Compiles nothing, starts no compiler."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from edgetpu_build import noop
from edgetpu_build.config.load import memo_path, parse
from edgetpu_build.config.model import Config
from edgetpu_build.engine import baseline, budget, git, lockfile, statindex
from edgetpu_build.engine.compilers import Compilers
from edgetpu_build.engine.decide import Contents, Decision, decide, why_broken
from edgetpu_build.engine.lockfile import Lock, as_outcome
from edgetpu_build.engine.make import blank, described
from edgetpu_build.engine.order import in_order
from edgetpu_build.engine.outcome import Outcome, UnitOutcome
from edgetpu_build.engine.plan import Plan, Unit, plan, select
from edgetpu_build.engine.project import PYPROJECT, Project
from edgetpu_build.engine.staged import Staged
from edgetpu_build.engine.statindex import StatIndex
from edgetpu_build.engine.tree import Tree, WorkTree
from edgetpu_build.errors import Diagnostic, EdgeTpuBuildError, error, warning
from edgetpu_build.figure import Figures

_BUILD = "run `edgetpu-build build`, then commit what it wrote"


class _Scene(NamedTuple):
    """What is judged: the working tree, or git's index."""

    config: Config
    lock: Lock | None
    tree: Tree
    contents: Contents
    staged: Staged | None = None


def check(project: Project, names: Sequence[str] = (), *, staged: bool = False, base: str | None = None) -> Outcome:
    """Judge the named units (all by default). ``staged``: what git's index holds. ``base``: commit for `growth`.

    Raises ETB2nn for the configuration, ETB209 for an unknown ``base``, ETB502 to ETB504 for the lock.
    """
    started = time.monotonic()
    scene = _staged(project) if staged else _worktree(project)
    lock = scene.lock or Lock()
    planned = plan(scene.config, project.root, tree=scene.tree, known_outputs=lock.files)
    units = tuple(in_order(unit, scene.contents, lock, as_locked=True) for unit in select(planned, names))
    if scene.staged:
        scene.staged.prepare([*(m.source for unit in units for m in unit.members), *lock.files])
    compilers = Compilers(scene.config, lock, project.backend)
    verdicts = [_verdict(unit, compilers, scene, lock) for unit in units]
    verdicts = _without_excused(verdicts, project, scene)
    before = _before(project, units, lock, base)
    outcome = Outcome(
        command="check",
        units=tuple(_judged(unit, verdict, before) for unit, verdict in zip(units, verdicts, strict=True)),
        diagnostics=(*_missed(scene.config), *planned.warnings, *(() if names else _undeclared(lock, planned))),
        seconds=time.monotonic() - started,
    )
    if isinstance(scene.contents, StatIndex):
        scene.contents.save()
        if not names and base is None:
            _remember(project, scene.contents, planned, outcome)
    return outcome


def _remember(project: Project, index: StatIndex, planned: Plan, outcome: Outcome) -> None:
    """Let the next one be answered at once if nothing was found, and nothing but these files decided."""
    excused = any(unit.why == _NOT_KEPT for unit in outcome.units)
    if outcome.has_news or excused or noop.switched(project.env) or budget.wants_baseline(planned.units):
        statindex.forget(project, "check")
    else:
        paths = [*outcome.paths, *planned.folders]
        statindex.remember(project, "check", paths, index, units=len(outcome.units))


def _worktree(project: Project) -> _Scene:
    root = str(project.root)
    tree = WorkTree(root)
    return _Scene(
        config=project.config,
        lock=lockfile.read(project.root),
        tree=tree,
        contents=StatIndex(root, project.state, time.time_ns(), looks=tree.looks),
    )


def _staged(project: Project) -> _Scene:
    index = Staged(project.root, project.state, project.env)
    if index.kind(PYPROJECT) == "missing":
        raise error("ETB201", f"`{PYPROJECT}` is not in git's index", f"run `git add {PYPROJECT}`", file=PYPROJECT)
    text = index.read(PYPROJECT).decode("utf-8", "replace")
    memo = memo_path(project.root, project.env)
    config = parse(text, project.env, is_file=lambda path: index.kind(path) == "file", memo=memo)
    lock = lockfile.parse(index.read(lockfile.NAME)) if index.kind(lockfile.NAME) == "file" else None
    return _Scene(config=config, lock=lock, tree=index, contents=index, staged=index)


def _verdict(unit: Unit, compilers: Compilers, scene: _Scene, lock: Lock) -> Decision | UnitOutcome:
    try:
        identity = compilers.known(unit, as_locked=True)
        return decide(unit, identity, lock, scene.contents, logs=scene.config.ship_logs)
    except EdgeTpuBuildError as failure:
        told = tuple(d.at(unit=unit.name, file=PYPROJECT, line=unit.line) for d in failure.diagnostics)
        return replace(blank(unit, "failed", told[0].message), diagnostics=told)


def _without_excused(
    verdicts: list[Decision | UnitOutcome], project: Project, scene: _Scene
) -> list[Decision | UnitOutcome]:
    """A missing output is no finding where git does not keep it: a fresh clone passes."""
    broken = [v for v in verdicts if isinstance(v, Decision) and not v.fresh and not v.stale and v.locked]
    if not broken:
        return verdicts
    files = [output.path for v in broken if v.locked for output in v.locked.files]
    missing = [path for path in files if scene.contents.digest(path) is None]
    excused = frozenset(missing) if scene.staged else _not_kept(project, missing)
    excusable = [v for v in broken if _only_missing(v, scene.contents, excused)]
    return [v._replace(fresh=True, why=_NOT_KEPT) if v in excusable else v for v in verdicts]


_NOT_KEPT = "sources, options and compiler are as the lock says; git does not keep the outputs"


def _not_kept(project: Project, missing: list[str]) -> frozenset[str]:
    ignored = git.ignored(project.root, missing, project.env) if missing else None
    return ignored or frozenset()


def _only_missing(decision: Decision, contents: Contents, excused: frozenset[str]) -> bool:
    if decision.locked is None:
        return False
    return not why_broken(decision.locked, [o for o in decision.locked.files if o.path not in excused], contents)


def _judged(unit: Unit, verdict: Decision | UnitOutcome, before: dict[str, Figures]) -> UnitOutcome:
    if isinstance(verdict, UnitOutcome):
        return verdict
    found: tuple[Diagnostic, ...] = ()
    place: dict[str, str | int] = {"unit": unit.name, "file": PYPROJECT, "line": unit.line}
    if verdict.stale:
        found += error("ETB103", f"the lock is not right for `{unit.name}`: {verdict.why}", _BUILD, **place).diagnostics
    elif not verdict.fresh:
        found += error("ETB104", verdict.why, _BUILD, **place).diagnostics
    locked = verdict.locked
    if locked is None or [m.name for m in locked.members] != [m.name for m in unit.members]:
        return replace(blank(unit, "stale", verdict.why), diagnostics=found)
    members = tuple(as_outcome(member, member.figures) for member in locked.members)
    found += budget.nothing_mapped(unit, members) + budget.judge(unit, members, before)
    outcome = described(unit, "fresh" if verdict.fresh else "stale", verdict.why, locked, members)
    return replace(outcome, diagnostics=tuple(told.at(unit=unit.name) for told in found)) if found else outcome


def _before(project: Project, units: tuple[Unit, ...], lock: Lock, base: str | None) -> dict[str, Figures]:
    if base is not None:
        return baseline.figures(baseline.at(project, base))
    return baseline.committed(project, lock) if budget.wants_baseline(units) else {}


def _undeclared(lock: Lock, planned: Plan) -> Iterator[Diagnostic]:
    declared = {unit.name for unit in planned.units}
    for name in lock.units:
        if name not in declared:
            message = f"the lock has `{name}`, which is not declared any more"
            yield from error("ETB103", message, _BUILD, file=lockfile.NAME, unit=name).diagnostics


def _missed(config: Config) -> Iterator[Diagnostic]:
    yield from config.warnings
    if not config.hook_enabled:
        message = "wheels are built without compiled models: `[tool.hatch.build.hooks.edgetpu]` is missing"
        yield warning(
            "ETB107", message, "add that table (it may be empty), or run `edgetpu-build init`", file=PYPROJECT
        )
    elif config.uses_uv and not config.uv_cache_keys:
        message = "uv does not notice changed models: `[tool.uv]` has no `cache-keys`"
        yield warning("ETB107", message, "`edgetpu-build init` writes them", file=PYPROJECT)

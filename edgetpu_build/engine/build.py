"""The one orchestrator: Config -> Plan -> Fingerprint -> stored or compiled -> published -> Lock -> Outcome."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from edgetpu_build import noop
from edgetpu_build.engine import baseline, budget, executor, lockfile, statindex
from edgetpu_build.engine.compilers import Compilers, builtin_path
from edgetpu_build.engine.decide import Decision, decide
from edgetpu_build.engine.lockfile import Lock, LockedUnit, as_outcome, same_but_token
from edgetpu_build.engine.make import Attempt, Making, blank, described, failed, make
from edgetpu_build.engine.order import in_order
from edgetpu_build.engine.outcome import Outcome, UnitOutcome
from edgetpu_build.engine.plan import Plan, Unit, all_outputs, plan, select
from edgetpu_build.engine.project import Project
from edgetpu_build.engine.publish import sweep, withdraw
from edgetpu_build.engine.statindex import StatIndex
from edgetpu_build.engine.tree import EitherTree, ListedTree, WorkTree
from edgetpu_build.errors import Diagnostic, EdgeTpuBuildError, error, warning

Progress = Callable[[str, str], None]
"""Called with a unit's name and what happens to it: "compiling", a compiler's own words, then "done" or "failed"."""


class Mode(NamedTuple):
    """How far a build may go. ``upgrade``: take the compiler that is there now, not the lock's. ``existing``: compile
    nothing, but lock what is there."""

    command: str = "build"
    force: bool = False
    locked: bool = False
    frozen: bool = False
    fail_fast: bool = False
    dry_run: bool = False
    sdist: bool = False
    upgrade: bool = False
    existing: bool = False
    farm: str = ""

    @property
    def as_locked(self) -> bool:
        """Whether compiler and order are those of the lock, whatever is there now."""
        return self.frozen or self.sdist or self.existing

    @property
    def writes(self) -> bool:
        """Whether the lock may change, and with it what is remembered of the project."""
        return not (self.locked or self.frozen or self.dry_run or self.sdist)


def build(
    project: Project,
    names: Sequence[str] = (),
    *,
    force: bool = False,
    locked: bool = False,
    frozen: bool = False,
    jobs: int = 0,
    fail_fast: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
    sdist: bool = False,
    farm: str = "",
) -> Outcome:
    """Bring the named units (all by default) up to date. Every unit is tried; what is wrong with one is in its outcome.

    ``locked``: nothing is built that would change the lock. ``frozen``: nothing is compiled. ``jobs``: compiles at a
    time, 0 as configured. ``fail_fast``: nothing new is started after a failure. ``dry_run``: writes nothing.
    ``sdist``: an unpacked sdist, where content alone counts and nothing is written. ``farm``: `dask://HOST:PORT` of the
    scheduler whose workers compile. Raises ETB2nn for the configuration and ETB502 to ETB504 for the lock.
    """
    mode = Mode(
        force=force,
        locked=locked,
        frozen=frozen or project.config.frozen,
        fail_fast=fail_fast,
        dry_run=dry_run,
        sdist=sdist,
        farm=farm,
    )
    return run(project, names, mode, jobs=jobs, say=progress or silent)


def run(project: Project, names: Sequence[str], mode: Mode, *, jobs: int = 0, say: Progress) -> Outcome:
    """The path itself."""
    started, now_ns = time.monotonic(), time.time_ns()
    lock = lockfile.read(project.root) or Lock()
    tree = WorkTree(str(project.root))
    planned = _plan(project, lock, mode, tree)
    index = StatIndex(str(project.root), project.state, now_ns, trust=not mode.sdist, looks=tree.looks)
    units = [in_order(unit, index, lock, as_locked=mode.as_locked) for unit in select(planned, names)]
    compilers = Compilers(project.config, lock, project.backend, upgrade=mode.upgrade)

    verdicts = [_settle(_decide(unit, compilers, lock, index, project, mode), mode) for unit in units]
    tree.looks.clear()  # compiling takes its time: whoever asks again must look again
    todo = [verdict for verdict in verdicts if isinstance(verdict, Decision)]
    making = Making(
        root=project.root,
        store=project.store,
        compilers=compilers,
        lock=lock,
        contents=index,
        say=_one_at_a_time(say),
        logs=project.config.ship_logs,
        force=mode.force,
        frozen=mode.frozen or mode.existing,
    )
    made = {attempt.outcome.name: attempt for attempt in _make_all(todo, making, jobs or project.config.jobs, mode)}
    attempts = [_after(verdict, made) if isinstance(verdict, Decision) else verdict for verdict in verdicts]

    entries = [attempt.locked for attempt in attempts if attempt.locked]
    new = lock.updated(entries, keep=(unit.name for unit in planned.units))
    removed, left = _withdraw_orphans(project, lock, new, planned, index, mode)
    lock_changed = mode.writes and new.units != lock.units and _write_lock(project, entries, planned)
    project.store.flush()
    outcome = Outcome(
        command=mode.command,
        units=tuple(_judged(attempts, units, lock, project, mode)),
        diagnostics=(*project.config.warnings, *planned.warnings, *compilers.notes, *left, *project.store.warnings),
        written=tuple(path for a in attempts for path in a.written) + (lockfile.NAME,) * lock_changed + removed,
        removed=removed,
        lock_changed=lock_changed,
        seconds=time.monotonic() - started,
    )
    if mode.writes:
        sweep(project.root, new.files)
        index.save()
        _remember(project, planned, outcome, index, whole=not names)
    return outcome


def _plan(project: Project, lock: Lock, mode: Mode, tree: WorkTree) -> Plan:
    if not mode.sdist:
        return plan(project.config, project.root, tree=tree, known_outputs=lock.files)
    travelled = ListedTree(member.source for unit in lock.units.values() for member in unit.members)
    found = plan(project.config, project.root, tree=EitherTree(tree, travelled), known_outputs=lock.files)
    return replace(found, units=tuple(unit for unit in found.units if any(member.ship for member in unit.members)))


def _decide(
    unit: Unit, compilers: Compilers, lock: Lock, index: StatIndex, project: Project, mode: Mode
) -> Decision | Attempt:
    try:
        identity = compilers.known(unit, as_locked=mode.as_locked)
        decision = decide(unit, identity, lock, index, logs=project.config.ship_logs, sdist=mode.sdist)
    except EdgeTpuBuildError as failure:
        return failed(unit, failure)
    if mode.force and decision.fresh:
        return decision._replace(fresh=False, why="`--force` was given")
    return decision


def _settle(verdict: Decision | Attempt, mode: Mode) -> Decision | Attempt:
    """What needs no making, or must not be made, is done."""
    if isinstance(verdict, Attempt):
        return verdict
    unit, locked = verdict.unit, verdict.locked
    if verdict.fresh and locked:
        members = tuple(as_outcome(member, member.figures) for member in locked.members)
        return Attempt(outcome=described(unit, "fresh", verdict.why, locked, members))
    if mode.dry_run:
        return Attempt(outcome=blank(unit, "stale", verdict.why))
    if verdict.stale and (mode.locked or mode.frozen or mode.sdist):
        hint = "run `edgetpu-build build` and commit the lock"
        return _stale(
            unit, verdict.why, error("ETB103", f"the lock is not right for `{unit.name}`: {verdict.why}", hint)
        )
    if mode.sdist:
        hint = "the sdist must carry what its wheel needs: look for `exclude` in `[tool.hatch.build]`"
        return _stale(unit, verdict.why, error("ETB104", verdict.why, hint))
    return verdict


def _stale(unit: Unit, why: str, failure: EdgeTpuBuildError) -> Attempt:
    attempt = failed(unit, failure, why)
    return attempt._replace(outcome=replace(attempt.outcome, state="stale"))


def _make_all(todo: list[Decision], making: Making, jobs: int, mode: Mode) -> Iterator[Attempt]:
    if not todo:
        return
    jobs = jobs or (0 if mode.farm else _fitting(todo, making))
    weights = [_weight(decision, making) for decision in todo]
    with executor.compiling(weights, jobs, mode.farm) as (each, compile_):
        armed = making._replace(compile=compile_)
        for attempt in each(lambda decision: make(decision, armed), todo):
            yield attempt
            if mode.fail_fast and attempt.outcome.state == "failed":
                return


def _weight(decision: Decision, making: Making) -> int:
    """Bytes to compile; without bound for a compiler that is a program of its own."""
    if making.compilers.name(decision.unit) != "builtin":
        return 1 << 62
    return sum(size for _, size in decision.inputs)


def _fitting(todo: list[Decision], making: Making) -> int:
    """As many compiles as there is memory for, where that is what bounds them; 0 leaves it to the processors."""
    sizes = [
        sum(size for _, size in decision.inputs)
        for decision in todo
        if making.compilers.name(decision.unit) == "google"
    ]
    if not sizes:
        return 0
    from edgetpu_build.compiler.google.memory import fitting

    return min(fitting(sizes), executor.processors())


def _after(decision: Decision, made: dict[str, Attempt]) -> Attempt:
    return made.get(decision.unit.name) or Attempt(
        outcome=blank(decision.unit, "stale", "not tried: another unit failed before")
    )


def _locked_as_before(attempt: Attempt, lock: Lock) -> tuple[Diagnostic, ...]:
    """With `--locked`, what was made must be what the lock says; another caching token is no difference."""
    made = attempt.locked
    if made is None or same_but_token(made, lock.units[made.name]):
        return ()
    hint = "the compiler is not deterministic, or not the one that the lock names; build without `--locked` to see"
    return error("ETB103", f"what was made of `{made.name}` is not what the lock says", hint).diagnostics


def _withdraw_orphans(
    project: Project, old: Lock, new: Lock, planned: Plan, index: StatIndex, mode: Mode
) -> tuple[tuple[str, ...], tuple[Diagnostic, ...]]:
    """Remove what we wrote and nobody declares any more, unless somebody made something else of it."""
    kept = new.files
    orphans = [output for path, output in old.files.items() if path not in kept]
    if not orphans or mode.dry_run or mode.sdist:
        return (), ()
    if not mode.writes:
        message = f"the lock has `{orphans[0].path}`, which no unit makes any more"
        return (), error("ETB103", message, "run `edgetpu-build build` and commit the lock").diagnostics
    awaited = set(all_outputs(unit for unit in planned.units if unit.name not in new.units))
    removed, left = withdraw(project.root, (o for o in orphans if o.path not in awaited), index)
    told = "belongs to no unit any more, but was changed since it was built: it is left where it is"
    return removed, tuple(warning("ETB104", f"`{path}` {told}", file=path) for path in left)


def _write_lock(project: Project, made: list[LockedUnit], planned: Plan) -> bool:
    """Into the lock as it is now: another build may have written it meanwhile."""
    with project.store.exclusive(os.path.basename(project.state)):
        current = lockfile.read(project.root)
        new = (current or Lock()).updated(made, keep=(unit.name for unit in planned.units))
        if current is not None and new.units == current.units:
            return False
        return lockfile.write(project.root, new)


def _judged(
    attempts: list[Attempt], units: Iterable[Unit], lock: Lock, project: Project, mode: Mode
) -> Iterator[UnitOutcome]:
    before = baseline.committed(project, lock) if budget.wants_baseline(units) else {}
    for unit, attempt in zip(units, attempts, strict=True):
        outcome, found = attempt.outcome, attempt.outcome.diagnostics
        if outcome.state in ("fresh", "cached", "compiled"):
            found += budget.nothing_mapped(unit, outcome.members)
            found += budget.judge(unit, outcome.members, before)
            if mode.locked:
                found += _locked_as_before(attempt, lock)
        yield replace(outcome, diagnostics=tuple(told.at(unit=unit.name) for told in found)) if found else outcome


def _remember(project: Project, planned: Plan, outcome: Outcome, index: StatIndex, *, whole: bool) -> None:
    """Let the next plain build be answered at once, if this one has nothing to say and looked at everything."""
    good = all(unit.state in ("fresh", "cached", "compiled") for unit in outcome.units)
    if outcome.has_news or not good or not whole or noop.switched(project.env):
        statindex.forget(project, "build")
        return
    paths = [*outcome.paths, *planned.folders, builtin_path()]
    statindex.remember(project, "build", paths, index, units=len(outcome.units))


def _one_at_a_time(say: Progress) -> Progress:
    lock = threading.Lock()

    def said(name: str, doing: str) -> None:
        with lock:
            say(name, doing)

    return said


def silent(name: str, doing: str) -> None:
    pass

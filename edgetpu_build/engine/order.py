"""`order = "auto"`: the members of a group in the order that leaves least off-chip.

Where nothing may be compiled, the order is the lock's. A group whose models cannot be read stays as declared: the
compiler will say what is wrong.
"""

from __future__ import annotations

from dataclasses import replace

from edgetpu_build.engine.decide import Contents
from edgetpu_build.engine.lockfile import Lock
from edgetpu_build.engine.plan import Unit
from edgetpu_build.errors import EdgeTpuBuildError


def in_order(unit: Unit, contents: Contents, lock: Lock, *, as_locked: bool) -> Unit:
    """The unit with its members in the order of their compile."""
    if not unit.auto_order:
        return unit
    order = _locked(unit, lock) if as_locked else _best(unit, contents)
    return replace(unit, members=tuple(unit.members[position] for position in order))


def _locked(unit: Unit, lock: Lock) -> tuple[int, ...]:
    names = [member.name for member in unit.members]
    locked = lock.units.get(unit.name)
    known = [member.name for member in locked.members] if locked else names
    return tuple(names.index(name) for name in (known if sorted(known) == sorted(names) else names))


def _best(unit: Unit, contents: Contents) -> tuple[int, ...]:
    from edgetpu_build.compiler.order import best_order
    from edgetpu_build.tflite import reader

    try:
        models = [reader.read(contents.read(member.source), label=member.source) for member in unit.members]
        return best_order(models, unit.options, [unit.calls.get(member.name, 1.0) for member in unit.members])
    except EdgeTpuBuildError:
        return tuple(range(len(unit.members)))

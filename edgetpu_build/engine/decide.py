"""Is a unit as the lock says, and if not, why not: one sentence, made where the decision is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from edgetpu_build.compiler.interface import Identity
from edgetpu_build.engine import git
from edgetpu_build.engine.fingerprint import DEFAULTS, Ingredient, Input, changed, fingerprint, ingredients
from edgetpu_build.engine.lockfile import Lock, LockedMember, LockedUnit
from edgetpu_build.engine.outcome import Output
from edgetpu_build.engine.plan import Member, Unit, log_path, output_paths
from edgetpu_build.errors import EdgeTpuBuildError, error


class Contents(Protocol):
    """Where digests come from: the working tree, or git's index. ``stands_for_models``: so do Git LFS pointers."""

    @property
    def stands_for_models(self) -> bool: ...

    def digest(self, path: str) -> tuple[str, int] | None: ...

    def read(self, path: str) -> bytes: ...


FRESH = "sources, options, compiler and outputs are as the lock says"
EDITED = "the lock was edited: its fingerprint does not follow from its entries"
Inputs = tuple[tuple[Input, int], ...]
"""Digest and size of each member's source, in order."""


class Decision(NamedTuple):
    """``fresh``: nothing to do. ``stale``: the lock would have to change. Neither: outputs are missing or changed.

    ``fingerprint`` is "" as long as the compiler is unknown.
    """

    unit: Unit
    fresh: bool
    stale: bool
    why: str
    inputs: Inputs
    fingerprint: str = ""
    ingredients: tuple[Ingredient, ...] = ()
    locked: LockedUnit | None = None


def decide(
    unit: Unit, identity: Identity | None, lock: Lock, contents: Contents, *, logs: bool, sdist: bool = False
) -> Decision:
    """Compare a unit with the lock and the tree. Raises ETB211 or ETB303 for its sources.

    ``sdist``: stamps mean nothing, and a source that did not travel is what the lock says that it was.
    """
    locked = lock.units.get(unit.name)
    travelled = {m.source: m for m in locked.members} if sdist and locked else {}
    inputs = tuple(source_of(member, contents, travelled.get(member.source)) for member in unit.members)
    if identity is None:
        why = "no compiler is known yet" if locked is None else "another compiler is asked for"
        return Decision(unit=unit, fresh=False, stale=True, why=why, inputs=inputs, locked=locked)
    parts = ingredients(identity, unit.options, [source for source, _ in inputs])
    key = fingerprint(parts)
    stale = _why_stale(unit, parts, key, locked, lock, logs=logs)
    broken = "" if stale or locked is None else why_broken(locked, _expected(unit, locked, sdist=sdist), contents)
    return Decision(
        unit=unit,
        fresh=not stale and not broken,
        stale=bool(stale),
        why=stale or broken or FRESH,
        inputs=inputs,
        fingerprint=key,
        ingredients=parts,
        locked=locked,
    )


def source_of(member: Member, contents: Contents, travelled: LockedMember | None = None) -> tuple[Input, int]:
    """Digest and size of a member's source; of one that is missing, what ``travelled`` says."""
    found = contents.digest(member.source)
    if found is None and travelled:
        found = travelled.sha256, travelled.size
    if found is None:
        raise _refused("ETB211", member, "is gone", "it was there a moment ago")
    if found[1] <= git.LFS_MOST and not travelled and _is_pointer(member.source, contents):
        hint = f'fetch it with `git lfs pull --include "{member.source}"`'
        raise _refused("ETB303", member, "is a Git LFS pointer, not the model itself", hint)
    return Input(sha256=found[0], intermediate_tensors=member.intermediate_tensors), found[1]


def _refused(code: str, member: Member, why: str, hint: str) -> EdgeTpuBuildError:
    message = f"source `{member.source}` {why}"
    return error(code, message, hint, file="pyproject.toml", line=member.line, unit=member.name)


def _why_stale(
    unit: Unit, parts: tuple[Ingredient, ...], key: str, locked: LockedUnit | None, lock: Lock, *, logs: bool
) -> str:
    """Why the lock is not right for a unit, "" if it is."""
    if locked is None:
        return "it is not in the lock yet" if lock.units else "there is no lock yet"
    if locked.fingerprint != key:
        differences = changed(locked.ingredients, parts)
        return _told(unit, *differences[0], more=len(differences) - 1) if differences else EDITED
    if locked.kind != unit.kind or [m.name for m in locked.members] != [m.name for m in unit.members]:
        return "its members have other names now"
    return next(_misnamed(unit, locked, logs=logs), "") or ("" if locked.ingredients == parts else EDITED)


def why_broken(locked: LockedUnit, outputs: Iterable[Output], contents: Contents) -> str:
    """Why the tree does not hold these outputs of an entry, "" if it does.

    Google's compiler draws a new caching token at each run, so for its artifacts another token is no difference.
    """
    drawn = locked.compiler.name == "google"
    for output in outputs:
        found = contents.digest(output.path)
        if found is None:
            return f"output `{output.path}` is missing"
        if found[0] != output.sha256 and not (drawn and differs_in_token(contents, output)):
            return f"output `{output.path}` has SHA-256 {found[0][:12]}…, the lock says {output.sha256[:12]}…"
    return ""


def differs_in_token(contents: Contents, output: Output) -> bool:
    """Whether a file is the output but for its caching token, as two runs of Google's compiler are."""
    from edgetpu_build.engine.stored import masked

    found = contents.digest(output.path)
    if not output.masked_sha256 or not found or found[1] != output.size:
        return False
    return masked(contents.read(output.path)) == output.masked_sha256


def _is_pointer(path: str, contents: Contents) -> bool:
    return not contents.stands_for_models and git.lfs_oid(contents.read(path)) is not None


def _expected(unit: Unit, locked: LockedUnit, *, sdist: bool) -> tuple[Output, ...]:
    """What should be in the tree; an sdist carries what is shipped."""
    if not sdist:
        return locked.files
    pairs = zip(unit.members, locked.members, strict=True)
    return tuple(output for member, entry in pairs if member.ship for output in entry.outputs + entry.logs)


def _misnamed(unit: Unit, locked: LockedUnit, *, logs: bool) -> Iterator[str]:
    for member, entry in zip(unit.members, locked.members, strict=True):
        if member.source != entry.source:
            yield f"its source `{entry.source}` is called `{member.source}` now"
        paths = [output.path for output in entry.outputs]
        if list(output_paths(member, len(paths))) != paths:
            yield f"its output moved from `{paths[0]}`"
        if _logs(entry) != ([log_path(path) for path in paths] if logs else []):
            yield "logs are asked for" if logs else "logs are not asked for any more"


def _logs(entry: LockedMember) -> list[str]:
    return [log.path for log in entry.logs]


def _told(unit: Unit, before: Ingredient, after: Ingredient, *, more: int) -> str:
    others = f" (and {more} more)" if more else ""
    kind, _, position = after.tag.rpartition(" ")
    if kind == "source":
        member = unit.members[int(position) - 1] if int(position) <= len(unit.members) else None
        if member is None or not before.parts:
            return "it has other members now"
        return f"source `{member.source}` changed{others}"
    if kind == "intermediate-tensors":
        return f"`intermediate-tensors` changed from {_shown(before)} to {_shown(after)}{others}"
    if after.tag == "compiler identity":
        return f"the compiler itself changed{others}"
    if after.tag == "schema":
        return f"this version of edgetpu-build makes other artifacts{others}"
    return f"`{after.tag}` changed from {_shown(before)} to {_shown(after)}{others}"


def _shown(ingredient: Ingredient) -> str:
    if not ingredient.parts:
        default = getattr(DEFAULTS, ingredient.tag.replace("-", "_"), "")
        return str(default) if default not in ("", ()) else "none"
    return ingredient.text

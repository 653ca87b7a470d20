"""What a shared store says of a unit, believed as far as it can be checked.

Whoever can write there decides what we build with; no check of ours changes that. But a record is taken only if it is
what this unit makes: as many files as the unit declares and no other, by the compiler that its fingerprint is of, and
every value of the type that we would have written. Names in it never become paths: those come from the configuration.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cache
from types import UnionType
from typing import Any

from edgetpu_build.engine import stored
from edgetpu_build.engine.decide import Inputs
from edgetpu_build.engine.fingerprint import fingerprint, ingredients
from edgetpu_build.engine.plan import Unit
from edgetpu_build.engine.stored import Made
from edgetpu_build.store import Record

_TARGETS = {"builtin": "simulator", "google": "edgetpu"}


def taken(record: Record, contents: Mapping[str, bytes], unit: Unit, inputs: Inputs) -> Made | None:
    """The unit that a record describes; None if it describes anything else."""
    made = stored.from_store(record, lambda blob: contents.get(blob.name))
    if made is None or not fits_type(made, Made):
        return None
    return made if _is_the_unit(record, made, unit, inputs) else None


def _is_the_unit(record: Record, made: Made, unit: Unit, inputs: Inputs) -> bool:
    counts = [len(member.artifacts) for member in made.members]
    artifacts = [artifact for member in made.members for artifact in member.artifacts]
    return (
        len(counts) == len(unit.members)
        and all(_fits_count(count, unit) for count in counts)
        and len(record.blobs) == len(artifacts)
        and made.compiler.target == _TARGETS[made.compiler.name]
        and record.fingerprint == fingerprint(ingredients(made.compiler, unit.options, [one for one, _ in inputs]))
        and all(told.severity != "error" for told in made.warnings)
        and all(artifact.masked == stored.masked(artifact.data) for artifact in artifacts)
    )


def _fits_count(count: int, unit: Unit) -> bool:
    wanted = unit.options.segments
    return 1 <= count <= unit.options.max_segments if wanted == 0 else count == wanted


def fits_type(value: Any, kind: Any) -> bool:
    """Whether a value, and all within it, is of the declared types: JSON of a stranger may hold anything anywhere."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return value in arguments
    if origin in (typing.Union, UnionType):
        return any(fits_type(value, one) for one in arguments)
    if origin is tuple:
        return isinstance(value, tuple) and all(fits_type(one, arguments[0]) for one in value)
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)
    fields = _fields(kind)
    return type(value) is kind and all(fits_type(getattr(value, name), inner) for name, inner in fields.items())


@cache
def _fields(kind: Any) -> Mapping[str, Any]:
    """Name -> type of a value of ours; nothing for what JSON has by itself."""
    return typing.get_type_hints(kind) if is_dataclass(kind) or hasattr(kind, "_fields") else {}

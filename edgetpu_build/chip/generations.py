"""The versions of Google's compiler that we can speak for: what each writes, refuses and calls itself.

Table 3 of the manual gives the runtime that a compiler asks for by default (``rules``); the number inside the files
that it writes (``writes``) is lower for 2.0 to 15.0, as the files themselves show. Which operators a compiler maps
follows the former.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgetpu_build.errors import error

RUNTIMES = (10, 11, 12, 13, 14)
"""Every Edge TPU runtime that a model can be compiled for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One compiler. ``name`` is how people ask for it ("16.0"), ``version`` what it prints about itself.

    ``rules``: runtime whose operators it maps (manual, table 3). ``writes``: runtime number in its files.
    ``memory_line``: whether it prints the on-chip memory "available" (before) or "remaining" (after) caching.
    ``supervised``: it works in a child process under a timer and says so. ``order``: age, oldest first.
    """

    name: str
    version: str
    rules: int
    writes: int
    memory_line: str
    supervised: bool
    order: int

    @property
    def runtimes(self) -> tuple[int, ...]:
        """What `-m` can ask of it."""
        return tuple(runtime for runtime in RUNTIMES if runtime <= self.rules)

    def rules_for(self, min_runtime_version: int) -> int:
        """The runtime whose operators may be mapped when the output must run on ``min_runtime_version``."""
        return min(self.rules, min_runtime_version)

    def writes_for(self, min_runtime_version: int) -> int:
        """The runtime number in the file that it writes."""
        return min(self.writes, min_runtime_version)


def _generation(order: int, version: str, rules: int, writes: int) -> Generation:
    major, minor = version.split(".")[:2]
    return Generation(
        name=f"{major}.{minor}",
        version=version,
        rules=rules,
        writes=writes,
        memory_line="available" if int(major) < 2 or (major, minor) == ("2", "0") else "remaining",
        supervised=int(major) >= 16,
        order=order,
    )


GENERATIONS: tuple[Generation, ...] = (
    _generation(0, "1.0.249710469", 10, 10),
    _generation(1, "2.0.267685300", 12, 12),
    _generation(2, "2.0.291256449", 13, 12),
    _generation(3, "2.1.302470888", 13, 12),
    _generation(4, "14.1.317412892", 13, 12),
    _generation(5, "15.0.340273435", 13, 12),
    _generation(6, "16.0.384591198", 14, 14),
)
"""Oldest first. Of 2.0 there are two builds; the name alone means the newer."""

LATEST = GENERATIONS[-1]
NAMES: tuple[str, ...] = tuple(dict.fromkeys(known.name for known in GENERATIONS))


def generation(version: str) -> Generation:
    """The compiler called "16.0", "16" or "16.0.384591198"; ETB402 with the nearest known one otherwise.

    A build that is not in the table stands for its release: "16.0.385455049" is predicted as 16.0.
    """
    for known in GENERATIONS:
        if version == known.version:
            return known
    release = ".".join([*version.split("."), "0"][:2])
    for known in reversed(GENERATIONS):
        if release == known.name:
            return known
    near = _nearest(version)
    raise error(
        "ETB402",
        f"compiler `{version}` is not one that can be predicted, which are {', '.join(NAMES)}",
        hint=f"the nearest is `{near}`",
    )


def _nearest(version: str) -> str:
    """By number: the newest that is not newer than ``version``, else the oldest."""
    digits = [int(part) if part.isdigit() else 0 for part in version.split(".")[:2]]
    asked = [*digits, 0, 0][:2]
    older = [known for known in GENERATIONS if [int(part) for part in known.name.split(".")] <= asked]
    return (older or GENERATIONS)[-1 if older else 0].name

"""Which compiler: from a name in the configuration to a backend."""

from __future__ import annotations

from collections.abc import Sequence

from edgetpu_build.compiler.interface import Backend
from edgetpu_build.compiler.revision import OnDemand
from edgetpu_build.errors import error

DEFAULT_GENERATION = "16.0"


def backend(
    name: str, *, command: Sequence[str], requires_compiler: str | None, generation: str, locate: bool = False
) -> Backend:
    """The compiler called ``builtin`` or ``google``. Raises ETB401 if its program is not there.

    ``locate``: after a failure of Google's, look for the operator at fault by compiling again.
    """
    if name == "builtin":
        return OnDemand()
    from edgetpu_build.compiler.google import command as commands
    from edgetpu_build.compiler.google.backend import Google

    commands.start(command, "")
    return Google(command=tuple(command), requires_compiler=requires_compiler, locate=locate)


def google_available(command: Sequence[str]) -> bool:
    """Whether Google's program can be started. Looks, but starts nothing; a shim of ours is not Google's."""
    from edgetpu_build.compiler.google import command as commands

    found = commands.find(command)
    return found is not None and not commands.is_ours(found)


def generation(requires_compiler: str | None) -> str:
    """The generation that builtin predicts: the newest known one that fits the specifier. ETB402 if none does."""
    if requires_compiler is None:
        return DEFAULT_GENERATION
    from packaging.specifiers import SpecifierSet

    from edgetpu_build.chip.generations import GENERATIONS, NAMES

    allowed = SpecifierSet(requires_compiler)
    for known in reversed(GENERATIONS):
        if allowed.contains(known.name) or allowed.contains(known.version):
            return known.name
    message = f'`requires-compiler = "{requires_compiler}"` fits no compiler that can be predicted: {", ".join(NAMES)}'
    raise error("ETB402", message, 'widen it, or use `compiler = "google"`', key="tool.edgetpu.requires-compiler")


def fits(version: str, requires_compiler: str | None) -> bool:
    """Whether a compiler's version is allowed."""
    if requires_compiler is None:
        return True
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(requires_compiler).contains(version, prereleases=True)

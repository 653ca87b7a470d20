"""Which compiler a unit gets, and who that is: found out once a run, and Google's only when something must be compiled.

`auto` is what the lock names for the unit, else what the lock names for all others, else Google's where it is found,
else builtin. As long as nothing is compiled, Google's program is whoever the lock says that it was.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal

from edgetpu_build.compiler import choose
from edgetpu_build.compiler.interface import Backend, Identity
from edgetpu_build.config.model import Config
from edgetpu_build.engine.lockfile import Lock
from edgetpu_build.engine.plan import Unit
from edgetpu_build.errors import Diagnostic

Name = Literal["builtin", "google"]
GetBackend = Callable[..., Backend]


class Compilers:
    """``upgrade``: the lock is not asked, so that a newer compiler may be taken."""

    def __init__(self, config: Config, lock: Lock, get_backend: GetBackend, *, upgrade: bool = False) -> None:
        self._config, self._lock, self._get_backend, self._upgrade = config, lock, get_backend, upgrade
        self._backends: dict[tuple[Name, str], Backend] = {}
        self._identities: dict[Name, Identity] = {}
        self._chosen: Name | None = None
        self.notes: tuple[Diagnostic, ...] = ()

    def name(self, unit: Unit) -> Name:
        """Starts nothing."""
        if unit.compiler != "auto":
            return unit.compiler
        if not self._upgrade:
            locked = self._lock.units.get(unit.name)
            if locked:
                return locked.compiler.name
        return self._default()

    def known(self, unit: Unit, *, as_locked: bool = False) -> Identity | None:
        """Who would compile it, as far as that is known without starting a program.

        ``as_locked``: whoever the lock says that compiled it, if it is of that name.
        """
        name = self.name(unit)
        entry = self._lock.units.get(unit.name)
        if as_locked and entry and entry.compiler.name == name:
            return entry.compiler
        if name == "builtin" or name in self._identities:
            return self.identify(unit)
        if self._upgrade:
            return None
        candidates = ([entry] if entry else []) + list(self._lock.units.values())
        fit = (other.compiler for other in candidates if other.compiler.name == name)
        return next((who for who in fit if choose.fits(who.version, self._config.requires_compiler)), None)

    def identify(self, unit: Unit) -> Identity:
        """Who compiles it; may start a program. Raises ETB401 to ETB403."""
        name = self.name(unit)
        if name not in self._identities:
            if name == "builtin":
                choose.generation(self._config.requires_compiler)  # raises if none is allowed that it can predict
            self._identities[name] = self.backend(unit).identify()
        return self._identities[name]

    def backend(self, unit: Unit) -> Backend:
        """The compiler of a unit. Raises ETB401 or ETB402."""
        key = (self.name(unit), unit.options.generation)
        if key not in self._backends:
            self._backends[key] = self._get_backend(
                key[0],
                command=self._config.compiler_command,
                requires_compiler=self._config.requires_compiler,
                generation=key[1],
            )
        return self._backends[key]

    def _default(self) -> Name:
        if self._chosen is None:
            named = set() if self._upgrade else {unit.compiler.name for unit in self._lock.units.values()}
            if len(named) == 1:
                self._chosen = named.pop()
            else:
                self._chosen = self._found()
        return self._chosen

    def _found(self) -> Name:
        found: Name = "google" if choose.google_available(self._config.compiler_command) else "builtin"
        if found == "google":
            message = f'`compiler = "auto"` took Google\'s, found as `{self._config.compiler_command[0]}`'
        else:
            message = '`compiler = "auto"` took builtin, since Google\'s `edgetpu_compiler` was not found'
        self.notes = (Diagnostic(code="ETB401", message=message, severity="note", key="tool.edgetpu.compiler"),)
        return found


def builtin_path() -> str:
    """The file that says which revision builtin is: when it changes, so may every artifact."""
    return os.path.join(os.path.dirname(os.path.abspath(choose.__file__)), "revision.py")

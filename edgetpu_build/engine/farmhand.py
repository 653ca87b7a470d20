"""What a worker of a farm does: it checks that it would compile as we would, and compiles in a process that may die.

Imported by name on the worker, where this package must be installed. Its child processes last as long as it does, so
that each is started once; a compile that kills its process costs the worker nothing.
"""

from __future__ import annotations

from edgetpu_build import __version__
from edgetpu_build.compiler.interface import Backend, Identity, Request, Result
from edgetpu_build.engine.workers import BugError, Workers
from edgetpu_build.errors import error

__all__ = ["BugError", "compile_there"]

_workers = Workers()


def compile_there(backend: Backend, request: Request, timeout: float, identity: Identity, version: str) -> Result:
    """As ``Workers.compile``. ETB404 where the worker has another version or another compiler."""
    if version != __version__:
        found = f"a worker of the farm has edgetpu-build {__version__}, here it is {version}"
        raise error("ETB404", found, "install the same version on all machines")
    own = backend.identify()
    if own != identity:
        found = f"a worker of the farm has {own.name} {own.version} ({own.identity[:12]})"
        raise error("ETB404", f"{found}, here it is {identity.version} ({identity.identity[:12]})", "install the same")
    return _workers.compile(backend, request, timeout, lambda _text: None)

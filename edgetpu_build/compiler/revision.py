"""Which revision of itself builtin is. Apart from the compiler, so that whoever asks need not load it."""

from __future__ import annotations

from edgetpu_build import __version__
from edgetpu_build.compiler.interface import Identity, Progress, Request, Result

REVISION = 4  # raise it with every change of an output byte or figure: it is in every fingerprint


def identity() -> Identity:
    """Who builtin is."""
    return Identity(name="builtin", version=__version__, identity=str(REVISION), target="simulator")


class OnDemand:
    """Builtin as a backend that is loaded when it must compile."""

    def identify(self) -> Identity:
        return identity()

    def compile(self, request: Request, *, timeout: float, progress: Progress) -> Result:
        """As ``builtin.Builtin``."""
        from edgetpu_build.compiler.builtin import Builtin

        return Builtin().compile(request, timeout=timeout, progress=progress)

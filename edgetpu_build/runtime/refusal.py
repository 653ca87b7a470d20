"""How the runtime says no: our diagnostics, as the exceptions that an application of LiteRT expects.

Texts are libedgetpu's own where it has one (https://github.com/google-coral/libedgetpu), since applications and their
users search for them.
"""

from __future__ import annotations

from edgetpu_build.errors import Diagnostic, EdgeTpuBuildError


class ModelError(EdgeTpuBuildError, ValueError):
    """The file is no model, or damaged: LiteRT raises ValueError for it."""


class NoDeviceError(EdgeTpuBuildError, ValueError):
    """There is no such device, or no library for it: what loading libedgetpu's delegate raises then."""


class DeviceError(EdgeTpuBuildError, RuntimeError):
    """The runtime or the device will not do it: LiteRT raises RuntimeError for it."""


def refuse(message: str, hint: str = "", *, code: str = "ETB321") -> DeviceError:
    return DeviceError(Diagnostic(code=code, message=message, hint=hint))


def not_loaded(library: str, why: str, hint: str, *, code: str = "ETB321") -> NoDeviceError:
    return NoDeviceError(Diagnostic(code=code, message=f"Failed to load delegate from {library}: {why}", hint=hint))


def unprepared(message: str, hint: str = "", *, code: str = "ETB321") -> DeviceError:
    """A package that the runtime does not take, told as its custom operator does."""
    return refuse(f"Failed to prepare for TPU. {message}", hint, code=code)

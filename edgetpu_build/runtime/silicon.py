"""Real Edge TPUs, by libedgetpu: LiteRT's delegate for files made for silicon, and its C interface for who is there.

C interface: ``edgetpu_c.h`` of https://github.com/google-coral/libedgetpu.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

from ai_edge_litert.interpreter import load_delegate

from edgetpu_build.runtime.refusal import not_loaded, refuse

LIBRARY = {"darwin": "libedgetpu.1.dylib", "win32": "edgetpu.dll"}.get(sys.platform, "libedgetpu.so.1")
_HINT = 'files made for silicon need an Edge TPU; `compiler = "builtin"` makes files for the simulated device'
_TYPES = ("pci", "usb")


class Silicon:
    """A real device, by the name that libedgetpu was given ("" is any)."""

    def __init__(self, name: str) -> None:
        self.name = name

    def stats(self) -> dict[str, Any]:
        raise refuse("a real Edge TPU does not tell what is in its memory", "simulate it to count loads and wipes")


class _Record(ctypes.Structure):
    _fields_ = (("type", ctypes.c_int), ("path", ctypes.c_char_p))


def delegate(name: str) -> Any:
    """LiteRT's delegate for the device of that name. ValueError where the library or the device is missing."""
    if _library() is None:
        raise not_loaded(LIBRARY, "the library is not installed", _HINT)
    try:
        return load_delegate(LIBRARY, {"device": name} if name else {})
    except ValueError:
        why = f"no device is called `{name}`" if name else "no device is plugged in"
        raise not_loaded(LIBRARY, why, _HINT) from None


def devices() -> list[dict[str, str]]:
    """The real devices, as ``list_edge_tpus`` tells them; none where the library is missing."""
    library = _library()
    if library is None:
        return []
    count = ctypes.c_size_t()
    library.edgetpu_list_devices.restype = ctypes.POINTER(_Record)
    records = library.edgetpu_list_devices(ctypes.byref(count))
    found = [{"type": _TYPES[records[i].type], "path": records[i].path.decode()} for i in range(count.value)]
    library.edgetpu_free_devices(records)
    return found


def version() -> str:
    """What the library says of itself; "" where it is missing."""
    library = _library()
    if library is None:
        return ""
    library.edgetpu_version.restype = ctypes.c_char_p
    return str(library.edgetpu_version().decode())


def set_verbosity(level: int) -> None:
    library = _library()
    if library is not None:
        library.edgetpu_verbosity(level)


def _library() -> Any:
    return _loaded(LIBRARY)


@cache
def _loaded(name: str) -> Any:
    """None where it is not installed. LiteRT's loader must not be asked for such a one: it fails noisily."""
    try:
        return ctypes.CDLL(name)
    except OSError:
        return None

"""libedgetpu, the runtime that loads compiled files on a host with a device: is it here, and of which version?"""

from __future__ import annotations

import re
import subprocess
import sys

_ASK = """
import ctypes, sys
version = ctypes.CDLL(sys.argv[1]).edgetpu_version
version.restype = ctypes.c_char_p
print(version().decode())
"""
_VERSION = re.compile(r"RuntimeVersion\((\d+)\)")


def find() -> str:
    """The library's name, "" where there is none."""
    from ctypes.util import find_library

    return find_library("edgetpu") or ""


def runtime_version(library: str) -> int:
    """Which files it runs (14: for 14 and older), 0 where it does not tell. In a process of its own: it may crash."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _ASK, library], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return version_in(done.stdout)


def version_in(label: str) -> int:
    """The number in "BuildLabel(...), RuntimeVersion(14)", 0 without one."""
    found = _VERSION.search(label)
    return int(found[1]) if found else 0

"""The report of a bug of ours: a file ready to send, without secrets.

Values of environment variables stay out (only the names of ours that are set), and so do passwords in URLs.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
import traceback
from pathlib import Path

from edgetpu_build import __version__
from edgetpu_build.store.layout import root_of

_CREDENTIALS = re.compile(r"://[^/\s@]+@")


def write_report(argv: list[str], problem: BaseException) -> str:
    """The path of the new file, "" if there is nowhere to write it. In the cache folder, else the temporary one."""
    text = report(argv, problem)
    for folder in (Path(root_of(os.environ)) / "bugs", Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle, path = tempfile.mkstemp(prefix="bug-", suffix=".txt", dir=folder)
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except OSError:
            continue
        return path
    return ""


def report(argv: list[str], problem: BaseException) -> str:
    """Version, command, platform, names of our variables, traceback."""
    variables = sorted(name for name in os.environ if name.startswith("EDGETPU_BUILD_"))
    lines = [
        f"edgetpu-build {__version__}",
        f"command: edgetpu-build {' '.join(argv)}",
        f"python: {sys.version}",
        f"platform: {platform.platform()}",
        f"variables set: {', '.join(variables) or 'none'}",
        "",
        "".join(traceback.format_exception(problem)),
    ]
    return _CREDENTIALS.sub("://…@", "\n".join(lines))

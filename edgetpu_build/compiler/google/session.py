"""Runs of Google's program in one private folder, which is gone when the session is.

The folder holds the models under names of ours, ``out`` for what is written and ``tmp`` for what the program keeps
meanwhile. Nobody else can read it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from edgetpu_build.compiler.google import guard
from edgetpu_build.errors import error

Hear = Callable[[str], None]
CLOSING = 5.0
"""Seconds that the guard has to end the program and remove the folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one start of the program came to: everything it printed, and how it ended (below 0: by that signal)."""

    text: str
    code: int
    timed_out: bool = False
    seconds: float = 0.0


class Session:
    """Owns a guard, and through it the folder. For `with`."""

    def __init__(self) -> None:
        self._program = 0
        self.folder = ""
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self.folder = self._ready()
        except BaseException:
            self.close()
            raise

    def run(self, argv: Sequence[str], *, timeout: float, hear: Hear) -> Run:
        """Start a program in the folder and wait for it; ``hear`` is told each line as it comes.

        ETB401 where it cannot be started. Ends it, and all that it started, after ``timeout`` seconds.
        """
        started = time.monotonic()
        assert self._guard.stdin is not None  # noqa: S101 - Popen was asked for a pipe
        with suppress(BrokenPipeError):
            self._guard.stdin.write(json.dumps({"argv": list(argv), "timeout": timeout}).encode() + b"\n")
            self._guard.stdin.flush()
        pieces: list[str] = []
        line = ""
        while True:
            kind, value, *more = self._heard()
            if kind == "end":
                break
            if kind == "started":
                self._program = value
                continue
            pieces.append(value)
            *lines, line = (line + value).split("\n")
            for heard in lines:
                hear(heard)
        self._program = 0
        if value is None:
            hint = 'install it, set `compiler-command`, or use `compiler = "builtin"`'
            raise error(
                "ETB401", f"`{argv[0]}` cannot be started: {more[0]}", hint, key="tool.edgetpu.compiler-command"
            )
        text = "".join(pieces).replace("\r\n", "\n")
        return Run(text=text, code=value, timed_out=more[0], seconds=time.monotonic() - started)

    def write(self, name: str, data: bytes) -> None:
        """A file for the program to read. ETB501 where it cannot be written."""
        try:
            with open(os.path.join(self.folder, name), "wb") as file:
                file.write(data)
        except OSError as failure:
            hint = "make room there, or set `TMPDIR` to another folder"
            raise error("ETB501", f"cannot write into `{self.folder}`: {failure.strerror}", hint) from failure

    def read(self, name: str) -> bytes | None:
        """A file that the program wrote into ``out``; None if there is none. A link out of the folder is no file."""
        path = os.path.join(self.folder, "out", name)
        if not os.path.isfile(path) or os.path.islink(path):
            return None
        try:
            with open(path, "rb") as file:
                return file.read()
        except OSError:
            return None

    def clear(self) -> None:
        """Forget what the last run wrote, whatever it was."""
        out = os.path.join(self.folder, "out")
        if os.path.islink(out):
            os.remove(out)
        shutil.rmtree(out, ignore_errors=True)
        with suppress(OSError):
            os.mkdir(out)

    def close(self) -> None:
        """Ends the program if it runs, and waits until the folder is gone."""
        for stream in (self._guard.stdin, self._guard.stdout):
            if stream:
                with suppress(OSError):
                    stream.close()
        with suppress(subprocess.TimeoutExpired):
            self._guard.wait(CLOSING)
        if self._guard.poll() is None:
            self._guard.kill()
            self._guard.wait()
        if self._guard.returncode:
            self._clean_up()

    def _clean_up(self) -> None:
        """What the guard would have done, if it was killed itself."""
        if self._program:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._program, signal.SIGKILL)
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Session:  # noqa: PYI034 - Self is of Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ready(self) -> str:
        kind, told = self._heard()
        if kind == "refused":
            hint = "make room there, or set `TMPDIR` to a folder that can be written"
            raise error("ETB501", f"Google's compiler cannot be started: {told}", hint)
        return str(told)

    def _heard(self) -> list[Any]:
        assert self._guard.stdout is not None  # noqa: S101 - Popen was asked for a pipe
        line = self._guard.stdout.readline()
        if not line:
            raise error("ETB312", "the process that watches Google's compiler was killed", "build again")
        found: list[Any] = json.loads(line)
        return found

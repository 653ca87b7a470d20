"""A file system that fails on purpose: chosen calls of ``os`` raise chosen errors, or stop the process's work short.

``failing("fsync", errno.EIO, when=2)`` lets the second fsync fail. ``interrupting(n)`` raises ``Killed`` at the n-th
call that changes the file system, whatever it is: stepping n from 1 until nothing is raised visits every moment at
which a process can die, without starting one. The dead tidy nothing up: from then on every such call raises.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHANGES = ("open", "write", "fsync", "replace", "unlink", "utime", "makedirs", "mkdir", "rmdir")


class Killed(BaseException):
    """The process ends here. Not an Exception: nothing may catch it and go on."""


@contextmanager
def failing(call: str, code: int, *, when: int = 1, times: int = 1 << 30, only: str = "") -> Iterator[list[int]]:
    """Let ``os.<call>`` raise OSError(code) from its ``when``-th use on, ``times`` times; counts uses in the list.

    ``only``: a part of the path (first argument) that must be there for a use to count.
    """
    real, uses = getattr(os, call), [0]

    def fake(*args: Any, **kwargs: Any) -> Any:
        if only and only not in str(args[0]):
            return real(*args, **kwargs)
        uses[0] += 1
        if when <= uses[0] < when + times:
            raise OSError(code, os.strerror(code), str(args[0]))
        return real(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, call, fake)
        yield uses


@contextmanager
def interrupting(at: int) -> Iterator[None]:
    """Raise Killed at the ``at``-th change of the file system; a write is cut in the middle first."""
    count, dead = 0, False

    def wrap(name: str, real: Any) -> Any:
        def fake(*args: Any, **kwargs: Any) -> Any:
            nonlocal count, dead
            if dead:
                raise Killed
            count += 1
            if count == at:
                dead = True
                if name == "write":
                    real(args[0], bytes(args[1])[: len(args[1]) // 2])
                raise Killed
            return real(*args, **kwargs)

        return fake

    with pytest.MonkeyPatch.context() as patch:
        for name in CHANGES:
            patch.setattr(os, name, wrap(name, getattr(os, name)))
        yield


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A file system of ``size`` bytes; skips the test where mounting is not allowed."""
    with _mounted(folder, f"size={size}"):
        yield folder


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """``folder`` as it is, but not to be written, not even by root; skips the test where mounting is not allowed."""
    _mount(["mount", "--bind", str(folder), str(folder)])
    try:
        _mount(["mount", "-o", "remount,ro,bind", str(folder)])
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)


@contextmanager
def _mounted(folder: Path, options: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    _mount(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)])
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)


def _mount(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting is not allowed here")

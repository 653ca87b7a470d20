"""How to start Google's program: where it is, who it is, and the words for each option.

What it knows depends on its version: `-d` and `-t` came with 16.0, and asking an older one for the runtime that it
writes anyway, or for a newer one, would be refused.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from functools import lru_cache

from edgetpu_build.chip.generations import Generation, generation
from edgetpu_build.compiler.interface import Options, Source
from edgetpu_build.errors import EdgeTpuBuildError, error

WORKDIR = "{workdir}"
OUT = "out"
BANNER = "Edge TPU Compiler version "
_OURS = re.compile(rb"\bedgetpu[-_]build\s+compile\b")
_BINARY = os.path.join("edgetpu_compiler_bin", "edgetpu_compiler")
"""Beside the shell script that Debian's package puts on PATH."""


def find(command: Sequence[str]) -> str | None:
    """The file that the command starts, None if there is none. Relative paths are meant from the current folder."""
    found = shutil.which(command[0])
    return os.path.abspath(found) if found else None


def is_ours(path: str) -> bool:
    """Whether a file is a shim that leads back to this program; see docs/how-to/google-compiler.md."""
    try:
        with open(path, "rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    return head.startswith(b"#!") and _OURS.search(head) is not None


def start(command: Sequence[str], workdir: str) -> list[str]:
    """The words that start it, `{workdir}` filled in and the program's place looked up (it will run elsewhere)."""
    found = find(command)
    if found is None:
        raise _not_found(command)
    if is_ours(found):
        hint = "set `EDGETPU_BUILD_COMMAND` or `compiler-command` to the real program's path"
        raise error("ETB401", f"`{found}` leads back to edgetpu-build, it is not Google's compiler", hint)
    return [found, *(word.replace(WORKDIR, workdir) for word in command[1:])]


Stamp = tuple[tuple[str, int, int, int], ...]
"""Path, inode, size and time of each file of the program: what is remembered of it holds as long as these do."""


def stamp(command: Sequence[str]) -> Stamp:
    """Of the program that the command starts; () if it cannot be looked at."""
    found = find(command)
    if found is None:
        return ()
    script = os.path.realpath(found)
    binary = os.path.join(os.path.dirname(script), _BINARY)
    try:
        files = [(path, os.stat(path)) for path in (script, binary) if path == script or os.path.isfile(binary)]
    except OSError:
        return ()
    return tuple((path, stat.st_ino, stat.st_size, stat.st_mtime_ns) for path, stat in files)


def digest(command: Sequence[str]) -> str:
    """SHA-256 of the program where the command is nothing but it; "" for one that starts it elsewhere."""
    found = find(command)
    return "" if found is None or len(command) > 1 or is_ours(found) else _digest(stamp(command))


@lru_cache(maxsize=8)
def _digest(program: Stamp) -> str:
    total = hashlib.sha256()
    try:
        for path, *_ in program:
            with open(path, "rb") as file:
                while piece := file.read(1 << 20):
                    total.update(piece)
    except OSError:
        return ""
    return total.hexdigest() if program else ""


def version_in(text: str) -> str:
    """The version that `--version` tells, "" if there is none. A line of ours is none of Google's."""
    for line in text.splitlines():
        head, found, version = line.strip().partition(BANNER)
        if found and not head and version.strip():
            return version.split()[0]
    return ""


def known(version: str) -> Generation | None:
    """What we know of a compiler of that version; the nearest for one that we do not know. None without a version."""
    try:
        return generation(version) if version else None
    except EdgeTpuBuildError:
        return None


def arguments(options: Options, sources: Sequence[Source], names: Sequence[str], *, version: str) -> list[str]:
    """Everything behind the command for one run. ``names``: the models in the folder, safe for any shell.

    ETB213 for tensor names that its option cannot carry.
    """
    return [*_options(options, version), *_tensors(sources), f"--out_dir={OUT}", *names]


def described(options: Options, tensors: Iterable[Sequence[str]]) -> list[str]:
    """The options of a compile for a record of how it was made: no folders, no models."""
    sources = [Source(label="", data=b"", intermediate_tensors=tuple(names)) for names in tensors]
    return [*_options(options, ""), *_tensors(sources)]


def _options(options: Options, version: str) -> list[str]:
    who, words = known(version), []
    default = who.rules if who else Options().min_runtime_version
    if options.min_runtime_version < default:
        words.append(f"--min_runtime_version={options.min_runtime_version}")
    if options.segments > 1:
        words.append(f"--num_segments={options.segments}")
    if options.delegate_step:
        words += ["--search_delegate", f"--delegate_search_step={options.delegate_step}"]
    if options.multiple_subgraphs:
        words.append("--enable_multiple_subgraphs")
    return words


def time_limit(seconds: float, version: str) -> list[str]:
    """The program's own timer, which older ones than 16.0 do not have; a second less than ours, so that it can tell."""
    who = known(version)
    return [f"--timeout_sec={max(1, int(seconds) - 1)}"] if who and who.supervised and seconds >= 1 else []


def _tensors(sources: Sequence[Source]) -> list[str]:
    if not any(source.intermediate_tensors for source in sources):
        return []
    for name in (name for source in sources for name in source.intermediate_tensors):
        if "," in name or ":" in name:
            message = f"Google's compiler cannot be told the tensor `{name}`: it splits names at commas and colons"
            raise error("ETB213", message, "rename it when exporting, or use `cuts`", key="intermediate-tensors")
    return ["--intermediate_tensors=" + ":".join(",".join(source.intermediate_tensors) for source in sources)]


def _not_found(command: Sequence[str]) -> EdgeTpuBuildError:
    hint = 'install it, set `compiler-command`, or use `compiler = "builtin"`'
    return error("ETB401", f"`{command[0]}` was not found", hint, key="tool.edgetpu.compiler-command")

"""`edgetpu-build doctor`: everything that a build may need, each found or not, and what to do about it.

It changes nothing. It may start Google's compiler, to ask for its version, and git. What is missing but not needed is
no fault: only a broken configuration, or a compiler that is asked for and not there, give an exit code above 0.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgetpu_build.cli import output, project
from edgetpu_build.cli.output import View
from edgetpu_build.engine.project import Project
from edgetpu_build.errors import Diagnostic, EdgeTpuBuildError
from edgetpu_build.report import text
from edgetpu_build.report.style import Style, printable

NAME = "doctor"
HELP = "Say what was found, what is missing and what to do"

USB_IDS = {("1a6e", "089a"): "not yet initialised", ("18d1", "9302"): "ready"}
"""Vendor and product of the USB Accelerator before and after its firmware is loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """``state``: found, missing (and that is fine), or wrong. ``diagnostic`` where something should be done."""

    subject: str
    state: Literal["found", "missing", "wrong"]
    text: str
    diagnostic: Diagnostic | None = None


def configure(parser: ArgumentParser) -> None:
    """No options of its own."""


def run(args: Namespace) -> int:
    view = View.of(args)
    findings = list(examine(args))
    lines = [_line(finding, output.style(view, sys.stdout)) for finding in findings]
    diagnostics = [d for finding in findings if (d := finding.diagnostic)]
    found = [{"subject": f.subject, "state": f.state, "text": f.text} for f in findings]
    return output.answer(view, NAME, "\n".join(lines), diagnostics=diagnostics, findings=found)


def examine(args: Namespace) -> Iterator[Finding]:
    """Every finding, the project's last: without a project the others still hold."""
    from edgetpu_build import __version__

    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(subject="edgetpu-build", state="found", text=f"{__version__} on Python {version} ({sys.executable})")
    for look in (_runtime, _library, _devices, _store, _git):
        yield look()
    try:
        found = project.load(args)
    except EdgeTpuBuildError as problem:
        yield from (
            Finding(subject="configuration", state="wrong", text=d.message, diagnostic=d) for d in problem.diagnostics
        )
        return
    yield _configuration(found)
    for examine_project in _OF_A_PROJECT:
        yield examine_project(found)


def _configuration(found: Project) -> Finding:
    counts = f"{text.plural(len(found.config.models), 'model')}, {text.plural(len(found.config.groups), 'group')}"
    return Finding(subject="configuration", state="found", text=f"`{found.root}`, {counts}")


def _google(found: Project) -> Finding:
    from edgetpu_build.compiler import choose
    from edgetpu_build.compiler.google.command import known

    config = found.config
    command = " ".join(config.compiler_command)
    try:
        backend = choose.backend(
            "google", command=config.compiler_command, requires_compiler=config.requires_compiler, generation=""
        )
        identity = backend.identify()
    except EdgeTpuBuildError as problem:
        return _no_google(found, problem.diagnostics[0])
    told = f"`{command}`, version {identity.version}"
    if who := known(identity.version):
        told += f", by itself for runtime {who.rules} and newer"
    return Finding(subject="Google's compiler", state="found", text=told)


def _no_google(found: Project, problem: Diagnostic) -> Finding:
    needed = found.config.compiler == "google"
    hint = "the builtin compiler serves; its artifacts run in simulation only"
    return Finding(
        subject="Google's compiler",
        state="wrong" if needed else "missing",
        text=problem.message if needed else f"{problem.message}; {hint}",
        diagnostic=problem if needed else None,
    )


def _builtin(found: Project) -> Finding:
    from edgetpu_build.compiler import choose

    try:
        generation = choose.generation(found.config.requires_compiler)
    except EdgeTpuBuildError as problem:
        return Finding(subject="builtin compiler", state="missing", text=problem.diagnostics[0].message)
    return Finding(subject="builtin compiler", state="found", text=f"predicts Edge TPU Compiler {generation}")


def _hook(found: Project) -> Finding:
    if found.config.hook_enabled:
        return Finding(
            subject="build hook", state="found", text="[tool.hatch.build.hooks.edgetpu] stands in pyproject.toml"
        )
    fault = _warning("ETB107", "`[tool.hatch.build.hooks.edgetpu]` is missing", "`edgetpu-build init` writes it")
    return Finding(subject="build hook", state="wrong", text="hatch does not call it", diagnostic=fault)


def _uv(found: Project) -> Finding:
    if not found.config.uses_uv:
        return Finding(subject="uv", state="missing", text="no [tool.uv] in pyproject.toml, so nothing to set")
    if found.config.uv_cache_keys:
        return Finding(subject="uv", state="found", text="`cache-keys` tell it when to build again")
    message = "`[tool.uv]` has no `cache-keys`, so uv may install a wheel from before a model changed"
    fault = _warning("ETB107", message, "`edgetpu-build init` writes them")
    return Finding(subject="uv", state="wrong", text="`cache-keys` are missing", diagnostic=fault)


def _lock(found: Project) -> Finding:
    from edgetpu_build.engine import lockfile

    try:
        lock = lockfile.read(found.root)
    except EdgeTpuBuildError as problem:
        fault = problem.diagnostics[0]
        return Finding(subject="lock", state="wrong", text=fault.message, diagnostic=fault)
    if lock is None:
        return Finding(subject="lock", state="missing", text="no edgetpu.lock yet; `edgetpu-build build` writes it")
    ignored = _run_git(found.root, "check-ignore", "-q", "edgetpu.lock") == 0
    if ignored:
        fault = _warning("ETB103", "git ignores `edgetpu.lock`", "take it out of .gitignore and commit it")
        return Finding(subject="lock", state="wrong", text="ignored by git", diagnostic=fault)
    return Finding(subject="lock", state="found", text=text.plural(len(lock.units), "unit"))


def _versions(found: Project) -> Finding:
    """Compiler, files and runtime side by side, as in table 3 of the compiler's manual."""
    from edgetpu_build.compiler.google import library

    wanted = max((model.min_runtime_version for model in found.config.models), default=found.config.min_runtime_version)
    parts = [f"files may ask for runtime {wanted} at most (`min-runtime-version`)"]
    needed = _runtime_of_outputs(found)
    parts += [f"those in the lock ask for {needed}"] if needed else []
    name = library.find()
    installed = library.runtime_version(name) if name else 0
    if not installed:
        parts.append("on devices, `pycoral.utils.edgetpu.get_runtime_version()` tells theirs")
        return Finding(subject="runtime versions", state="found", text="; ".join(parts))
    if installed >= (needed or wanted):
        parts.append(f"runtime {installed} of this machine runs them")
        return Finding(subject="runtime versions", state="found", text="; ".join(parts))
    message = f"the runtime of this machine is {installed}, and files ask for {needed or wanted}"
    hint = f"set `min-runtime-version = {installed}` and build again, or get a newer libedgetpu"
    fault = _warning("ETB316", message, hint)
    return Finding(subject="runtime versions", state="wrong", text="; ".join(parts), diagnostic=fault)


def _runtime_of_outputs(found: Project) -> int:
    from edgetpu_build.engine import lockfile

    try:
        lock = lockfile.read(found.root)
    except EdgeTpuBuildError:
        return 0
    members = (member for unit in lock.units.values() for member in unit.members) if lock else ()
    return int(max((member.figures.runtime_version.value or 0 for member in members), default=0))


_OF_A_PROJECT: tuple[Callable[[Project], Finding], ...] = (_builtin, _google, _versions, _hook, _uv, _lock)


def _runtime() -> Finding:
    from importlib.util import find_spec

    for package in ("ai_edge_litert", "tflite_runtime"):
        if find_spec(package):
            return Finding(subject="LiteRT", state="found", text=f"package `{package}`")
    hint = "needed to run models, not to build: `pip install edgetpu-build[runtime]`"
    return Finding(subject="LiteRT", state="missing", text=hint)


def _library() -> Finding:
    from edgetpu_build.compiler.google import library

    found = library.find()
    if not found:
        return Finding(
            subject="Edge TPU runtime", state="missing", text="no libedgetpu; needed to run on a device only"
        )
    version = library.runtime_version(found)
    told = f"version {version}: runs files for {version} and older" if version else "which does not tell its version"
    return Finding(subject="Edge TPU runtime", state="found", text=f"`{found}`, {told}")


def _devices() -> Finding:
    found = [f"PCIe `{path}`" for path in sorted(Path("/dev").glob("apex_*"))]
    for device in sorted(Path("/sys/bus/usb/devices").glob("*")):
        state = USB_IDS.get((_text(device / "idVendor"), _text(device / "idProduct")))
        if state:
            found.append(f"USB `{device.name}` ({state})")
    if found:
        return Finding(subject="Edge TPU", state="found", text=", ".join(found))
    return Finding(subject="Edge TPU", state="missing", text="no device at USB or PCIe; the simulated one serves")


def _store() -> Finding:
    from edgetpu_build.store import open_store
    from edgetpu_build.store.maintenance import stats

    store = open_store(os.environ)
    folder = Path(store.folder)
    place = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(place, os.W_OK):
        fault = _warning(
            "ETB506",
            f"`{place}` cannot be written, so nothing is kept",
            "mend permissions, or set `EDGETPU_BUILD_CACHE_DIR`",
            file="",
        )
        return Finding(subject="store", state="wrong", text=f"`{folder}` is read-only", diagnostic=fault)
    found = stats(store)
    used = f"{text.size(found.bytes)} of {text.size(found.limit)} in {found.records} records"
    return Finding(subject="store", state="found", text=f"`{folder}`, {used}")


def _git() -> Finding:
    if _run_git(Path.cwd(), "--version") is None:
        return Finding(subject="git", state="missing", text="needed for `diff`, `check --staged` and `--base` only")
    inside = _run_git(Path.cwd(), "rev-parse", "--git-dir") == 0
    return Finding(subject="git", state="found", text="in a repository" if inside else "not in a repository")


def _run_git(folder: Path, *words: str) -> int | None:
    """Its exit code, None if it cannot be started."""
    import subprocess

    try:
        return subprocess.run(["git", *words], cwd=folder, capture_output=True, check=False).returncode
    except OSError:
        return None


def _warning(code: str, message: str, hint: str, *, file: str = "pyproject.toml") -> Diagnostic:
    return Diagnostic(code=code, message=message, hint=hint, severity="warning", file=file)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _line(finding: Finding, style: Style) -> str:
    mark = {"found": style.glyph("✓", "+"), "missing": style.glyph("·", "-"), "wrong": style.glyph("✗", "x")}[
        finding.state
    ]
    color = {"found": "green", "missing": "dim", "wrong": "red"}[finding.state]
    return f"{style.paint(mark, color)} {finding.subject:<18}{printable(finding.text)}"

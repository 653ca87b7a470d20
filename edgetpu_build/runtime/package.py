"""From an Edge TPU operator's custom options to what a device registers, checked in libedgetpu's order and words.

Source of the order: ``PackageRegistry::GetExecutablesFromBinary`` (driver/package_registry.cc).
"""

from __future__ import annotations

import warnings
from collections import Counter

from edgetpu_build.compiler import artifact, wellformed
from edgetpu_build.compiler.package import SCHEMA, Executable, decode, package_bytes
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.runtime.refusal import DeviceError, unprepared
from edgetpu_build.tflite.flatbuffer import Decoder, Table

OLDEST_RUNTIME = 10
LEGAL = ({"PARAMETER_CACHING", "EXECUTION_ONLY"}, {"STAND_ALONE", "PARAMETER_CACHING", "EXECUTION_ONLY"})


class Package:
    """One operator's executables, registered: every interpreter has its own, also for the same file.

    ``main`` computes; ``cache`` loads parameters to ``address`` of the on-chip memory first, None where nothing is
    cached. A device tells packages apart by identity, as the runtime does by reference.
    """

    def __init__(self, main: Executable, cache: Executable | None, label: str) -> None:
        self.main = main
        self.cache = cache
        self.label = label
        self.program = artifact.program(_instructions(main))
        wellformed.check(self.program.model.main, range(len(self.program.model.main.operators)))
        self.address = artifact.address(_instructions(cache)) if cache else 0

    @property
    def cached_size(self) -> int:
        return len(self.cache.parameters) if self.cache else 0

    @property
    def cached(self) -> bytes | bytearray | memoryview:
        """The parameters as the artifact has them."""
        return self.cache.parameters if self.cache else b""


def register(custom_options: memoryview, *, runtime_version: int, label: str = "") -> Package:
    """The package in an operator's custom options. RuntimeError with the runtime's text where it refuses it."""
    _check_package(custom_options, runtime_version)
    executables = decode(custom_options).executables
    if any(executable.batch_size < 1 for executable in executables):
        raise unprepared("Executable has invalid batch size.")
    by_type = {executable.type: executable for executable in executables}
    if max(Counter(executable.type for executable in executables).values()) > 1:
        raise unprepared("Multiple executables of the same type were found in the package.")
    if len(executables) == 1:
        return Package(executables[0], None, label)
    if set(by_type) not in LEGAL:
        raise unprepared("Invalid combination of executables in the package.")
    if "STAND_ALONE" in by_type:
        return Package(by_type["STAND_ALONE"], None, label)
    return Package(by_type["EXECUTION_ONLY"], by_type["PARAMETER_CACHING"], label)


def _check_package(custom_options: memoryview, runtime_version: int) -> None:
    package = _root("Package", _raw(custom_options))
    wanted = package.get("min_runtime_version", 0)
    if wanted < OLDEST_RUNTIME:
        told = f"Minimum runtime version required by package ({wanted}) is lower than expected ({OLDEST_RUNTIME})."
        warnings.warn(told, RuntimeWarning, stacklevel=2)
    if wanted > runtime_version:
        raise unprepared(
            f"Failed precondition: Package requires runtime version ({wanted}), which is newer than this runtime "
            f"version ({runtime_version}).",
            "compile with `min-runtime-version`, or update the runtime",
            code="ETB316",
        )
    if package.get("virtual_chip_id", 0) == -1:
        raise unprepared("This is a multi-chip package.")
    if not package.get("serialized_multi_executable"):
        raise unprepared("No executables to register.")
    executables = _root("MultiExecutable", package["serialized_multi_executable"]).get("serialized_executables")
    if not executables:
        raise unprepared("No executables provided.")
    for executable in executables:
        _root("Executable", executable)


def _raw(custom_options: memoryview) -> memoryview:
    try:
        return package_bytes(custom_options)
    except EdgeTpuBuildError as problem:
        raise _told("Missing raw model data.", problem) from problem


def _root(table: str, raw: memoryview) -> Table:
    try:
        return Decoder(SCHEMA, raw, "the Edge TPU package").root(table)
    except EdgeTpuBuildError as problem:
        raise _told(f"{table} verification failed.", problem) from problem


def _told(text: str, problem: EdgeTpuBuildError) -> DeviceError:
    return unprepared(text, str(problem))


def _instructions(executable: Executable) -> bytes | bytearray | memoryview:
    if not executable.instructions:
        raise unprepared("Executable does not contain instruction bitstream.")
    return executable.instructions[0]

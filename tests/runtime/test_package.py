"""What the runtime refuses, in its own words and its own order; and that nothing damaged gets any further."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from edgetpu_build.compiler.package import Package
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.runtime import Device, Interpreter
from tests.runtime import made
from tests.support import models

MODEL = models.conv_net()
ARTIFACT = made.compiled(MODEL)


def refused(artifact: bytes, **options: Any) -> str:
    """The text of the RuntimeError with which a device refuses the file."""
    with pytest.raises(RuntimeError) as caught:
        Interpreter(model_content=artifact, device=Device(**options))
    assert isinstance(caught.value, EdgeTpuBuildError)
    return str(caught.value)


def typed(*types: str) -> Callable[[Package], Package]:
    def change(found: Package) -> Package:
        main = found.executables[0]
        return replace(found, executables=tuple(replace(main, type=t) for t in types))  # type: ignore[arg-type]

    return change


def batch(size: int) -> Callable[[Package], Package]:
    def change(found: Package) -> Package:
        return replace(found, executables=tuple(replace(e, batch_size=size) for e in found.executables))

    return change


def without_instructions(found: Package) -> Package:
    return replace(found, executables=tuple(replace(e, instructions=()) for e in found.executables))


def test_a_package_for_a_newer_runtime() -> None:
    newer = made.repackaged(ARTIFACT, lambda found: replace(found, min_runtime_version=15))
    assert refused(newer) == (
        "Failed to prepare for TPU. Failed precondition: Package requires runtime version (15), which is newer than "
        "this runtime version (14)."
    )


def test_a_device_with_an_older_runtime() -> None:
    assert "requires runtime version (14), which is newer than this runtime version (13)." in refused(
        ARTIFACT, runtime_version=13
    )


def test_a_package_for_a_runtime_before_the_first_is_warned_of() -> None:
    older = made.repackaged(ARTIFACT, lambda found: replace(found, min_runtime_version=9))
    with pytest.warns(RuntimeWarning, match=r"required by package \(9\) is lower than expected \(10\)\."):
        Interpreter(model_content=older, device=Device())


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (typed("EXECUTION_ONLY", "EXECUTION_ONLY"), "Multiple executables of the same type were found in the package."),
        (typed("STAND_ALONE", "EXECUTION_ONLY"), "Invalid combination of executables in the package."),
        (typed("STAND_ALONE", "PARAMETER_CACHING"), "Invalid combination of executables in the package."),
        (typed(), "No executables provided."),
        (batch(0), "Executable has invalid batch size."),
        (batch(-3), "Executable has invalid batch size."),
        (without_instructions, "Executable does not contain instruction bitstream."),
    ],
)
def test_illegal_sets_of_executables(change: Callable[[Package], Package], text: str) -> None:
    assert refused(made.repackaged(ARTIFACT, change)) == f"Failed to prepare for TPU. {text}"


def test_a_multi_chip_package() -> None:
    changed = made.raw_package(ARTIFACT, "Package", lambda table: table.update(virtual_chip_id=-1))
    assert refused(changed).endswith("This is a multi-chip package.")


def test_a_package_without_executables() -> None:
    changed = made.raw_package(ARTIFACT, "Package", lambda table: table.pop("serialized_multi_executable"))
    assert refused(changed).endswith("No executables to register.")


def test_damage_is_told_level_by_level() -> None:
    def broken_multi(table: dict[str, Any]) -> None:
        table["serialized_multi_executable"] = b"\xff" * 64

    def broken_executable(table: dict[str, Any]) -> None:
        table["serialized_executables"] = [b"\xff" * 64]

    assert refused(made.with_options(ARTIFACT, lambda _: b"no package")).endswith("Missing raw model data.")
    assert refused(made.raw_package(ARTIFACT, "Package", broken_multi)).endswith("MultiExecutable verification failed.")
    assert refused(made.raw_package(ARTIFACT, "MultiExecutable", broken_executable)).endswith(
        "Executable verification failed."
    )


def test_one_executable_of_any_type_stands_alone() -> None:
    alone = made.compiled(models.chain_net(3))

    def change(found: Package) -> Package:
        return replace(found, executables=(replace(found.executables[0], type="EXECUTION_ONLY"),))

    assert made.opened(made.repackaged(alone, change), device=Device()).device.stats().parameter_loads == 0


def test_of_three_executables_the_one_that_stands_alone_runs_and_nothing_is_cached() -> None:
    alone = made.compiled(models.chain_net(3))
    types = ("STAND_ALONE", "PARAMETER_CACHING", "EXECUTION_ONLY")
    interpreter = made.opened(made.repackaged(alone, typed(*types)), device=Device())
    interpreter.invoke()
    assert interpreter.device.stats().parameter_loads == 0


def test_a_program_whose_constants_are_nowhere() -> None:
    def change(found: Package) -> Package:
        main, cache = found.executables
        return replace(found, executables=(main, replace(cache, parameters=bytes(cache.parameters)[:64])))

    assert "lie outside of the parameters" in refused(made.repackaged(ARTIFACT, change))


def test_an_operator_whose_tensors_are_not_the_program_s() -> None:
    other = made.compiled(models.conv_net(size=16))
    options = next(op.custom_options for op in made.read(other).main.operators if op.custom_options)
    assert "are not those of its executable" in refused(made.with_options(ARTIFACT, lambda _: bytes(options)))


def test_litert_without_the_device_refuses_the_file_by_name() -> None:
    with pytest.raises(RuntimeError, match="edgetpu-sim-custom-op"):
        made.original(ARTIFACT)


@pytest.mark.parametrize(
    ("content", "text"), [(b"", "is empty"), (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer")]
)
def test_what_is_no_model_is_a_value_error(content: bytes, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Interpreter(model_content=content)


def test_a_truncated_file_is_a_value_error_with_our_diagnostics() -> None:
    with pytest.raises(ValueError, match="damaged") as caught:
        Interpreter(model_content=ARTIFACT[: len(ARTIFACT) // 2], device=Device())
    assert isinstance(caught.value, EdgeTpuBuildError)

from __future__ import annotations

from pathlib import Path

import pytest

from edgetpu_build.compiler.google import command
from edgetpu_build.compiler.interface import Options, Source
from edgetpu_build.errors import EdgeTpuBuildError


def program(folder: Path, text: str = "#!/bin/sh\n", name: str = "edgetpu_compiler") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_the_folder_is_filled_in_wherever_it_stands(tmp_path: Path) -> None:
    found = str(program(tmp_path))
    assert command.start([found, "-v", "{workdir}:{workdir}"], "/w d") == [found, "-v", "/w d:/w d"]


def test_the_digest_is_that_of_script_and_binary(tmp_path: Path) -> None:
    script = program(tmp_path / "bin")
    alone = command.digest([str(script)])
    binary = program(tmp_path / "bin" / "edgetpu_compiler_bin", "one")
    first = command.digest([str(script)])
    binary.write_text("another")
    assert len({alone, first, command.digest([str(script)])}) == 3
    link = tmp_path / "edgetpu_compiler"
    link.symlink_to(script)
    assert command.digest([str(link)]) == command.digest([str(script)])


def test_what_starts_it_elsewhere_has_no_digest(tmp_path: Path) -> None:
    assert command.digest([str(program(tmp_path)), "{workdir}"]) == ""
    assert command.digest(["no-such-program-anywhere"]) == ""


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ('#!/bin/sh\nexec edgetpu-build compile "$@"\n', True),
        ('#!/bin/sh\nexec python3 -m edgetpu_build compile "$@"\n', True),
        ('#!/bin/sh\nexec /opt/edgetpu-build/edgetpu_compiler "$@"\n', False),
        ("\x7fELF edgetpu-build compile", False),
    ],
)
def test_a_shim_of_ours_is_known_by_what_it_starts(tmp_path: Path, text: str, ours: bool) -> None:
    path = program(tmp_path, text)
    assert command.is_ours(str(path)) is ours
    if ours:
        with pytest.raises(EdgeTpuBuildError) as raised:
            command.start([str(path)], "")
        assert raised.value.diagnostics[0].code == "ETB401"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Edge TPU Compiler version 16.0.384591198\n", "16.0.384591198"),
        ("WARNING: something of ssh\r\nEdge TPU Compiler version 2.1.302470888\r\n", "2.1.302470888"),
        ("edgetpu-build 0.1.0, predicting Edge TPU Compiler version 16.0.384591198\n", ""),
        ("command not found\n", ""),
    ],
)
def test_the_version_is_the_program_s_own(text: str, version: str) -> None:
    assert command.version_in(text) == version


@pytest.mark.parametrize(
    ("version", "asked", "words"),
    [
        ("16.0.384591198", 14, []),
        ("16.0.384591198", 13, ["--min_runtime_version=13"]),
        ("15.0.340273435", 14, []),
        ("15.0.340273435", 13, []),
        ("15.0.340273435", 12, ["--min_runtime_version=12"]),
        ("17.0.1", 13, ["--min_runtime_version=13"]),
        ("", 13, ["--min_runtime_version=13"]),
    ],
)
def test_a_runtime_is_asked_for_where_it_is_not_the_compiler_s_own(version: str, asked: int, words: list[str]) -> None:
    made = command.arguments(Options(min_runtime_version=asked), [Source(label="", data=b"")], ["m"], version=version)
    assert made == [*words, "--out_dir=out", "m"]


def test_every_option_of_a_lock_can_be_told() -> None:
    options = Options(segments=3, delegate_step=2, multiple_subgraphs=True, min_runtime_version=12)
    assert command.described(options, [("a",), ("b", "c")]) == [
        "--min_runtime_version=12",
        "--num_segments=3",
        "--search_delegate",
        "--delegate_search_step=2",
        "--enable_multiple_subgraphs",
        "--intermediate_tensors=a:b,c",
    ]

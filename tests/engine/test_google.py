"""Whole builds with Google's compiler, a recording of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgetpu_build.engine import lockfile
from edgetpu_build.engine.build import build
from edgetpu_build.engine.outcome import Outcome
from edgetpu_build.engine.project import Project
from edgetpu_build.engine.verify import verify
from edgetpu_build.report import provenance
from edgetpu_build.tflite import reader
from tests.support.models import conv_net, dense_net
from tests.support.project import codes, states
from tests.support.standin.recording import TOKEN, V16, Recording, told

MODEL, OTHER = conv_net(layers=2, channels=8, size=8), dense_net()
PYPROJECT = """
[tool.edgetpu]
compiler = "{compiler}"
[tool.edgetpu.models.a]
source = "a.tflite"
{more}
"""
GROUP = """
[tool.edgetpu.models.b]
source = "b.tflite"
[tool.edgetpu.groups.both]
models = ["b", "a"]
"""


class Site:
    """A project and the program that its configuration finds."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        self.root.mkdir()
        self.recording = Recording(folder / "standin")
        self.command = str(self.recording.program)
        self.write(MODEL, OTHER)
        self.configure()

    def write(self, *data: bytes) -> None:
        for name, content in zip("ab", data, strict=False):
            (self.root / f"{name}.tflite").write_bytes(content)

    def configure(self, more: str = "", *, compiler: str = "google") -> None:
        (self.root / "pyproject.toml").write_text(PYPROJECT.format(compiler=compiler, more=more))

    def project(self) -> Project:
        return Project.load(self.root, {**os.environ, "EDGETPU_BUILD_COMMAND": self.command})

    def build(self, **options: Any) -> Outcome:
        return build(self.project(), **options)

    def lose_the_program(self) -> None:
        self.command = "/nowhere/edgetpu_compiler"

    @property
    def lock(self) -> lockfile.Lock:
        found = lockfile.read(self.root)
        assert found
        return found


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_what_it_made_is_locked_with_both_digests(site: Site) -> None:
    site.recording.good(told(MODEL))
    outcome = site.build()
    assert states(outcome) == {"a": "compiled"}
    unit = site.lock.units["a"]
    assert (unit.target, unit.compiler.name, unit.compiler.version) == ("edgetpu", "google", V16)
    (output,) = unit.members[0].outputs
    assert output.masked_sha256 not in ("", output.sha256)
    assert unit.members[0].figures.cached_bytes.value == 1024


def test_a_build_with_nothing_to_do_never_starts_it(site: Site) -> None:
    site.recording.good(told(MODEL))
    site.build()
    calls = (site.recording.home / "calls.jsonl").read_text()
    assert states(site.build()) == {"a": "fresh"}
    assert (site.recording.home / "calls.jsonl").read_text() == calls


def test_without_the_program_lock_and_store_suffice(site: Site) -> None:
    site.recording.good(told(MODEL))
    site.build()
    site.lose_the_program()
    site.configure(compiler="auto")
    assert states(site.build()) == {"a": "fresh"}
    (site.root / "a_edgetpu.tflite").unlink()
    assert states(site.build(frozen=True)) == {"a": "cached"}
    assert (site.root / "a_edgetpu.tflite").read_bytes() == told(MODEL).artifact


@pytest.mark.parametrize("change", ["model", "another"])
def test_auto_does_not_fall_back_to_builtin_where_the_lock_says_google(site: Site, change: str) -> None:
    site.recording.good(told(MODEL))
    site.build()
    site.lose_the_program()
    if change == "model":
        site.configure(compiler="auto")
        site.write(OTHER)
    else:
        site.configure('[tool.edgetpu.models.b]\nsource = "b.tflite"\n', compiler="auto")
    outcome = site.build()
    assert outcome.exit_code == 4
    (told_,) = [found for found in outcome.all_diagnostics if found.severity == "error"]
    assert told_.code == "ETB401"
    assert "compiler-command" in told_.hint
    assert b"edgetpu-sim-custom-op" not in (site.root / "a_edgetpu.tflite").read_bytes()


def test_a_simulator_artifact_in_the_place_of_google_s_is_not_accepted(site: Site) -> None:
    site.recording.good(told(MODEL))
    site.build()
    site.lose_the_program()
    site.configure(compiler="builtin")
    outcome = site.build(locked=True)
    assert outcome.exit_code == 1
    assert (site.root / "a_edgetpu.tflite").read_bytes() == told(MODEL).artifact


def test_another_token_is_no_difference(site: Site) -> None:
    site.recording.good(told(MODEL, token=TOKEN), times=1)
    site.recording.good(told(MODEL, token=TOKEN + 1))
    site.build()
    outcome = verify(site.project(), recompile=1)
    assert (outcome.exit_code, codes(outcome)) == (0, [])
    assert len(site.recording.calls()) == 2


def test_another_result_is_one(site: Site) -> None:
    site.recording.good(told(MODEL, cached=1024), times=1)
    site.recording.good(told(MODEL, cached=2048))
    site.build()
    assert codes(verify(site.project(), recompile=1)) == ["ETB110"]


def test_a_group_is_whole_or_not_at_all(site: Site) -> None:
    site.configure(GROUP)
    one, other = told(OTHER, 0), told(MODEL, 1)
    site.recording.good(one, replace(other, artifact=b"stub"), times=1)
    outcome = site.build()
    assert states(outcome) == {"both": "failed"}
    assert not list(site.root.glob("*_edgetpu.tflite"))
    site.recording.good(one, other)
    assert states(site.build()) == {"both": "compiled"}
    assert len(list(site.root.glob("*_edgetpu.tflite"))) == 2


def test_metadata_come_back_if_asked_for(site: Site) -> None:
    net_facts = conv_net(layers=1, channels=8, size=8)
    from tests.tflite.test_restore import annotated

    data = annotated(zip_appended=True)
    assert data != net_facts
    site.write(data)
    site.recording.good(told(data))
    site.build()
    bare = reader.read((site.root / "a_edgetpu.tflite").read_bytes())
    assert bare.metadata == ()
    site.configure("restore-metadata = true")
    assert states(site.build()) == {"a": "compiled"}
    full = reader.read((site.root / "a_edgetpu.tflite").read_bytes())
    assert [name for name, _ in full.metadata] == ["TFLITE_METADATA", "min_runtime_version"]
    assert full.main.operators[0].custom_options == bare.main.operators[0].custom_options
    assert len(full.raw) > full.flatbuffer_size


def test_a_file_for_a_newer_runtime_never_ships(site: Site) -> None:
    site.configure("min-runtime-version = 13")
    site.recording.good(told(MODEL, runtime=14))
    assert codes(site.build()) == ["ETB316"]
    assert not (site.root / "a_edgetpu.tflite").exists()


def test_a_model_wholly_on_the_cpu_fails_its_unit(site: Site) -> None:
    site.recording.good(told(MODEL, on_cpu=range(5), remaining=0))
    outcome = site.build()
    assert (outcome.exit_code, "ETB308" in codes(outcome)) == (3, True)


def test_a_first_failure_that_was_chance_is_reported(site: Site) -> None:
    site.recording.bad("\nInternal compiler error. Aborting! \n", times=1)
    site.recording.good(told(MODEL))
    outcome = site.build()
    assert (outcome.exit_code, codes(outcome)) == (0, ["ETB312"])


def test_provenance_tells_how_it_was_made(site: Site) -> None:
    site.configure("min-runtime-version = 13\nmultiple-subgraphs = true")
    site.recording.good(told(MODEL, runtime=13))
    site.build()
    page = provenance.page(site.lock, "consumer")
    assert f'"google {V16}"' in page
    assert "--min_runtime_version=13 --enable_multiple_subgraphs" in page
    assert str(site.root) not in page


def test_progress_is_passed_on(site: Site) -> None:
    site.recording.good(told(MODEL))
    said: list[tuple[str, str]] = []
    tell: Callable[[str, str], None] = lambda name, text: said.append((name, text))  # noqa: E731
    site.build(progress=tell)
    assert ("a", "Model compiled successfully in 119 ms.") in said


def test_a_command_of_the_project_is_found_from_anywhere(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.recording.good(told(MODEL))
    (site.root / "tools").mkdir()
    (site.root / "tools" / "compiler").symlink_to(site.recording.program)
    site.command = "tools/compiler"
    monkeypatch.chdir("/")
    assert states(site.build()) == {"a": "compiled"}


@pytest.mark.parametrize(("free", "jobs", "slots"), [(600 << 20, 0, 1), (600 << 20, 5, 5), (1 << 40, 0, 3)])
def test_memory_bounds_how_many_run_at_once(
    site: Site, monkeypatch: pytest.MonkeyPatch, free: int, jobs: int, slots: int
) -> None:
    from edgetpu_build.compiler.google import memory
    from edgetpu_build.engine import executor

    monkeypatch.setattr(memory, "available", lambda: free)
    monkeypatch.setattr(executor, "processors", lambda: 3)
    asked: list[int] = []
    compiling = executor.compiling

    def noted(weights: Any, jobs: int, *more: Any) -> Any:
        asked.append(jobs)
        return compiling(weights, jobs, *more)

    monkeypatch.setattr(executor, "compiling", noted)
    more = "".join(f'[tool.edgetpu.models.m{i}]\nsource = "a.tflite"\noutput = "{i}.tflite"\n' for i in range(4))
    site.configure(more)
    site.recording.good(told(MODEL))
    site.build(jobs=jobs)
    assert asked == [slots]

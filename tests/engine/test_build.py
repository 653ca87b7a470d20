from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgetpu_build.engine import lockfile
from edgetpu_build.engine.workers import BugError
from edgetpu_build.errors import EdgeTpuBuildError
from tests.support.backend import StandIn
from tests.support.project import Yard, codes, states, unit


@pytest.fixture
def two(yard: Yard) -> Yard:
    yard.models(a="a.tflite", b="b.tflite")
    yard.write("a.tflite", "aaa")
    yard.write("b.tflite", "bb")
    return yard


def text_of(yard: Yard) -> str:
    return yard.read("edgetpu.lock").decode()


class TestFirstAndSecond:
    def test_everything_is_compiled_once(self, two: Yard) -> None:
        first = two.build()
        assert states(first) == {"a": "compiled", "b": "compiled"}
        assert set(first.written) == {"a_edgetpu.tflite", "b_edgetpu.tflite", "edgetpu.lock"}
        assert first.lock_changed
        assert first.exit_code == 0
        assert unit(first, "a").why == "there is no lock yet"
        assert unit(first, "a").members[0].operators[1].reason == "its input is too large"

        second = two.build()
        assert states(second) == {"a": "fresh", "b": "fresh"}
        assert second.written == ()
        assert not second.lock_changed
        assert unit(second, "a").members[0].figures.off_chip == unit(first, "a").members[0].figures.off_chip
        assert sorted(two.compiles) == ["a.tflite", "b.tflite"]

    def test_only_what_changed_is_compiled_again(self, two: Yard) -> None:
        two.build()
        two.write("b.tflite", "b2" * 100)
        outcome = two.build()
        assert states(outcome) == {"a": "fresh", "b": "compiled"}
        assert unit(outcome, "b").why == "source `b.tflite` changed"
        (member,) = unit(outcome, "b").members
        assert member.before is not None
        assert (member.before.off_chip.value, member.figures.off_chip.value) == (0, 100)

    def test_an_output_that_goes_while_it_is_compiled_again_is_there_afterwards(self, two: Yard) -> None:
        two.build()
        before = two.read("a_edgetpu.tflite")
        (two.root / "edgetpu.lock").unlink()

        def gone(_name: str, doing: str) -> None:
            if doing == "compiling":
                (two.root / "a_edgetpu.tflite").unlink()

        outcome = two.build("a", force=True, progress=gone)
        assert states(outcome) == {"a": "compiled"}
        assert "a_edgetpu.tflite" in outcome.written
        assert two.read("a_edgetpu.tflite") == before

    def test_a_named_unit_leaves_the_others_alone(self, two: Yard) -> None:
        assert states(two.build("b")) == {"b": "compiled"}
        assert states(two.build()) == {"a": "compiled", "b": "fresh"}

    def test_a_new_unit_says_so(self, two: Yard) -> None:
        two.build("a")
        assert unit(two.build(), "b").why == "it is not in the lock yet"

    def test_touching_and_copying_over_compile_nothing(self, two: Yard) -> None:
        two.build()
        os.utime(two.root / "a.tflite")
        two.write("b.tflite", two.read("b.tflite"))
        assert states(two.build()) == {"a": "fresh", "b": "fresh"}

    def test_the_same_content_as_before_is_found_in_the_store(self, two: Yard) -> None:
        two.build()
        old = two.read("a_edgetpu.tflite")
        two.write("a.tflite", "other")
        two.build()
        two.write("a.tflite", "aaa")
        assert states(two.build()) == {"a": "cached", "b": "fresh"}
        assert two.read("a_edgetpu.tflite") == old
        assert len(two.compiles) == 3

    def test_a_missing_or_changed_output_is_restored(self, two: Yard) -> None:
        two.build()
        good = two.read("a_edgetpu.tflite"), two.read("b_edgetpu.tflite")
        (two.root / "a_edgetpu.tflite").unlink()
        two.write("b_edgetpu.tflite", "mine")
        outcome = two.build()
        assert states(outcome) == {"a": "cached", "b": "cached"}
        assert unit(outcome, "a").why == "output `a_edgetpu.tflite` is missing"
        assert unit(outcome, "b").why.startswith("output `b_edgetpu.tflite` has SHA-256 ")
        assert (two.read("a_edgetpu.tflite"), two.read("b_edgetpu.tflite")) == good
        assert not outcome.lock_changed

    def test_the_project_may_move(self, two: Yard, tmp_path: Path) -> None:
        two.build()
        lock = text_of(two)
        shutil.copytree(two.root, tmp_path / "elsewhere")
        moved = replace(two, root=tmp_path / "elsewhere")
        assert states(moved.build()) == {"a": "fresh", "b": "fresh"}
        assert text_of(moved) == lock

    def test_force_compiles_what_is_fresh(self, two: Yard) -> None:
        two.build()
        outcome = two.build("a", force=True)
        assert states(outcome) == {"a": "compiled"}
        assert unit(outcome, "a").why == "`--force` was given"
        assert outcome.written == ()

    def test_a_dry_run_writes_nothing(self, two: Yard) -> None:
        before = two.files
        outcome = two.build(dry_run=True)
        assert states(outcome) == {"a": "stale", "b": "stale"}
        assert two.files == before
        assert two.compiles == []

    def test_options_that_change_bytes_compile_anew(self, two: Yard) -> None:
        two.build()
        two.config(
            two.read("pyproject.toml").decode().replace("[tool.edgetpu]", "[tool.edgetpu]\nmin-runtime-version = 13")
        )
        outcome = two.build()
        assert states(outcome) == {"a": "compiled", "b": "compiled"}
        assert unit(outcome, "a").why == "`min-runtime-version` changed from 14 to 13"

    @pytest.mark.parametrize(
        "setting", ['timeout = "9s"', "jobs = 1", "allow-simulator = true", 'budget = { off-chip = "1 MiB" }']
    )
    def test_options_that_do_not_compile_nothing(self, two: Yard, setting: str) -> None:
        two.build()
        two.config(two.read("pyproject.toml").decode().replace("[tool.edgetpu]", f"[tool.edgetpu]\n{setting}"))
        assert states(two.build()) == {"a": "fresh", "b": "fresh"}

    def test_another_compiler_compiles_anew(self, two: Yard) -> None:
        two.build()
        newer = replace(two, backend=replace(two.backend, revision="2"))
        outcome = newer.build()
        assert states(outcome) == {"a": "compiled", "b": "compiled"}
        assert unit(outcome, "a").why == "the compiler itself changed"

    def test_auto_says_which_compiler_it_took(self, two: Yard) -> None:
        assert [told.severity for told in two.build().diagnostics] == ["note"]
        assert two.build().diagnostics == ()

    def test_units_come_in_the_order_of_the_configuration(self, yard: Yard) -> None:
        names = ["m", "z", "a", "k"]
        yard.models(**{name: f"{name}.tflite" for name in names})
        for name in names:
            yard.write(f"{name}.tflite", name)
        assert [found.name for found in yard.build(jobs=2).units] == names

    def test_wrong_configuration_compiles_nothing(self, two: Yard) -> None:
        two.models(a="a.tflite", b="gone.tflite")
        with pytest.raises(EdgeTpuBuildError) as caught:
            two.build()
        assert caught.value.exit_code == 2
        assert two.compiles == []

    @pytest.mark.parametrize("jobs", [1, 3])
    def test_everything_written_is_the_same_whatever_the_jobs(self, two: Yard, jobs: int, tmp_path: Path) -> None:
        two.build(jobs=jobs)
        other = Yard(tmp_path / "other", StandIn(log=str(tmp_path / "x")))
        shutil.copytree(two.root, other.root, ignore=shutil.ignore_patterns("*_edgetpu*", "edgetpu.lock"))
        os.environ["EDGETPU_BUILD_CACHE_DIR"] = str(tmp_path / "cache")
        other.build(jobs=4 - jobs)
        assert {path: other.read(path) for path in other.files} == {path: two.read(path) for path in two.files}


class TestRenaming:
    def test_a_renamed_model_is_not_compiled(self, two: Yard) -> None:
        two.build()
        two.models(other="a.tflite", b="b.tflite")
        outcome = two.build()
        assert states(outcome) == {"other": "cached", "b": "fresh"}
        assert outcome.removed == ()
        assert list(lockfile.parse(two.read("edgetpu.lock")).units) == ["b", "other"]

    def test_a_renamed_source_takes_its_output_along(self, two: Yard) -> None:
        two.build()
        content = two.read("a_edgetpu.tflite")
        (two.root / "a.tflite").rename(two.root / "n.tflite")
        two.models(a="n.tflite", b="b.tflite")
        outcome = two.build()
        assert unit(outcome, "a").why == "its source `a.tflite` is called `n.tflite` now"
        assert outcome.removed == ("a_edgetpu.tflite",)
        assert two.read("n_edgetpu.tflite") == content
        assert len(two.compiles) == 2

    def test_without_a_store_too(self, two: Yard, own_home: Path) -> None:
        two.build()
        shutil.rmtree(own_home / ".cache")
        two.config(two.read("pyproject.toml").decode().replace("[tool.edgetpu]", '[tool.edgetpu]\nout-dir = "out"'))
        assert states(two.build()) == {"a": "cached", "b": "cached"}
        assert two.files == {"pyproject.toml", "edgetpu.lock", "a.tflite", "b.tflite", *OUT}
        assert len(two.compiles) == 2


OUT = {"out/a_edgetpu.tflite", "out/b_edgetpu.tflite"}


class TestOrphans:
    def test_outputs_of_units_no_longer_declared_go(self, two: Yard) -> None:
        two.build()
        two.models(a="a.tflite")
        outcome = two.build()
        assert outcome.removed == ("b_edgetpu.tflite",)
        assert "b_edgetpu.tflite" not in two.files
        assert list(lockfile.parse(two.read("edgetpu.lock")).units) == ["a"]

    def test_unless_somebody_made_something_else_of_them(self, two: Yard) -> None:
        two.build()
        two.models(a="a.tflite")
        two.write("b_edgetpu.tflite", "mine")
        outcome = two.build()
        assert outcome.removed == ()
        assert codes(outcome) == ["ETB104"]
        assert outcome.exit_code == 0
        assert two.read("b_edgetpu.tflite") == b"mine"

    def test_nothing_goes_that_another_unit_writes(self, two: Yard) -> None:
        two.build()
        two.config('[tool.edgetpu.models.c]\nsource = "a.tflite"\noutput = "b_edgetpu.tflite"\n')
        assert two.build().removed == ("a_edgetpu.tflite",)
        assert "b_edgetpu.tflite" in two.files


class TestFailures:
    def test_one_failure_costs_one_unit(self, two: Yard) -> None:
        two.build()
        lock, old = text_of(two), two.read("a_edgetpu.tflite")
        two.write("a.tflite", "fail")
        two.write("b.tflite", "better")
        outcome = two.build()
        assert states(outcome) == {"a": "failed", "b": "compiled"}
        assert outcome.exit_code == 3
        (told,) = unit(outcome, "a").diagnostics
        assert (told.code, told.hint, told.file, told.unit) == ("ETB312", "make it well", "pyproject.toml", "a")
        assert told.line == 2
        assert two.read("a_edgetpu.tflite") == old
        before, after = lockfile.parse(lock.encode()), lockfile.parse(two.read("edgetpu.lock"))
        assert before.units["a"] == after.units["a"]
        assert before.units["b"] != after.units["b"]

    def test_it_is_tried_again(self, two: Yard) -> None:
        two.write("a.tflite", "fail")
        two.build()
        two.write("a.tflite", "fine")
        assert states(two.build()) == {"a": "compiled", "b": "fresh"}

    def test_fail_fast_starts_nothing_more(self, yard: Yard) -> None:
        yard.models(a="a.tflite", b="b.tflite", c="c.tflite")
        for name, content in (("a", "fine"), ("b", "fail"), ("c", "fine too")):
            yard.write(f"{name}.tflite", content)
        outcome = yard.build(jobs=1, fail_fast=True)
        assert states(outcome) == {"a": "compiled", "b": "failed", "c": "stale"}
        assert yard.compiles == ["a.tflite", "b.tflite"]
        assert list(lockfile.parse(yard.read("edgetpu.lock")).units) == ["a"]

    def test_a_dead_worker_costs_its_own_unit(self, yard: Yard) -> None:
        names = "abcdef"
        yard.models(**{name: f"{name}.tflite" for name in names})
        for name in names:
            yard.write(f"{name}.tflite", "die" if name in "be" else name)
        outcome = yard.build(jobs=2)
        assert [name for name, state in states(outcome).items() if state == "failed"] == ["b", "e"]
        assert "SIGKILL" in unit(outcome, "b").diagnostics[0].message
        assert sorted(yard.compiles) == [f"{name}.tflite" for name in sorted(names + "be")]  # once more, if accidents

    @pytest.mark.parametrize("alone", [True, False])
    def test_a_compile_that_takes_too_long_is_stopped(self, two: Yard, alone: bool) -> None:
        two.config(two.read("pyproject.toml").decode().replace("[tool.edgetpu]", '[tool.edgetpu]\ntimeout = "200ms"'))
        two.write("a.tflite", "hang")
        outcome = two.build(*["a"] if alone else [], jobs=2)
        assert states(outcome)["a"] == "failed"
        assert [told.code for told in unit(outcome, "a").diagnostics] == ["ETB313"]
        assert alone or states(outcome)["b"] == "compiled"

    @pytest.mark.parametrize("names", [["a"], []])
    def test_a_bug_is_no_users_error(self, two: Yard, names: list[str]) -> None:
        two.write("a.tflite", "bug")
        with pytest.raises(ZeroDivisionError if names else BugError, match="a bug in the compiler"):
            two.build(*names)

    def test_nothing_mapped_fails_with_the_reason(self, two: Yard) -> None:
        two.write("a.tflite", "float")
        outcome = two.build()
        (told,) = unit(outcome, "a").diagnostics
        assert (told.code, outcome.exit_code) == ("ETB308", 3)
        assert "its input is too large" in told.message
        assert "a_edgetpu.tflite" not in two.files

    def test_unless_the_budget_allows_it(self, two: Yard) -> None:
        two.write("a.tflite", "float")
        two.config(two.read("pyproject.toml").decode() + "budget.edgetpu-operators = { min = 0 }\n")
        two.config(
            two.read("pyproject.toml")
            .decode()
            .replace("[tool.edgetpu]", "[tool.edgetpu]\nbudget.edgetpu-operators.min = 0")
        )
        two.config(two.read("pyproject.toml").decode().replace("budget.edgetpu-operators = { min = 0 }\n", ""))
        assert two.build().exit_code == 0

    def test_a_pointer_of_git_lfs_is_told_as_such(self, two: Yard) -> None:
        two.write("a.tflite", f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12\n")
        outcome = two.build()
        (told,) = unit(outcome, "a").diagnostics
        assert (told.code, outcome.exit_code) == ("ETB303", 3)
        assert "git lfs pull" in told.hint
        assert states(outcome)["b"] == "compiled"


class TestGroupsAndSegments:
    @pytest.fixture
    def group(self, yard: Yard) -> Yard:
        yard.models(a="a.tflite", b="b.tflite")
        yard.config(yard.read("pyproject.toml").decode() + '[tool.edgetpu.groups.g]\nmodels = ["b", "a"]\n')
        yard.write("a.tflite", "aaa")
        yard.write("b.tflite", "bb")
        return yard

    def test_a_group_is_one_compile_in_order(self, group: Yard) -> None:
        outcome = group.build()
        assert states(outcome) == {"g": "compiled"}
        assert [member.name for member in unit(outcome, "g").members] == ["b", "a"]
        assert group.compiles == ["b.tflite a.tflite"]

    def test_one_changed_member_compiles_all(self, group: Yard) -> None:
        group.build()
        old = group.read("b_edgetpu.tflite")
        group.write("a.tflite", "new")
        outcome = group.build()
        assert unit(outcome, "g").why == "source `a.tflite` changed"
        assert group.read("b_edgetpu.tflite") != old

    def test_a_group_succeeds_whole_or_not_at_all(self, group: Yard) -> None:
        group.build()
        old = {path: group.read(path) for path in group.files if path.endswith(("_edgetpu.tflite", ".lock"))}
        group.write("a.tflite", "fail")
        group.write("b.tflite", "good")
        assert group.build().exit_code == 3
        assert {path: group.read(path) for path in old} == old

    def test_another_order_is_another_compile(self, group: Yard) -> None:
        group.build()
        group.config(group.read("pyproject.toml").decode().replace('["b", "a"]', '["a", "b"]'))
        assert states(group.build()) == {"g": "compiled"}

    def test_one_lost_output_is_restored_alone(self, group: Yard) -> None:
        group.build()
        (group.root / "a_edgetpu.tflite").unlink()
        outcome = group.build()
        assert (states(outcome), outcome.written) == ({"g": "cached"}, ("a_edgetpu.tflite",))

    def test_segments_are_files_of_one_unit(self, yard: Yard) -> None:
        yard.write("a.tflite", "a" * 900)
        yard.config('[tool.edgetpu.models.a]\nsource = "a.tflite"\nsegments = 3\n')
        outcome = yard.build()
        (member,) = unit(outcome, "a").members
        assert [output.path for output in member.outputs] == [f"a_segment_{i}_of_3_edgetpu.tflite" for i in range(3)]
        assert [segment.outputs[0] for segment in member.segments] == list(member.outputs)
        (again,) = unit(yard.build(), "a").members
        assert again.segments == member.segments

    def test_auto_segments_get_their_names_from_the_result(self, yard: Yard) -> None:
        yard.write("a.tflite", "a" * 900)
        yard.config('[tool.edgetpu.models.a]\nsource = "a.tflite"\nsegments = "auto"\n')
        yard.build()
        assert "a_segment_1_of_2_edgetpu.tflite" in yard.files
        assert states(yard.build()) == {"a": "fresh"}
        yard.config('[tool.edgetpu.models.a]\nsource = "a.tflite"\nsegments = "auto"\nmax-segments = 1\n')
        assert yard.build().removed == ("a_segment_0_of_2_edgetpu.tflite", "a_segment_1_of_2_edgetpu.tflite")
        assert "a_edgetpu.tflite" in yard.files


class TestLogs:
    def test_logs_come_when_they_are_to_be_shipped(self, two: Yard) -> None:
        two.build()
        config = two.read("pyproject.toml").decode()
        two.config(config.replace("[tool.edgetpu]", "[tool.edgetpu]\nship-logs = true"))
        assert states(two.build()) == {"a": "cached", "b": "cached"}
        assert two.read("a_edgetpu.log") == b"compiled a.tflite to a_edgetpu.tflite\n"
        assert states(two.build()) == {"a": "fresh", "b": "fresh"}
        two.config(config)
        assert two.build().removed == ("a_edgetpu.log", "b_edgetpu.log")


class TestLocked:
    def test_it_builds_what_the_lock_says(self, two: Yard, own_home: Path) -> None:
        two.build()
        lock = text_of(two)
        (two.root / "a_edgetpu.tflite").unlink()
        shutil.rmtree(own_home / ".cache")
        outcome = two.build(locked=True)
        assert (states(outcome), outcome.exit_code) == ({"a": "compiled", "b": "fresh"}, 0)
        assert text_of(two) == lock

    def test_it_fails_before_compiling_what_the_lock_does_not_say(self, two: Yard) -> None:
        two.build()
        two.write("a.tflite", "new")
        outcome = two.build(locked=True)
        assert (states(outcome), codes(outcome), outcome.exit_code) == ({"a": "stale", "b": "fresh"}, ["ETB103"], 1)
        assert len(two.compiles) == 2

    def test_it_fails_without_a_lock(self, two: Yard) -> None:
        outcome = two.build(locked=True)
        assert (codes(outcome), outcome.exit_code) == (["ETB103", "ETB103"], 1)
        assert not two.compiles

    def test_it_fails_when_a_unit_would_leave_the_lock(self, two: Yard) -> None:
        two.build()
        two.models(a="a.tflite")
        outcome = two.build(locked=True)
        assert (codes(outcome), outcome.exit_code) == (["ETB103"], 1)
        assert "b_edgetpu.tflite" in two.files

    def test_it_fails_when_the_result_is_another(self, two: Yard, own_home: Path) -> None:
        two.build()
        text = text_of(two)
        sha256 = lockfile.parse(text.encode()).files["a_edgetpu.tflite"].sha256
        two.write("edgetpu.lock", text.replace(sha256, "0" * 64))
        assert codes(two.build(locked=True)) == ["ETB103"]


class TestFrozen:
    def test_it_restores_from_the_store(self, two: Yard) -> None:
        two.build()
        (two.root / "a_edgetpu.tflite").unlink()
        outcome = two.build(frozen=True)
        assert (states(outcome), outcome.exit_code) == ({"a": "cached", "b": "fresh"}, 0)

    def test_it_never_compiles(self, two: Yard, own_home: Path) -> None:
        two.build()
        (two.root / "a_edgetpu.tflite").unlink()
        shutil.rmtree(own_home / ".cache")
        outcome = two.build(frozen=True)
        assert (codes(outcome), outcome.exit_code) == (["ETB104"], 1)
        assert len(two.compiles) == 2

    def test_a_stale_lock_fails_even_if_the_store_has_it(self, two: Yard) -> None:
        two.build()
        two.write("a.tflite", "new")
        two.build()
        two.write("a.tflite", "aaa")
        outcome = two.build(frozen=True)
        assert (codes(outcome), outcome.exit_code) == (["ETB103"], 1)

    def test_the_environment_says_it_too(self, two: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("EDGETPU_BUILD_FROZEN", "1")
        assert codes(two.build()) == ["ETB103", "ETB103"]

    def test_another_revision_of_the_compiler_is_no_matter(self, two: Yard) -> None:
        two.build()
        newer = replace(two, backend=replace(two.backend, revision="2"))
        assert newer.build(frozen=True).exit_code == 0


class TestSdist:
    @pytest.fixture
    def unpacked(self, two: Yard, own_home: Path) -> Yard:
        two.build()
        two.write("PKG-INFO", "Metadata-Version: 2.4\n")
        shutil.rmtree(own_home / ".cache")
        return two

    def snapshot(self, yard: Yard, home: Path) -> dict[str, tuple[int, int]]:
        paths = [*yard.root.rglob("*"), *home.rglob("*")]
        return {str(p): (p.stat().st_mtime_ns, p.stat().st_ctime_ns) for p in paths}

    def test_it_needs_no_compiler_and_writes_nothing(self, unpacked: Yard, own_home: Path) -> None:
        before = self.snapshot(unpacked, own_home)
        outcome = unpacked.build(sdist=True)
        assert (states(outcome), outcome.exit_code) == ({"a": "fresh", "b": "fresh"}, 0)
        assert self.snapshot(unpacked, own_home) == before

    def test_sources_need_not_travel(self, unpacked: Yard) -> None:
        (unpacked.root / "a.tflite").unlink()
        assert unpacked.build(sdist=True).exit_code == 0

    def test_nor_those_of_a_glob(self, yard: Yard) -> None:
        yard.config('[tool.edgetpu.models.k]\nsource = "m/*.tflite"\nout-dir = "out"\n')
        yard.write("m/a.tflite", "a"), yard.write("m/b.tflite", "b")
        yard.build()
        shutil.rmtree(yard.root / "m")
        assert states(yard.build(sdist=True)) == {"k[a]": "fresh", "k[b]": "fresh"}

    def test_content_alone_counts(self, unpacked: Yard) -> None:
        output = unpacked.root / "a_edgetpu.tflite"
        stamp = output.stat()
        output.write_bytes(output.read_bytes().replace(b"aaa", b"aab"))
        os.utime(output, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        outcome = unpacked.build(sdist=True)
        assert (codes(outcome), outcome.exit_code) == (["ETB104"], 1)
        assert len(unpacked.compiles) == 2

    def test_another_source_than_the_locks_is_stale(self, unpacked: Yard) -> None:
        unpacked.write("a.tflite", "new")
        assert codes(unpacked.build(sdist=True)) == ["ETB103"]

    def test_outputs_that_are_not_shipped_need_not_be_there(self, yard: Yard) -> None:
        yard.config('[tool.edgetpu.models.a]\nsource = "a.tflite"\nship = false\n')
        yard.write("a.tflite", "a")
        yard.build()
        (yard.root / "a_edgetpu.tflite").unlink()
        assert yard.build(sdist=True).exit_code == 0


class TestStoreTrouble:
    def test_a_store_that_cannot_be_written_costs_a_warning(self, two: Yard, own_home: Path) -> None:
        (own_home / ".cache").mkdir(exist_ok=True)
        (own_home / ".cache" / "edgetpu-build").write_text("a file, not a folder")
        outcome = two.build()
        assert (states(outcome), outcome.exit_code) == ({"a": "compiled", "b": "compiled"}, 0)
        assert set(codes(outcome)) == {"ETB506"}
        assert states(two.build()) == {"a": "fresh", "b": "fresh"}

    def test_a_damaged_blob_is_compiled_again(self, two: Yard, own_home: Path) -> None:
        two.build()
        for blob in (own_home / ".cache").rglob("cas/*/*"):
            blob.chmod(0o644)
            blob.write_bytes(b"x" * blob.stat().st_size)
        (two.root / "a_edgetpu.tflite").unlink()
        outcome = two.build()
        assert (states(outcome), outcome.exit_code) == ({"a": "compiled", "b": "fresh"}, 0)
        assert codes(outcome) == ["ETB505"]


class TestAtTheSameTime:
    SCRIPT = """
import os, sys
from pathlib import Path
from tests.support.backend import StandIn
from tests.support.project import Yard
yard = Yard(Path(sys.argv[1]), StandIn(log=sys.argv[2]))
sys.exit(yard.build(*sys.argv[3:]).exit_code)
"""

    def start(self, yard: Yard, *names: str) -> subprocess.Popen[bytes]:
        arguments = [sys.executable, "-c", self.SCRIPT, str(yard.root), yard.backend.log, *names]
        return subprocess.Popen(arguments, cwd=Path(__file__).parents[2])

    def test_each_unit_is_compiled_by_one_of_several_builds(self, yard: Yard) -> None:
        yard.models(**{name: f"{name}.tflite" for name in "abcd"})
        for name in "abcd":
            yard.write(f"{name}.tflite", f"{name} sleep=0.1 ")
        running = [self.start(yard) for _ in range(5)]
        assert [process.wait() for process in running] == [0] * 5
        assert sorted(yard.compiles) == ["a.tflite", "b.tflite", "c.tflite", "d.tflite"]
        assert yard.check().exit_code == 0

    def test_builds_of_different_units_do_not_lose_each_others_lock(self, yard: Yard) -> None:
        yard.models(**{name: f"{name}.tflite" for name in "abcd"})
        for name in "abcd":
            yard.write(f"{name}.tflite", f"{name} sleep=0.1 ")
        running = [self.start(yard, name) for name in "abcd"]
        assert [process.wait() for process in running] == [0] * 4
        assert sorted(lockfile.parse(yard.read("edgetpu.lock")).units) == ["a", "b", "c", "d"]


def test_progress_tells_each_step(two: Yard) -> None:
    told: list[tuple[str, str]] = []
    two.build("a", progress=lambda name, doing: told.append((name, doing)))
    assert told == [("a", "compiling"), ("a", "standing in"), ("a", "done")]


def test_a_lock_with_conflict_markers_stops_everything(two: Yard) -> None:
    two.build()
    two.write("edgetpu.lock", "<<<<<<< a\n=======\n>>>>>>> b\n")
    with pytest.raises(EdgeTpuBuildError) as caught:
        two.build()
    assert caught.value.exit_code == 5

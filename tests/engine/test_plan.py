from __future__ import annotations

from pathlib import Path

import pytest

from edgetpu_build.config.load import parse
from edgetpu_build.engine.plan import Plan, all_outputs, log_path, output_paths, plan, select
from edgetpu_build.engine.tree import ListedTree
from edgetpu_build.errors import EdgeTpuBuildError


def planned(config: str, *files: str, **options: object) -> Plan:
    return plan(parse("[tool.edgetpu]\n" + config, {}), Path("/p"), tree=ListedTree(files), **options)  # type: ignore[arg-type]


def refused(config: str, *files: str) -> list[str]:
    with pytest.raises(EdgeTpuBuildError) as caught:
        planned(config, *files)
    assert all(told.line or told.code == "ETB209" for told in caught.value.diagnostics)
    return [told.code for told in caught.value.diagnostics]


def model(name: str, source: str, more: str = "") -> str:
    return f'[tool.edgetpu.models.{name}]\nsource = "{source}"\n{more}\n'


def outputs(found: Plan) -> list[str]:
    return [path for unit in found.units for member in unit.members for path in member.outputs]


def test_a_compiled_file_stands_beside_its_source() -> None:
    assert outputs(planned(model("a", "m/a.b.tflite"), "m/a.b.tflite")) == ["m/a.b_edgetpu.tflite"]


def test_out_dir_and_output_decide_where_it_goes() -> None:
    config = 'out-dir = "src/x"\n' + model("a", "m/a.tflite") + model("b", "m/b.tflite", 'output = "y/{stem}.bin"')
    assert outputs(planned(config, "m/a.tflite", "m/b.tflite")) == ["src/x/a_edgetpu.tflite", "y/b.bin"]


def test_segments_are_numbered() -> None:
    (unit,) = planned(model("a", "a.tflite", "segments = 2"), "a.tflite").units
    assert unit.kind == "segments"
    assert unit.members[0].outputs == ("a_segment_0_of_2_edgetpu.tflite", "a_segment_1_of_2_edgetpu.tflite")


def test_cuts_say_how_many_segments_there_are() -> None:
    (unit,) = planned(model("a", "a.tflite", 'cuts = ["x", "y"]'), "a.tflite").units
    assert (unit.options.segments, unit.options.cuts, len(unit.members[0].outputs)) == (3, ("x", "y"), 3)


def test_auto_segments_are_named_once_their_number_is_known() -> None:
    (unit,) = planned(model("a", "a.tflite", 'segments = "auto"'), "a.tflite").units
    (member,) = unit.members
    assert member.outputs == ()
    assert output_paths(member, 1) == ("a_edgetpu.tflite",)
    assert output_paths(member, 2) == ("a_segment_0_of_2_edgetpu.tflite", "a_segment_1_of_2_edgetpu.tflite")


def test_auto_segments_with_a_pattern_use_it_for_one_piece_too() -> None:
    config = model("a", "a.tflite", 'segments = "auto"\noutput = "{stem}-{index}-{count}.x"')
    (member,) = planned(config, "a.tflite").units[0].members
    assert output_paths(member, 1) == ("a-0-1.x",)


def test_options_that_cannot_matter_do_not_tell_units_apart() -> None:
    plain = planned(model("a", "a.tflite"), "a.tflite").units[0].options
    assert planned(model("a", "a.tflite", "max-segments = 3"), "a.tflite").units[0].options == plain


def test_requires_compiler_chooses_the_generation() -> None:
    assert planned(model("a", "a.tflite"), "a.tflite").units[0].options.generation == "16.0"
    config = 'requires-compiler = "==15.*"\n' + model("a", "a.tflite")
    assert planned(config, "a.tflite").units[0].options.generation == "15.0"


class TestGlobs:
    FILES = ("m/a.tflite", "m/b.tflite", "m/c_edgetpu.tflite", "m/d/e.tflite", "m/.f.tflite")

    def test_one_model_a_match(self) -> None:
        found = planned(model("k", "m/*.tflite"), *self.FILES)
        assert [unit.name for unit in found.units] == ["k[a]", "k[b]"]

    def test_two_stars_go_down(self) -> None:
        found = planned(model("k", "**/*.tflite"), *self.FILES)
        assert [unit.name for unit in found.units] == ["k[a]", "k[b]", "k[e]"]

    def test_an_existing_file_of_that_name_is_that_file(self) -> None:
        found = planned(model("k", "m/[ab].tflite"), "m/[ab].tflite", *self.FILES)
        assert [unit.name for unit in found.units] == ["k"]

    def test_no_match_is_an_error(self) -> None:
        assert refused(model("k", "n/*.tflite"), *self.FILES) == ["ETB211"]

    def test_outputs_are_never_found_again(self) -> None:
        config = model("k", "m/*.tflite", 'output = "m/{stem}.tpu.tflite"')
        first = planned(config, "m/a.tflite", "m/b.tflite")
        again = planned(config, "m/a.tflite", "m/b.tflite", *outputs(first))
        assert again.units == first.units

    def test_nor_are_those_of_another_model(self) -> None:
        config = model("k", "m/*.tflite") + model("x", "n/x.tflite", 'output = "m/x.tflite"')
        assert [u.name for u in planned(config, "m/a.tflite", "m/x.tflite", "n/x.tflite").units] == ["k[a]", "x"]

    def test_nor_are_those_of_an_earlier_configuration(self) -> None:
        found = planned(model("k", "*.tflite"), "a.tflite", "old.tflite", known_outputs=["old.tflite"])
        assert [unit.name for unit in found.units] == ["k[a]"]

    def test_two_matches_of_one_stem_clash(self) -> None:
        assert "ETB208" in refused(model("k", "**/*.tflite"), "a/x.tflite", "b/x.tflite")


class TestGroups:
    FILES = ("a.tflite", "b.tflite", "c.tflite")

    def test_a_group_stands_where_its_first_member_stood(self) -> None:
        config = "".join(model(n, f"{n}.tflite") for n in "abc") + '[tool.edgetpu.groups.g]\nmodels = ["c", "b"]\n'
        found = planned(config, *self.FILES)
        assert [(unit.name, unit.kind) for unit in found.units] == [("a", "model"), ("g", "group")]
        assert [member.name for member in found.units[1].members] == ["c", "b"]

    def test_matches_of_a_glob_can_be_members(self) -> None:
        config = model("k", "*.tflite") + '[tool.edgetpu.groups.g]\nmodels = ["k[b]", "k[a]"]\n'
        found = planned(config, *self.FILES)
        assert [(unit.name, [m.name for m in unit.members]) for unit in found.units] == [
            ("g", ["k[b]", "k[a]"]),
            ("k[c]", ["k[c]"]),
        ]

    def test_a_match_that_is_not_there_is_told(self) -> None:
        config = model("k", "*.tflite") + '[tool.edgetpu.groups.g]\nmodels = ["k[b]", "k[z]"]\n'
        assert refused(config, *self.FILES) == ["ETB209"]


class TestPaths:
    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ('output = "x.bin"', 'output = "x.bin"'),
            ('output = "x.bin"', 'output = "X.BIN"'),
            ('output = "b.tflite"', ""),
            ('output = "B.tflite"', ""),
            ('output = "./pyproject.toml"', ""),
            ('output = "edgetpu.lock"', ""),
            ('output = "EDGETPU.lock"', ""),
        ],
    )
    def test_outputs_fall_on_nothing_else(self, first: str, second: str) -> None:
        config = model("a", "a.tflite", first) + model("b", "b.tflite", second)
        assert refused(config, "a.tflite", "b.tflite") == ["ETB212"]

    def test_every_count_of_auto_segments_is_watched(self) -> None:
        config = model("a", "a.tflite", 'segments = "auto"') + model(
            "b", "b.tflite", 'output = "a_segment_3_of_5_edgetpu.tflite"'
        )
        assert refused(config, "a.tflite", "b.tflite") == ["ETB212"]
        assert "a_segment_3_of_5_edgetpu.tflite" in set(
            all_outputs(planned(model("a", "a.tflite", 'segments = "auto"'), "a.tflite").units)
        )

    def test_an_output_leaves_the_project_by_no_symlink(self, tmp_path: Path) -> None:
        root, away = tmp_path / "p", tmp_path / "away"
        root.mkdir(), away.mkdir()
        (root / "out").symlink_to(away)
        (root / "a.tflite").write_bytes(b"a")
        config = parse('[tool.edgetpu]\nout-dir = "out"\n' + model("a", "a.tflite"), {})
        with pytest.raises(EdgeTpuBuildError) as caught:
            plan(config, root)
        assert [told.code for told in caught.value.diagnostics] == ["ETB210"]

    def test_a_source_may_with_a_warning(self, tmp_path: Path) -> None:
        root = tmp_path / "p"
        root.mkdir()
        (tmp_path / "real.tflite").write_bytes(b"a")
        (root / "a.tflite").symlink_to("../real.tflite")
        found = plan(parse("[tool.edgetpu]\n" + model("a", "a.tflite"), {}), root)
        assert [told.code for told in found.warnings] == ["ETB210"]

    @pytest.mark.parametrize("make", ["missing", "folder", "fifo", "dangling"])
    def test_a_source_is_a_regular_file(self, tmp_path: Path, make: str) -> None:
        import os

        target = tmp_path / "a.tflite"
        if make == "folder":
            target.mkdir()
        elif make == "fifo":
            os.mkfifo(target)
        elif make == "dangling":
            target.symlink_to("nowhere")
        with pytest.raises(EdgeTpuBuildError) as caught:
            plan(parse("[tool.edgetpu]\n" + model("a", "a.tflite"), {}), tmp_path)
        assert [told.code for told in caught.value.diagnostics] == ["ETB211"]
        assert caught.value.exit_code == 2

    def test_all_problems_are_told_at_once(self) -> None:
        config = model("a", "a.tflite") + model("b", "b.tflite") + model("c", "c.tflite", 'output = "d.tflite"')
        assert refused(config + model("d", "d.tflite"), "c.tflite", "d.tflite") == ["ETB211", "ETB211", "ETB212"]


def test_a_log_stands_beside_its_output() -> None:
    assert log_path("m/a_edgetpu.tflite") == "m/a_edgetpu.log"
    assert log_path("m/a.bin") == "m/a.bin.log"


class TestSelect:
    CONFIG = "".join(model(n, f"{n}.tflite") for n in "abc") + '[tool.edgetpu.groups.g]\nmodels = ["a", "b"]\n'

    @pytest.mark.parametrize(
        ("names", "units"), [([], ["g", "c"]), (["a"], ["g"]), (["g", "b"], ["g"]), (["c", "a"], ["g", "c"])]
    )
    def test_a_member_means_its_unit(self, names: list[str], units: list[str]) -> None:
        found = planned(self.CONFIG, "a.tflite", "b.tflite", "c.tflite")
        assert [unit.name for unit in select(found, names)] == units

    def test_a_globs_key_means_all_its_models(self) -> None:
        found = planned(model("k", "*.tflite"), "a.tflite", "b.tflite")
        assert [unit.name for unit in select(found, ["k"])] == ["k[a]", "k[b]"]

    def test_an_unknown_name_is_refused_with_the_nearest(self) -> None:
        found = planned(model("abacus", "a.tflite"), "a.tflite")
        with pytest.raises(EdgeTpuBuildError) as caught:
            select(found, ["abakus"])
        assert caught.value.diagnostics[0].hint == "did you mean `abacus`?"

"""When the watcher builds, and when it does not. Nothing here sleeps: time passes in a fake world."""

from __future__ import annotations

import os
import shutil

import pytest

from edgetpu_build.watch.events import Hint

ONE = '[tool.edgetpu.models.a]\nsource = "models/a.tflite"\n'
GLOB = '[tool.edgetpu.models.g]\nsource = "models/*.tflite"\n'


def states(outcomes):
    return [[(unit.name, unit.state) for unit in outcome.units] for outcome in outcomes]


@pytest.fixture
def one(bench):
    made = bench(ONE)
    made.write("models/a.tflite", "v1")()
    made.watch.build()
    return made


def test_nothing_happens_when_nothing_happens(one):
    assert one.run(until=60) == []


def test_a_saved_model_is_built_after_the_quiet_time(one):
    one.world.at(5.0, one.write("models/a.tflite", "v2"), one.path("models/a.tflite"))
    assert states(one.run(until=10)) == [[("a", "compiled")]]
    assert one.builds[-1] == pytest.approx(5.1)
    assert one.path("models/a_edgetpu.tflite").read_text() == "compiled v2"


def test_a_model_replaced_by_rename_is_built(one):
    def replace():
        one.path("models/.a.tmp").write_text("v2")
        os.replace(one.path("models/.a.tmp"), one.path("models/a.tflite"))

    one.world.at(5.0, replace, one.path("models/.a.tmp"), one.path("models/a.tflite"))
    assert states(one.run(until=10)) == [[("a", "compiled")]]


def test_a_burst_is_one_build(one):
    for step in range(20):
        one.world.at(5 + step * 0.05, one.write("models/a.tflite", f"v{step}"), one.path("models/a.tflite"))
    assert len(one.run(until=20)) == 1
    assert one.path("models/a_edgetpu.tflite").read_text() == "compiled v19"


def test_constant_change_does_not_put_a_build_off_for_ever(one):
    for step in range(200):
        one.world.at(5 + step * 0.05, one.write("models/a.tflite", f"v{step}"), one.path("models/a.tflite"))
    one.run(until=20)
    assert one.builds[1] == pytest.approx(7.0, abs=0.06)
    assert one.path("models/a_edgetpu.tflite").read_text() == "compiled v199"


def test_a_file_in_writing_is_waited_for(one):
    path = str(one.path("models/a.tflite"))
    for step in range(4):
        one.world.at(5 + step * 0.3, one.write("models/a.tflite", "half" * step), Hint(path=path, writing=True))
    one.world.at(6.2, one.write("models/a.tflite", "whole"), Hint(path=path))
    assert len(one.run(until=20)) == 1
    assert one.builds[-1] == pytest.approx(6.3)


def test_polling_waits_for_a_look_that_saw_nothing(one):
    one.world.least = 0.3
    for step in range(4):
        one.world.at(5 + step * 0.2, one.write("models/a.tflite", "half" * step), one.path("models/a.tflite"))
    assert len(one.run(until=20)) == 1
    assert one.builds[-1] == pytest.approx(5.9)


def test_a_touch_builds_nothing(one):
    one.world.at(5.0, lambda: os.utime(one.path("models/a.tflite"), (1, 1)), one.path("models/a.tflite"))
    assert one.run(until=10) == []


def test_own_outputs_are_never_a_trigger(one):
    for when in (5.0, 6.0, 7.0):
        one.world.at(when, None, one.path("models/a_edgetpu.tflite"), one.path("edgetpu.lock"))
    assert one.run(until=20) == []
    assert len(one.builds) == 1


def test_a_build_whose_outputs_differ_each_time_does_not_feed_itself(one):
    def build():
        outcome = original()
        one.path("models/a_edgetpu.tflite").write_text(f"at {one.world.now}")
        one.world.at(one.world.now, None, one.path("models/a_edgetpu.tflite"))
        return outcome

    original, one.watch._build = one.watch._build, build
    one.world.at(5.0, one.write("models/a.tflite", "v2"), one.path("models/a.tflite"))
    assert len(one.run(until=60)) == 1


@pytest.mark.parametrize("name", ["models/a_edgetpu.tflite", "edgetpu.lock"])
def test_what_we_wrote_is_restored_when_it_is_deleted(one, name):
    one.world.at(5.0, one.path(name).unlink, one.path(name))
    assert len(one.run(until=10)) == 1
    assert one.path(name).exists()


def test_an_output_that_somebody_else_wrote_is_restored(one):
    one.world.at(5.0, one.write("models/a_edgetpu.tflite", "garbage"), one.path("models/a_edgetpu.tflite"))
    assert states(one.run(until=10)) == [[("a", "compiled")]]


def test_a_model_that_fails_is_tried_again_when_it_is_mended(one):
    one.world.at(5.0, one.write("models/a.tflite", "broken"), one.path("models/a.tflite"))
    one.world.at(8.0, one.write("models/a.tflite", "v3"), one.path("models/a.tflite"))
    assert states(one.run(until=20)) == [[("a", "failed")], [("a", "compiled")]]


def test_the_output_of_a_failed_model_is_still_looked_after(one):
    one.world.at(5.0, one.write("models/a.tflite", "broken"), one.path("models/a.tflite"))
    one.world.at(8.0, one.path("models/a_edgetpu.tflite").unlink, one.path("models/a_edgetpu.tflite"))
    assert len(one.run(until=20)) == 2


def test_a_change_during_a_build_is_built_next(one):
    def change():
        one.during.append(one.write("models/a.tflite", "v3"))
        one.path("models/a.tflite").write_text("v2")

    one.world.at(5.0, change, one.path("models/a.tflite"), one.path("models/a.tflite"))
    one.world.at(5.11, None, one.path("models/a.tflite"))
    one.run(until=20)
    assert one.path("models/a_edgetpu.tflite").read_text() == "compiled v3"


def test_an_edit_of_pyproject_counts(one):
    one.write("models/b.tflite", "b1")()
    more = lambda: one.configure(ONE + '[tool.edgetpu.models.b]\nsource = "models/b.tflite"\n')  # noqa: E731
    one.world.at(5.0, more, one.path("pyproject.toml"))
    one.world.at(8.0, one.write("models/b.tflite", "b2"), one.path("models/b.tflite"))
    assert states(one.run(until=20)) == [[("a", "fresh"), ("b", "compiled")], [("a", "fresh"), ("b", "compiled")]]


def test_a_broken_pyproject_is_told_once_and_then_mended(one):
    one.world.at(5.0, lambda: one.configure("jobs = \n"), one.path("pyproject.toml"))
    one.world.at(8.0, lambda: one.configure(ONE), one.path("pyproject.toml"))
    told = one.run(until=20)
    assert [outcome.exit_code for outcome in told] == [2, 0]


def test_a_model_saved_while_pyproject_is_broken_is_not_lost(one):
    one.world.at(5.0, lambda: one.configure("jobs = \n"), one.path("pyproject.toml"))
    one.world.at(6.0, one.write("models/a.tflite", "v2"), one.path("models/a.tflite"))
    one.world.at(8.0, lambda: one.configure(ONE), one.path("pyproject.toml"))
    one.run(until=20)
    assert one.path("models/a_edgetpu.tflite").read_text() == "compiled v2"


def test_a_broken_pyproject_at_the_start_is_waited_for(bench):
    made = bench("jobs = \n")
    assert made.watch.build().exit_code == 2
    made.write("models/a.tflite", "v1")()
    made.world.at(5.0, lambda: made.configure(ONE), made.path("pyproject.toml"))
    assert states(made.run(until=10)) == [[("a", "compiled")]]


def test_a_glob_gains_and_loses_members(bench):
    made = bench(GLOB)
    made.write("models/a.tflite", "a1")()
    made.watch.build()
    made.world.at(5.0, made.write("models/b.tflite", "b1"), made.path("models/b.tflite"))
    made.world.at(8.0, made.path("models/a.tflite").unlink, made.path("models/a.tflite"))
    assert states(made.run(until=20)) == [[("a", "fresh"), ("b", "compiled")], [("b", "fresh")]]


def test_outputs_beside_a_glob_are_no_members(bench):
    made = bench(GLOB)
    made.write("models/a.tflite", "a1")()
    made.watch.build()
    made.world.at(5.0, None, made.path("models/a_edgetpu.tflite"))
    assert made.run(until=10) == []


def test_a_folder_that_appears_is_watched_and_searched(bench):
    made = bench('[tool.edgetpu.models.g]\nsource = "models/**/*.tflite"\n')
    made.watch.build()

    def appear():
        made.path("models/new/deep").mkdir(parents=True)
        made.path("models/new/deep/a.tflite").write_text("a1")

    made.world.at(5.0, appear, Hint(path=str(made.path("models/new")), folder=True))
    made.world.at(8.0, made.write("models/new/deep/a.tflite", "a2"), made.path("models/new/deep/a.tflite"))
    assert states(made.run(until=20)) == [[("a", "compiled")], [("a", "compiled")]]
    assert str(made.path("models/new/deep")) in made.world.watched


def test_a_source_in_a_folder_that_is_not_there_yet(bench):
    made = bench('[tool.edgetpu.models.a]\nsource = "far/off/a.tflite"\n')
    made.watch.build()
    assert str(made.root) in made.world.watched

    def appear():
        made.path("far/off").mkdir(parents=True)
        made.path("far/off/a.tflite").write_text("a1")

    made.world.at(5.0, appear, Hint(path=str(made.path("far")), folder=True))
    assert states(made.run(until=10)) == [[("a", "compiled")]]


def test_a_folder_that_was_replaced_is_noticed_without_an_event(one):
    def replace():
        shutil.rmtree(one.path("models"))
        one.path("models").mkdir()
        one.path("models/a.tflite").write_text("v2")
        one.world.watched.clear()  # as the operating system forgets it

    one.world.at(5.0, replace)
    assert states(one.run(until=10)) == [[("a", "compiled")]]


def test_a_link_to_a_model_elsewhere(bench, tmp_path_factory):
    far = tmp_path_factory.mktemp("far").resolve() / "real.tflite"
    far.write_text("v1")
    made = bench(ONE)
    made.path("models/a.tflite").symlink_to(far)
    made.watch.build()
    assert str(far.parent) in made.world.watched
    made.world.at(5.0, lambda: far.write_text("v2"), far)
    assert states(made.run(until=10)) == [[("a", "compiled")]]


def test_noise_beside_the_models_keeps_nobody_awake(one):
    for step in range(100):
        one.world.at(5 + step * 0.05, None, one.path("models/train.log"), one.path("x.txt"))
    one.world.at(6.0, one.write("models/a.tflite", "v2"), one.path("models/a.tflite"))
    one.run(until=20)
    assert one.builds[1:] == [pytest.approx(6.1)]

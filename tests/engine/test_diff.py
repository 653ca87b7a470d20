from __future__ import annotations

import pytest

from edgetpu_build.engine.diff import diff
from edgetpu_build.errors import EdgeTpuBuildError
from tests.support.project import Yard


@pytest.fixture
def committed(yard: Yard) -> Yard:
    yard.models(a="a.tflite", b="b.tflite")
    yard.write("a.tflite", "a" * 200), yard.write("b.tflite", "bb")
    yard.build()
    yard.git("init", "-q")
    yard.git("add", "-A")
    yard.git("commit", "-qm", "all")
    return yard


def test_nothing_changed(committed: Yard) -> None:
    assert diff(committed.project()).members == ()


def test_figures_of_both_sides(committed: Yard) -> None:
    committed.write("a.tflite", "a" * 500)
    committed.build()
    (found,) = diff(committed.project()).members
    assert found.before is not None
    assert found.after is not None
    assert (found.name, found.unit, found.changed) == ("a", "a", True)
    assert (found.before.off_chip.value, found.after.off_chip.value) == (100, 400)


def test_new_and_gone(committed: Yard) -> None:
    committed.models(a="a.tflite", c="c.tflite")
    committed.write("c.tflite", "cc")
    committed.build()
    found = {member.name: (member.before is None, member.after is None) for member in diff(committed.project()).members}
    assert found == {"b": (False, True), "c": (True, False)}


def test_against_another_commit(committed: Yard) -> None:
    committed.write("a.tflite", "a" * 500)
    committed.build()
    committed.git("commit", "-qam", "more")
    assert diff(committed.project()).members == ()
    assert len(diff(committed.project(), "HEAD~1").members) == 1


def test_before_there_was_a_lock(committed: Yard) -> None:
    committed.git("rm", "-q", "--cached", "edgetpu.lock")
    committed.git("commit", "-qm", "none")
    assert {member.before for member in diff(committed.project()).members} == {None}


def test_no_such_commit(committed: Yard) -> None:
    with pytest.raises(EdgeTpuBuildError) as caught:
        diff(committed.project(), "nowhere")
    assert caught.value.exit_code == 2

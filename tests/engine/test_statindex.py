from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from edgetpu_build.engine.statindex import StatIndex, is_racy

SECOND = 1_000_000_000


class Place:
    """A project folder, and a state folder beside it. Time is given, never waited for."""

    def __init__(self, folder: Path) -> None:
        self.root, self.state = folder / "p", folder / "state"
        self.root.mkdir()
        self.now = time.time_ns() + 3600 * SECOND

    def index(self, *, trust: bool = True, later: float = 0) -> StatIndex:
        return StatIndex(str(self.root), str(self.state), self.now + int(later * SECOND), trust=trust)

    def write(self, content: str, mtime: int | None = None) -> None:
        path = self.root / "a"
        path.write_text(content)
        if mtime is not None:
            os.utime(path, ns=(mtime, mtime))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = Place(tmp_path)
    found.write("one")
    return found


def digest(content: str) -> tuple[str, int]:
    return hashlib.sha256(content.encode()).hexdigest(), len(content)


def test_a_file_is_read_once(place: Place) -> None:
    first = place.index()
    assert first.digest("a") == first.digest("a") == digest("one")
    first.save()
    second = place.index()
    assert second.digest("a") == digest("one")
    assert (first.hashed, second.hashed) == (1, 0)


def test_a_look_from_before_answers_once(place: Place) -> None:
    first = place.index()
    first.digest("a")
    first.save()
    looks = {"a": (place.root / "a").stat()}
    index = StatIndex(str(place.root), str(place.state), place.now, looks=looks)
    (place.root / "a").unlink()
    assert index.digest("a") == digest("one")
    assert index.digest("a") is None


def test_a_look_is_no_content(place: Place) -> None:
    looks = {"a": (place.root / "a").stat()}
    index = StatIndex(str(place.root), str(place.state), place.now, looks=looks)
    place.write("three")
    assert index.digest("a") == digest("three")


@pytest.mark.parametrize("change", ["content", "same size", "replaced", "touched"])
def test_whatever_shows_in_a_stamp_is_read_again(place: Place, change: str) -> None:
    index = place.index()
    index.digest("a")
    index.save()
    if change == "content":
        place.write("three")
    elif change == "same size":
        place.write("two")
    elif change == "replaced":
        (place.root / "b").write_text("two")
        os.replace(place.root / "b", place.root / "a")
    else:
        os.utime(place.root / "a")
    again = place.index()
    assert again.digest("a") == digest((place.root / "a").read_text())
    assert again.hashed == 1


def test_an_old_time_of_change_does_not_hide_a_change(place: Place) -> None:
    """A tool may set mtime back; the inode's own time tells."""
    long_ago = 1_000_000_000 * SECOND
    place.write("one", long_ago)
    index = place.index()
    index.digest("a")
    index.save()
    place.write("two", long_ago)
    assert place.index().digest("a") == digest("two")


def test_young_stamps_are_not_remembered(place: Place) -> None:
    place.now = (place.root / "a").stat().st_ctime_ns + SECOND
    index = place.index()
    index.digest("a")
    index.save()
    again = place.index()
    assert again.digest("a") == digest("one")
    assert again.hashed == 1


def test_the_racy_window_is_two_seconds() -> None:
    now = 100 * SECOND
    assert is_racy((98 * SECOND, 1, 1, 0), now)
    assert is_racy((0, 1, 1, 98 * SECOND), now)
    assert is_racy((200 * SECOND, 1, 1, 0), now)
    assert not is_racy((98 * SECOND - 1, 1, 1, 98 * SECOND - 1), now)


def test_a_memo_of_the_future_is_of_a_clock_that_was_set_back(place: Place) -> None:
    index = place.index()
    index.digest("a")
    index.save()
    assert place.index(later=-1)._known == {}


def test_without_trust_everything_is_read(place: Place) -> None:
    index = place.index()
    index.digest("a")
    index.save()
    careful = place.index(trust=False)
    careful.digest("a")
    assert careful.hashed == 1


def test_a_missing_file_has_no_digest(place: Place) -> None:
    assert place.index().digest("nothing") is None
    assert place.index().digest("a/below") is None


def test_what_is_not_asked_for_is_forgotten(place: Place) -> None:
    (place.root / "b").write_text("b")
    index = place.index()
    index.digest("a"), index.digest("b")
    index.save()
    second = place.index()
    second.digest("a")
    second.save()
    assert list(place.index()._known) == ["a"]


def test_names_of_any_kind(place: Place) -> None:
    names = ["with blank", "é", "[x]", "tab\there", os.fsdecode(b"\xff")]
    for name in names:
        (place.root / name).write_text(name if name.isascii() else "x")
    index = place.index()
    found = {name: index.digest(name) for name in names}
    index.save()
    again = place.index()
    assert {name: again.digest(name) for name in names} == found
    assert again.hashed == 0


def test_a_name_with_a_line_feed_is_read_each_time(place: Place) -> None:
    (place.root / "a\nb").write_text("x")
    index = place.index()
    index.digest("a\nb"), index.digest("a")
    index.save()
    again = place.index()
    assert again.digest("a\nb") == digest("x")
    assert again.digest("a") == digest("one")
    assert again.hashed == 1


def test_a_damaged_memo_is_empty(place: Place) -> None:
    index = place.index()
    index.digest("a")
    index.save()
    file = place.state / "digests"
    data = file.read_bytes()
    for damaged in (b"", b"x", data[:-1].rpartition(b" ")[0], data.replace(b"digests 1", b"digests 2")):
        file.write_bytes(damaged)
        assert place.index().digest("a") == digest("one")


def test_one_of_another_project_is_none(place: Place, tmp_path: Path) -> None:
    index = place.index()
    index.digest("a")
    index.save()
    other = StatIndex(str(tmp_path / "q"), str(place.state), place.now)
    assert other._known == {}


def test_a_state_folder_that_cannot_be_written_costs_nothing(place: Place) -> None:
    place.state.write_text("a file")
    index = place.index()
    assert index.digest("a") == digest("one")
    index.save()

"""Hints from watchdog's events, and when to poll instead."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from watchdog import events as told

from edgetpu_build.watch import events
from edgetpu_build.watch.events import Hint, Observed, silent

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home/me/nas rw shared:9 - nfs4 nas:/x rw
31 30 0:41 / /home/me/nas/local\\040disk rw - ext4 /dev/sdb rw
32 22 0:42 / /mnt/c rw - 9p C: rw
33 22 0:43 / /srv rw shared:4 master:2 - fuse.sshfs host: rw
34 22 0:44 / /media/stick rw - fuseblk /dev/sdc1 rw
"""


class Observer:
    """Stands in for watchdog's: remembers what is scheduled."""

    def __init__(self, problem: OSError | None = None) -> None:
        self.scheduled: list[str] = []
        self.running = False
        self.problem = problem

    def start(self) -> None:
        self.running = True

    def schedule(self, handler: object, path: str) -> str:
        if self.problem:
            raise self.problem
        self.scheduled.append(path)
        return path

    def unschedule(self, watch: str) -> None:
        self.scheduled.remove(watch)

    def stop(self) -> None:
        self.running = False

    def join(self) -> None: ...


def hints(observed: Observed) -> list[Hint]:
    found = []
    while (hint := observed.wait(0)) is not None:
        found.append(hint)
    return found


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (told.FileOpenedEvent("a"), []),
        (told.FileClosedNoWriteEvent("a"), []),
        (told.DirModifiedEvent("d"), []),
        (told.FileCreatedEvent("a"), [Hint(path="a")]),
        (told.FileModifiedEvent("a"), [Hint(path="a", writing=True)]),
        (told.FileClosedEvent("a"), [Hint(path="a")]),
        (told.FileDeletedEvent("a"), [Hint(path="a")]),
        (told.FileMovedEvent("a.tmp", "a"), [Hint(path="a.tmp"), Hint(path="a")]),
        (told.DirCreatedEvent("d"), [Hint(path="d", folder=True)]),
        (told.FileCreatedEvent(b"a"), [Hint(path="a")]),
    ],
)
def test_events_become_hints(event: told.FileSystemEvent, expected: list[Hint]) -> None:
    observed = Observed(Observer(), tells_ends=True)
    observed.dispatch(event)
    assert hints(observed) == expected


def test_where_ends_are_not_told_nothing_is_in_writing() -> None:
    observed = Observed(Observer(), tells_ends=False)
    observed.dispatch(told.FileModifiedEvent("a"))
    assert hints(observed) == [Hint(path="a")]


class TestWatching:
    def test_exactly_these_folders(self, tmp_path: Path) -> None:
        a, b = tmp_path / "a", tmp_path / "b"
        a.mkdir()
        b.mkdir()
        observer = Observer()
        observed = Observed(observer, tells_ends=True)
        assert observed.watch([str(a), str(tmp_path / "missing")])
        assert not observed.watch([str(a)])
        assert observed.watch([str(b)])
        assert observer.scheduled == [str(b)]

    def test_a_folder_that_was_replaced_is_watched_anew(self, tmp_path: Path) -> None:
        folder = tmp_path / "a"
        folder.mkdir()
        observer = Observer()
        observed = Observed(observer, tells_ends=True)
        observed.watch([str(folder)])
        folder.rename(tmp_path / "old")
        folder.mkdir()
        assert observed.watch([str(folder)])
        assert observer.scheduled == [str(folder)]

    def test_closing_ends_the_observer(self) -> None:
        observer = Observer()
        Observed(observer, tells_ends=True).close()
        assert not observer.running


class TestPolling:
    @pytest.fixture(autouse=True)
    def observers(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Observer]:
        made = {"native": Observer(), "polling": Observer()}
        monkeypatch.setattr("watchdog.observers.Observer", lambda: made["native"])
        monkeypatch.setattr("watchdog.observers.polling.PollingObserver", lambda **_: made["polling"])
        return made

    def test_is_not_needed_here(self, tmp_path: Path, observers: dict[str, Observer]) -> None:
        told_of = events.open_events([str(tmp_path)])
        assert (told_of.reason, told_of.least) == ("", 0)
        assert observers["native"].scheduled == [str(tmp_path)]

    def test_can_be_asked_for(self, tmp_path: Path, observers: dict[str, Observer]) -> None:
        polled = events.open_events([str(tmp_path)], poll=True)
        assert (polled.reason, polled.least > events.POLL_SECONDS) == ("asked for", True)
        assert observers["polling"].scheduled == [str(tmp_path)]

    @pytest.mark.parametrize(
        ("code", "said"), [(errno.ENOSPC, "max_user_watches"), (errno.EMFILE, "max_user_instances")]
    )
    def test_steps_in_at_a_limit(self, code: int, said: str, tmp_path: Path, observers: dict[str, Observer]) -> None:
        observers["native"].problem = OSError(code, "no more")
        assert said in events.open_events([str(tmp_path)]).reason
        assert observers["polling"].scheduled == [str(tmp_path)]
        assert not observers["native"].running

    def test_steps_in_where_no_events_come(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(events, "silent", lambda _: "nfs4 gives no events")
        assert events.open_events([str(tmp_path)]).reason == "nfs4 gives no events"

    def test_takes_over_when_a_limit_is_reached_later(self, tmp_path: Path, observers: dict[str, Observer]) -> None:
        (tmp_path / "more").mkdir()
        observed = events.open_events([str(tmp_path)])
        observers["native"].problem = OSError(errno.ENOSPC, "no more")
        assert observed.watch([str(tmp_path), str(tmp_path / "more")])
        assert sorted(observers["polling"].scheduled) == [str(tmp_path), str(tmp_path / "more")]
        observed.dispatch(told.FileModifiedEvent("a"))
        assert hints(observed) == [Hint(path="a")]


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/me/x", ""),
        ("/home/me/nas", "nfs4"),
        ("/home/me/nas/x/y", "nfs4"),
        ("/home/me/nasty", ""),
        ("/home/me/nas/local disk/x", ""),
        ("/mnt/c/Users", "9p"),
        ("/srv/models", "fuse.sshfs"),
        ("/media/stick", ""),
    ],
)
def test_which_file_systems_are_silent(folder: str, kind: str, tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert silent(folder, str(mounts)).partition(" ")[0] == kind


def test_a_system_without_mountinfo_is_trusted(tmp_path: Path) -> None:
    assert silent("/", str(tmp_path / "none")) == ""

from __future__ import annotations

import os
import signal
import tempfile
import time
from pathlib import Path

import pytest

from edgetpu_build.compiler.google.guard import PREFIX
from edgetpu_build.compiler.google.session import Session
from edgetpu_build.errors import EdgeTpuBuildError


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def shell(session: Session, script: str, timeout: float = 30.0) -> tuple[int, str, list[str]]:
    heard: list[str] = []
    run = session.run(["sh", "-c", script], timeout=timeout, hear=heard.append)
    return run.code, run.text, heard


def test_what_is_printed_comes_line_by_line_and_whole() -> None:
    with Session() as session:
        assert shell(session, "printf 'a\\nb'; printf 'c\\n' >&2; exit 3") == (3, "a\nbc\n", ["a", "bc"])


def test_several_runs_share_the_folder_but_not_what_they_wrote() -> None:
    with Session() as session:
        session.write("in", b"x")
        shell(session, "cat in > out/one; mkdir out/two; ln -s /etc/passwd out/three")
        assert (session.read("one"), session.read("two"), session.read("three")) == (b"x", None, None)
        session.clear()
        assert session.read("one") is None
        shell(session, "cat in > out/one")
        assert session.read("one") == b"x"


def test_a_program_that_destroys_the_folder_harms_nobody() -> None:
    with Session() as session:
        shell(session, "rm -r out; ln -s / out")
        session.clear()
        assert os.path.isdir("/etc")
        shell(session, "echo x > out/one")
        assert session.read("one") == b"x\n"


def test_the_folder_is_private_and_gone_afterwards(temporary: Path) -> None:
    with Session() as session:
        assert os.stat(session.folder).st_mode & 0o77 == 0
        assert os.path.dirname(session.folder) == str(temporary)
        code, text, _ = shell(session, 'echo $TMPDIR; echo > "$TMPDIR/x"')
        assert (code, text.strip()) == (0, os.path.join(session.folder, "tmp"))
    assert os.listdir(temporary) == []


def test_a_signal_is_told_as_one() -> None:
    with Session() as session:
        assert shell(session, "kill -11 $$")[0] == -11


def test_stdin_is_empty() -> None:
    with Session() as session:
        assert shell(session, "cat; echo done") == (0, "done\n", ["done"])


def test_garbage_without_end_is_cut_and_ended() -> None:
    with Session() as session:
        run = session.run(["cat", "/dev/zero"], timeout=1.0, hear=lambda _line: None)
    assert run.timed_out
    assert len(run.text) < 16 << 20


def test_what_cannot_be_started_is_told() -> None:
    with Session() as session, pytest.raises(EdgeTpuBuildError) as raised:
        session.run(["/nowhere/at/all"], timeout=1, hear=lambda _line: None)
    assert raised.value.diagnostics[0].code == "ETB401"


def test_no_place_for_the_folder_is_told(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    nowhere = temporary / "file"
    nowhere.touch()
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(nowhere / "sub"))
    with Session() as session:  # falls back to /tmp where that can be written
        assert os.path.isdir(session.folder)


def test_folders_of_long_ago_are_swept(temporary: Path) -> None:
    old, new = temporary / f"{PREFIX}old", temporary / f"{PREFIX}new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "x").touch()
    os.utime(old, (time.time() - 2 * 86400,) * 2)
    with Session():
        assert (old.exists(), new.exists()) == (False, True)


def test_what_leaves_its_group_is_ended_too(temporary: Path) -> None:
    with Session() as session:
        _, text, _ = shell(session, "setsid sleep 600 & echo $!")
        with pytest.raises(ProcessLookupError):
            os.kill(int(text), 0)


def test_a_guard_that_is_killed_leaves_nothing_either(temporary: Path) -> None:
    pids: list[int] = []
    with Session() as session:

        def hear(line: str) -> None:
            pids.append(int(line))
            os.kill(session._guard.pid, signal.SIGKILL)

        with pytest.raises(EdgeTpuBuildError) as raised:
            session.run(["sh", "-c", "echo $$; exec sleep 600"], timeout=60, hear=hear)
    assert raised.value.diagnostics[0].code == "ETB312"
    assert os.listdir(temporary) == []
    left = Path(f"/proc/{pids[0]}/cmdline")
    assert not left.exists() or b"sleep" not in left.read_bytes()


def test_an_owner_that_is_gone_before_it_hears_of_the_start_leaves_nothing(temporary: Path) -> None:
    """Its end of the pipe is closed while the order is on its way."""
    session = Session()
    assert session._guard.stdin is not None
    assert session._guard.stdout is not None
    session._guard.stdout.close()
    session._guard.stdin.write(b'{"argv": ["sh", "-c", "exec sleep 600"], "timeout": 600}\n')
    session._guard.stdin.flush()
    assert session._guard.wait(20) is not None
    assert os.listdir(temporary) == []
    session.close()

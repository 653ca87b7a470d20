"""Files are written whole or not at all, at any fault, and every fault is told in one way."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

import pytest

from edgetpu_build import files
from edgetpu_build.errors import EdgeTpuBuildError
from tests.support.faults import Killed, failing, interrupting, read_only, small_disk


def left_over(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.startswith(files.TEMP_PREFIX)]


def test_writes_and_leaves_equal_bytes_alone(tmp_path: Path) -> None:
    path = tmp_path / "a b [1] ü"
    assert files.write_atomic(path, b"one")
    os.utime(path, ns=(1, 1))
    assert not files.write_atomic(path, b"one")
    assert path.stat().st_mtime_ns == 1
    assert files.write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(tmp_path) == [path.name]


def test_makes_missing_folders_and_keeps_the_mode(tmp_path: Path) -> None:
    path = tmp_path / "x" / "y" / "z"
    old = os.umask(0o022)
    try:
        files.write_atomic(path, b"", mode=0o444)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert files.write_atomic(path, b"read-only files are replaced as well")


def test_a_relative_path_without_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files.write_atomic("here", b"1")
    assert os.listdir(tmp_path) == ["here"]


def test_a_link_is_replaced_and_what_it_points_to_is_not(tmp_path: Path) -> None:
    other, link = tmp_path / "other", tmp_path / "link"
    other.write_bytes(b"theirs")
    link.symlink_to(other)
    files.write_atomic(link, b"ours")
    assert not link.is_symlink()
    assert other.read_bytes() == b"theirs"


@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT, errno.EACCES])
def test_a_fault_leaves_the_old_bytes_and_no_temp(tmp_path: Path, call: str, code: int) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    only = "" if call in ("write", "fsync") else files.TEMP_PREFIX
    with failing(call, code, only=only) as uses, pytest.raises(EdgeTpuBuildError) as raised:
        files.write_atomic(path, b"new bytes")
    assert uses[0]
    (told,) = raised.value.diagnostics
    assert told.code == "ETB501"
    assert f"`{path}`" in told.message
    assert os.strerror(code) in told.message
    assert ("9 bytes needed" in told.message) == (code in (errno.ENOSPC, errno.EDQUOT))
    assert path.read_bytes() == b"old"
    assert not left_over(tmp_path)


def test_a_kill_at_any_moment_leaves_old_or_new(tmp_path: Path) -> None:
    path, step, seen = tmp_path / "out", 0, set()
    while True:
        step += 1
        path.write_bytes(b"old")
        try:
            with interrupting(step):
                files.write_atomic(path, b"a new and longer content")
        except Killed:
            seen.add(path.read_bytes())
            continue
        break
    assert seen <= {b"old", b"a new and longer content"}
    assert step > 3
    left = left_over(tmp_path)
    assert files.sweep_temps(tmp_path, now=os.stat(path).st_mtime + files.DAY + 60) == len(left) > 0
    assert os.listdir(tmp_path) == ["out"]


def test_nothing_gets_its_name_before_it_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut keeps what was synced; so whatever is moved into place must be, to its last byte."""
    dirty, moved = set(), []
    write, fsync, replace = os.write, os.fsync, os.replace

    def wrote(fd: int, data: bytes) -> int:
        dirty.add(os.fstat(fd).st_ino)
        return write(fd, data)

    def synced(fd: int) -> None:
        fsync(fd)
        dirty.discard(os.fstat(fd).st_ino)

    def replaced(source: str, target: str) -> None:
        assert os.stat(source).st_ino not in dirty
        moved.append(os.path.basename(target))
        replace(source, target)

    for name, fake in (("write", wrote), ("fsync", synced), ("replace", replaced)):
        monkeypatch.setattr(os, name, fake)
    files.write_atomic(tmp_path / "a", b"1" * 10_000)
    files.write_together({str(tmp_path / "b"): b"2", str(tmp_path / "c"): b"3"})
    assert moved == ["a", "b", "c"]


def test_no_other_module_moves_or_syncs_files() -> None:
    package = Path(files.__file__).parent
    moving = re.compile(
        r"os\.(replace|rename|renames|fsync|fdatasync|link|symlink)\b|\.(rename|hardlink_to)\(|shutil\.move"
    )
    modules = {path for path in package.rglob("*.py") if moving.search(path.read_text(encoding="utf-8"))}
    assert modules == {Path(files.__file__)}


def test_several_are_written_together(tmp_path: Path) -> None:
    contents = {str(tmp_path / "a"): b"1", str(tmp_path / "new" / "b"): b"2"}
    files.write_together(contents)
    assert {path: Path(path).read_bytes() for path in contents} == contents
    assert not left_over(tmp_path) + left_over(tmp_path / "new")


@pytest.mark.parametrize("call", ["open", "write", "fsync"])
@pytest.mark.parametrize("when", [1, 2, 3])
def test_if_one_cannot_be_written_all_stay(tmp_path: Path, call: str, when: int) -> None:
    paths = [str(tmp_path / name) for name in "abc"]
    for path in paths:
        Path(path).write_bytes(b"old")
    only = files.TEMP_PREFIX if call == "open" else ""
    with failing(call, errno.ENOSPC, when=when, only=only), pytest.raises(EdgeTpuBuildError, match=r"3 bytes needed"):
        files.write_together(dict.fromkeys(paths, b"new"))
    assert [Path(path).read_bytes() for path in paths] == [b"old"] * 3
    assert not left_over(tmp_path)


def test_a_kill_while_several_are_written_leaves_each_whole(tmp_path: Path) -> None:
    paths, step, seen = [str(tmp_path / name) for name in "abc"], 0, set()
    while True:
        step += 1
        for path in paths:
            Path(path).write_bytes(b"old")
        try:
            with interrupting(step):
                files.write_together(dict.fromkeys(paths, b"a new content"))
        except Killed:
            seen.add(tuple(Path(path).read_bytes() for path in paths))
            continue
        break
    assert seen == {(b"a new content",) * new + (b"old",) * (3 - new) for new in range(3)}


def test_a_short_write_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:7]))
    files.write_atomic(tmp_path / "out", bytes(range(100)))
    assert (tmp_path / "out").read_bytes() == bytes(range(100))


def test_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 64 << 10) as disk:
        files.write_atomic(disk / "out", b"fits")
        with pytest.raises(EdgeTpuBuildError, match=f"No space left on device .{1 << 20} bytes needed"):
            files.write_atomic(disk / "out", bytes(1 << 20))
        assert os.listdir(disk) == ["out"]
        assert (disk / "out").read_bytes() == b"fits"


def test_a_read_only_file_system(tmp_path: Path) -> None:
    files.write_atomic(tmp_path / "disk" / "out", b"1")
    with read_only(tmp_path / "disk"):
        assert not files.write_atomic(tmp_path / "disk" / "out", b"1")
        with pytest.raises(EdgeTpuBuildError, match="Read-only file system"):
            files.write_atomic(tmp_path / "disk" / "out", b"2")
        with pytest.raises(EdgeTpuBuildError, match="Read-only file system"):
            files.remove(tmp_path / "disk" / "out")


def test_read_stable_gives_the_stat_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(b"x" * 100)
    data, there = files.read_stable(path)
    assert (data, there.st_size, there.st_mtime_ns) == (b"x" * 100, 100, path.stat().st_mtime_ns)


@pytest.mark.parametrize("changes", [1, 3, 100])
def test_a_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: int) -> None:
    path, real, done = tmp_path / "m", os.fstat, 0
    path.write_bytes(b"0")

    def fstat(fd: int) -> os.stat_result:
        nonlocal done
        before = real(fd)
        if done < changes:
            done += 1
            path.write_bytes(b"%d" % done)
            os.utime(path, ns=(done, done))
        return before

    monkeypatch.setattr(os, "fstat", fstat)
    if changes > 5:
        with pytest.raises(EdgeTpuBuildError) as raised:
            files.read_stable(path)
        assert raised.value.diagnostics[0].code == "ETB317"
    else:
        assert files.read_stable(path)[0] == b"%d" % changes


def test_a_file_that_is_replaced_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, real, done = tmp_path / "m", os.fstat, []
    path.write_bytes(b"old")

    def fstat(fd: int) -> os.stat_result:
        if not done:
            done.append(True)
            files.write_atomic(path, b"new")
        return real(fd)

    monkeypatch.setattr(os, "fstat", fstat)
    assert files.read_stable(path)[0] == b"new"


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    for name in ("absent", ".", "fifo", "loop", "absent/deeper"):
        with pytest.raises(EdgeTpuBuildError, match="cannot read") as raised:
            files.read_stable(tmp_path / name)
        assert raised.value.exit_code == 5


def test_a_stale_handle_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(b"1")
    with failing("open", errno.ESTALE, times=2, only=str(path)):
        assert files.read_stable(path)[0] == b"1"
    with failing("open", errno.ESTALE, only=str(path)), pytest.raises(EdgeTpuBuildError):
        files.read_stable(path)


def test_remove_and_move(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    files.move(path, tmp_path / "new" / "b")
    assert (tmp_path / "new" / "b").read_bytes() == b"1"
    assert files.remove(tmp_path / "new" / "b")
    assert not files.remove(tmp_path / "new" / "b")
    with pytest.raises(EdgeTpuBuildError):
        files.remove(tmp_path / "new")


def test_sweep_takes_old_temps_only(tmp_path: Path) -> None:
    for name, stamp in (("old", 1000), ("young", 1000 + files.DAY), ("future", 1000 + 3 * files.DAY)):
        (tmp_path / f"{files.TEMP_PREFIX}{name}").touch()
        os.utime(tmp_path / f"{files.TEMP_PREFIX}{name}", (stamp, stamp))
    (tmp_path / "model.tflite").touch()
    os.utime(tmp_path / "model.tflite", (0, 0))
    assert files.sweep_temps(tmp_path, now=1001 + files.DAY) == 2
    assert sorted(os.listdir(tmp_path)) == [f"{files.TEMP_PREFIX}young", "model.tflite"]
    assert files.sweep_temps(tmp_path / "absent") == 0

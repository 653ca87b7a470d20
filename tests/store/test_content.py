"""What the store gives back is what was put, or it is a miss; its troubles end in one warning, never in an error."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgetpu_build import files
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.store import Blob, Record, Store, open_store
from tests.support.faults import Killed, failing, interrupting, read_only, small_disk
from tests.support.store_check import problems, temps

FILES = {"0.tflite": b"compiled" * 100, "0.log": b"log"}
FACTS = {"figures": {"on_chip": 1.5}, "names": ["a"]}


def key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store({"EDGETPU_BUILD_CACHE_DIR": str(tmp_path / "store")})


def contents(store: Store, record: Record) -> dict[str, bytes | None]:
    return {blob.name: store.read(blob) for blob in record.blobs}


def healthy(store: Store) -> bool:
    return not problems(Path(store.folder))


def test_what_is_put_is_got(store: Store) -> None:
    assert store.get(key("a")) is None
    record = store.put(key("a"), FILES, FACTS)
    assert store.get(key("a")) == record
    assert record.facts == FACTS
    assert contents(store, record) == FILES
    assert (store.counters.hits, store.counters.misses, store.counters.puts) == (1, 1, 1)
    assert healthy(store)
    assert not store.warnings


def test_nothing_is_made_before_something_is_put(store: Store) -> None:
    store.get(key("a"))
    assert not os.path.exists(store.folder)


def test_the_folder_says_what_it_is(store: Store) -> None:
    store.put(key("a"), FILES, {})
    assert Path(store.folder, "CACHEDIR.TAG").read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55")
    assert Path(store.folder, ".gitignore").read_text() == "*\n"
    assert "edgetpu-build cache clear" in Path(store.folder, "README.txt").read_text()


def test_equal_files_are_kept_once(store: Store) -> None:
    store.put(key("a"), {"x": b"same", "y": b"same"}, {})
    store.put(key("b"), {"z": b"same"}, {})
    assert sum(path.is_file() for path in Path(store.root, "cas").rglob("*")) == 1


def test_a_blob_cannot_be_edited_by_accident(store: Store) -> None:
    record = store.put(key("a"), FILES, {})
    assert stat.S_IMODE(os.stat(store.blob_path(record.blobs[0])).st_mode) & 0o222 == 0


# Every kind of damage, to every kind of file.


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    rewrite(path, bytes(data))


def rewrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inner").write_bytes(b"x")


def link_instead(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def loop_instead(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def fifo_instead(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def other_instead(path: Path) -> None:
    """The well-formed content of a neighbour: two files swapped."""
    others = [p for p in path.parents[1].rglob("*") if p.is_file() and p != path]
    rewrite(path, others[0].read_bytes())


def file_for_its_folder(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.write_bytes(b"")


DAMAGE: dict[str, Callable[[Path], None]] = {
    "bit flipped": flip,
    "emptied": lambda path: rewrite(path, b""),
    "cut short": lambda path: rewrite(path, path.read_bytes()[:-1]),
    "zeroed": lambda path: rewrite(path, bytes(path.stat().st_size)),
    "extended": lambda path: rewrite(path, path.read_bytes() + b"\n"),
    "removed": Path.unlink,
    "folder": folder_instead,
    "dangling link": link_instead,
    "link to itself": loop_instead,
    "fifo": fifo_instead,
    "swapped": other_instead,
    "file for its folder": file_for_its_folder,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("kind", ["record", "blob"])
def test_damage_is_a_miss_and_heals(store: Store, kind: str, damage: Callable[[Path], None]) -> None:
    store.put(key("neighbour"), {"x": b"neighbour's content"}, {})
    record = store.put(key("a"), FILES, FACTS)
    damage(Path(store.record_path(key("a")) if kind == "record" else store.blob_path(record.blobs[0])))
    again = open_store({"EDGETPU_BUILD_CACHE_DIR": store.folder})
    got = again.get(key("a"))
    assert got is None or (kind == "blob" and contents(again, got)["0.tflite"] is None)
    healed = again.put(key("a"), FILES, FACTS)
    if damage is file_for_its_folder:
        assert [told.code for told in again.warnings] == ["ETB506"]
        return
    assert again.get(key("a")) == healed
    assert contents(again, healed) == FILES
    assert healthy(again)
    assert len(again.warnings) <= 2
    assert all(told.severity == "warning" for told in again.warnings)


@pytest.mark.parametrize("harm", ["removed", "cut short", "folder", "dangling link"])
def test_a_unit_that_misses_a_file_is_a_miss(store: Store, harm: str) -> None:
    record = store.put(key("a"), FILES, FACTS)
    DAMAGE[harm](Path(store.blob_path(record.blobs[1])))
    assert store.get(key("a")) is None
    assert (store.counters.hits, store.counters.misses) == (0, 1)


def test_damage_is_kept_aside_and_told_once(store: Store) -> None:
    for name in "abc":
        store.put(key(name), {"x": name.encode() * 50}, {})
        flip(Path(store.record_path(key(name))))
    assert [store.get(key(name)) for name in "abc"] == [None, None, None]
    assert store.counters.bad == 3
    assert [told.code for told in store.warnings] == ["ETB505"]
    assert len(os.listdir(f"{store.root}/quarantine")) == 3


def test_a_blob_of_a_forged_size_is_not_taken(store: Store) -> None:
    blob = store.put(key("a"), FILES, {}).blobs[0]
    assert store.read(Blob(blob.name, blob.sha256, blob.size + 1)) is None


@pytest.mark.parametrize("name", ["CACHEDIR.TAG", "v1/locks", "v1/quarantine", "v1/maintained", "v1/projects"])
def test_side_files_do_not_matter(store: Store, name: str) -> None:
    path = Path(store.folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"something else") if path.suffix != ".TAG" else path.mkdir()
    with store.exclusive(key("a")):
        record = store.put(key("a"), FILES, {})
    assert store.get(key("a")) == record
    flip(Path(store.record_path(key("a"))))
    assert store.get(key("a")) is None


# Troubles of the file system.


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT, errno.ESTALE, errno.EACCES])
@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_put_that_fails_is_one_warning(store: Store, call: str, code: int) -> None:
    with failing(call, code):
        one, two = store.put(key("a"), FILES, FACTS), store.put(key("b"), FILES, FACTS)
    assert (one.facts, two.fingerprint) == (FACTS, key("b"))
    (told,) = store.warnings
    assert (told.code, told.severity) == ("ETB506", "warning")
    assert os.strerror(code) in told.message
    assert healthy(store)
    assert not temps(Path(store.folder))
    assert store.put(key("a"), FILES, FACTS) == store.get(key("a"))


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES, errno.ESTALE])
def test_what_cannot_be_read_is_a_miss(store: Store, code: int) -> None:
    record = store.put(key("a"), FILES, FACTS)
    with failing("open", code, only="/ac/"):
        assert store.get(key("a")) is None
    with failing("open", code, only="/cas/"):
        assert store.read(record.blobs[0]) is None
    assert [told.code for told in store.warnings] == ["ETB506"]
    assert contents(store, record) == FILES


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, 524])
def test_without_locks_work_goes_on(store: Store, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def flock(fd: int, how: int) -> None:
        raise OSError(code, "no locks available")

    store.put(key("z"), FILES, {})
    monkeypatch.setattr("fcntl.flock", flock)
    for name in "ab":
        with store.exclusive(key(name)):
            store.put(key(name), FILES, FACTS)
        assert store.get(key(name))
    (told,) = store.warnings
    assert "no locks" in told.message


def test_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 256 << 10) as disk:
        store = open_store({"EDGETPU_BUILD_CACHE_DIR": str(disk)})
        puts = {name: store.put(key(name), {"x": name.encode() * 60_000}, {}) for name in "abcdefgh"}
        assert "No space left on device" in store.warnings[0].message
        assert not temps(disk)
        kept = [name for name in puts if store.get(key(name))]
        assert 0 < len(kept) < len(puts)
        assert all(store.read(puts[name].blobs[0]) == name.encode() * 60_000 for name in kept)
        assert healthy(store)


def test_a_read_only_store_serves_and_keeps_nothing(store: Store) -> None:
    record = store.put(key("a"), FILES, FACTS)
    bad = store.put(key("bad"), {"x": b"1" * 100}, {})
    flip(Path(store.blob_path(bad.blobs[0])))
    with read_only(Path(store.folder)):
        fresh = open_store({"EDGETPU_BUILD_CACHE_DIR": store.folder})
        with fresh.exclusive(key("a")):
            assert fresh.get(key("a")) == record
        assert contents(fresh, record) == FILES
        assert not fresh.warnings
        assert fresh.read(bad.blobs[0]) is None
        with fresh.exclusive(key("b")):
            assert fresh.get(key("b")) is None
            assert fresh.put(key("b"), FILES, FACTS).facts == FACTS
        assert sorted(told.code for told in fresh.warnings) == ["ETB505", "ETB506"]


@pytest.mark.parametrize("place", ["file/store", "/proc/no-such/store"])
def test_a_folder_that_cannot_be(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = open_store({"EDGETPU_BUILD_CACHE_DIR": str(tmp_path / place)})
    with store.exclusive(key("a")):
        assert store.get(key("a")) is None
        assert store.put(key("a"), FILES, FACTS).facts == FACTS
    assert [told.code for told in store.warnings] == ["ETB506"]


def test_deleted_midway(store: Store) -> None:
    record = store.put(key("a"), FILES, {})
    with store.exclusive(key("b")):
        shutil.rmtree(store.folder)
        assert store.get(key("a")) is None
        assert store.read(record.blobs[0]) is None
        store.put(key("b"), FILES, {})
    assert store.get(key("b"))
    assert Path(store.folder, "CACHEDIR.TAG").exists()
    assert not store.warnings


def test_a_kill_at_any_moment_leaves_a_sound_store(tmp_path: Path) -> None:
    step, found = 0, set()
    while True:
        step += 1
        store = open_store({"EDGETPU_BUILD_CACHE_DIR": str(tmp_path / str(step))})
        try:
            with interrupting(step), store.exclusive(key("a")):
                store.put(key("a"), FILES, FACTS)
        except Killed:
            again = open_store({"EDGETPU_BUILD_CACHE_DIR": store.folder})
            assert healthy(again), step
            record = again.get(key("a"))
            found.add(record is not None)
            assert record is None or contents(again, record) == FILES
            assert len(temps(Path(again.folder))) <= 1
            assert again.put(key("a"), FILES, FACTS) == again.get(key("a"))
            continue
        break
    assert found == {True, False}
    assert step > 20


# Locks.


CHILD = """
import os, sys
from edgetpu_build.store import open_store
store = open_store(os.environ)
print("ready", flush=True)
sys.stdin.readline()
with store.exclusive(sys.argv[1], blocked=lambda: print("blocked", flush=True)):
    if store.get(sys.argv[1]) is None:
        print("compiling", flush=True)
        if sys.argv[2] == "hold":
            sys.stdin.readline()
        store.put(sys.argv[1], {"x": b"1"}, {})
print("done", store.counters.puts, len(store.warnings), flush=True)
"""


def child(store: Store, name: str = "a", how: str = "go") -> subprocess.Popen[str]:
    env = {**os.environ, "EDGETPU_BUILD_CACHE_DIR": store.folder}
    command = [sys.executable, "-c", CHILD, key(name), how]
    process = subprocess.Popen(command, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert read(process) == "ready"
    return process


def read(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def release(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def test_of_many_processes_one_compiles(store: Store) -> None:
    children = [child(store) for _ in range(6)]
    for process in children:
        release(process)
    told = [process.communicate()[0] for process in children]
    assert sum("compiling" in text for text in told) == 1
    assert sorted(text.split()[-3:] for text in told) == [["done", "0", "0"]] * 5 + [["done", "1", "0"]]


@pytest.mark.parametrize("end", ["finish", "kill"])
def test_who_waits_goes_on_when_the_holder_ends(store: Store, end: str) -> None:
    holder, waiter = child(store, how="hold"), child(store)
    release(holder)
    assert read(holder) == "compiling"
    release(waiter)
    assert read(waiter) == "blocked"
    if end == "kill":
        holder.kill()
        holder.communicate()
        assert read(waiter) == "compiling"
    else:
        holder.communicate("\n")
    assert waiter.communicate()[0].split()[0] == "done"
    assert healthy(store)


def test_other_units_do_not_wait(store: Store) -> None:
    holder = child(store, how="hold")
    release(holder)
    assert read(holder) == "compiling"
    with store.exclusive(key("b"), blocked=lambda: pytest.fail("blocked")):
        pass
    holder.communicate("\n")


def test_lock_files_stay(store: Store) -> None:
    with store.exclusive(key("a")):
        store.put(key("a"), FILES, {})
    names = set(os.listdir(f"{store.root}/locks"))
    assert names == {f"{key('a')[:2]}.lock", "store.lock"}


def test_threads_take_turns_and_one_thread_may_nest(store: Store) -> None:
    inside, order, entered = threading.Event(), [], threading.Event()

    def other() -> None:
        with store.exclusive("ab" * 32, blocked=entered.set):
            order.append("other")

    with store.exclusive("ab" * 32), store.exclusive("ab" * 32):
        thread = threading.Thread(target=other)
        thread.start()
        assert entered.wait(30)
        order.append("first")
        inside.set()
    thread.join(30)
    assert order == ["first", "other"]


def test_nothing_is_removed_while_something_is_put(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    other, seen, real = open_store({"EDGETPU_BUILD_CACHE_DIR": store.folder}), set(), files.write_atomic

    def write(*args: Any, **kwargs: Any) -> bool:
        with other.locks.whole(wait=False) as held:
            seen.add(held)
        return real(*args, **kwargs)

    monkeypatch.setattr(files, "write_atomic", write)
    store.put(key("a"), FILES, {})
    assert seen == {"busy"}
    with other.locks.whole(wait=False) as held:
        assert held == "held"


def test_two_that_want_each_others_locks_do_not_wait_for_ever(store: Store) -> None:
    low, high = "00" * 32, "ff" * 32
    both, done = threading.Barrier(2, timeout=30), []

    def build(first: str, second: str) -> None:
        with store.exclusive(first):
            both.wait()
            with store.exclusive(second):
                done.append(first)

    threads = [threading.Thread(target=build, args=pair) for pair in ((low, high), (high, low))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(done) == [low, high]


# Where it is, and how large.


def test_the_environment_says_where(tmp_path: Path) -> None:
    home = str(tmp_path)
    asked = {"EDGETPU_BUILD_CACHE_DIR": f"{home}/x", "XDG_CACHE_HOME": f"{home}/y"}
    assert open_store(asked).folder == f"{home}/x"
    assert open_store({"XDG_CACHE_HOME": f"{home}/y"}).folder == f"{home}/y/edgetpu-build"
    assert open_store({"XDG_CACHE_HOME": "relative"}).folder == os.path.expanduser("~/.cache/edgetpu-build")


def test_without_wishes_it_is_where_platformdirs_says(monkeypatch: pytest.MonkeyPatch) -> None:
    import platformdirs

    monkeypatch.delenv("XDG_CACHE_HOME")
    assert open_store({}).folder == platformdirs.user_cache_dir("edgetpu-build", appauthor=False)


@pytest.mark.parametrize(("text", "limit"), [("", 2 << 30), ("0", 0), ("5000", 5000), ("1.5 MiB", 3 << 19)])
def test_the_environment_says_how_large(text: str, limit: int) -> None:
    assert open_store({"EDGETPU_BUILD_CACHE_SIZE": text}).limit == limit


@pytest.mark.parametrize("text", ["much", "-1", "1 GB", "1.0000001 KiB"])
def test_a_size_that_is_none_is_told(text: str) -> None:
    with pytest.raises(EdgeTpuBuildError, match="EDGETPU_BUILD_CACHE_SIZE") as raised:
        open_store({"EDGETPU_BUILD_CACHE_SIZE": text})
    assert raised.value.exit_code == 2

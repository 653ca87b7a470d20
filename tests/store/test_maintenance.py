"""The store stays within its limit, loses what was used longest ago first, and never what a build is using."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgetpu_build import files
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.store import Store
from edgetpu_build.store.maintenance import HOUR, clear, maintain, prune, stats, verify
from edgetpu_build.store.state import project_dir
from tests.support.faults import Killed, interrupting, read_only
from tests.support.store_check import problems

NOW = 2_000_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Store:
    return Store(f"{tmp_path}/store/v1", limit=3500, clock=clock)


def key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def fill(store: Store, clock: Clock, names: str = "abcdef", size: int = 1000) -> None:
    for name in names:
        clock.now += 1
        store.put(key(name), {"x": name.encode() * size}, {})


def there(store: Store, names: str = "abcdef") -> str:
    return "".join(name for name in names if os.path.exists(store.record_path(key(name))))


def test_what_was_used_longest_ago_goes_first(store: Store, clock: Clock) -> None:
    fill(store, clock)
    clock.now += 1
    assert store.get(key("a"))
    removed = prune(store, 4000)
    assert there(store) == "aef"
    assert (removed.records, removed.blobs) == (3, 3)
    assert stats(store).bytes <= 4000
    assert not problems(Path(store.folder))


def test_a_shared_blob_stays_while_one_needs_it(store: Store, clock: Clock) -> None:
    store.put(key("a"), {"x": b"shared" * 100}, {})
    clock.now += 1
    store.put(key("b"), {"x": b"shared" * 100, "y": b"own"}, {})
    prune(store, 1000)
    assert there(store) == "b"
    assert store.get(key("b"))


def test_what_no_record_needs_goes_at_any_limit(store: Store, clock: Clock) -> None:
    fill(store, clock, "ab")
    os.unlink(store.record_path(key("a")))
    assert prune(store, 1 << 40).blobs == 1
    assert store.get(key("b"))


def test_stamps_of_the_future_count_as_the_oldest(store: Store, clock: Clock) -> None:
    clock.now = NOW + 1e9
    fill(store, clock, "abc")
    clock.now = NOW
    fill(store, clock, "de")
    prune(store, 3000)
    assert there(store) == "de"


def test_one_that_is_larger_than_the_limit_is_not_kept(store: Store, clock: Clock) -> None:
    fill(store, clock, "a", size=10_000)
    assert prune(store).records == 1
    assert stats(store).bytes == 0


def test_a_build_tidies_at_most_once_an_hour(store: Store, clock: Clock) -> None:
    for name in "abcdef":
        clock.now += 1
        with store.exclusive(key(name)):
            store.put(key(name), {"x": name.encode() * 1000}, {})
    assert there(store) == "abcdef"
    clock.now += HOUR
    with store.exclusive(key("g")):
        store.put(key("g"), {"x": b"g"}, {})
    assert there(store, "abcdefg") == "efg"
    assert maintain(store) is None
    clock.now -= 10 * HOUR
    assert maintain(store) is not None


def test_below_the_limit_no_record_is_read(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store, clock, "ab")
    monkeypatch.setattr(files, "read_bytes", lambda _: pytest.fail("read"))
    assert maintain(store)
    assert there(store) == "ab"


def test_a_hit_tidies_nothing(store: Store, clock: Clock) -> None:
    fill(store, clock)
    with store.exclusive(key("a")):
        store.get(key("a"))
    assert there(store) == "abcdef"


HOLD = """
import os, sys
from edgetpu_build.store import open_store
store = open_store(os.environ)
with store.exclusive("ab" * 32):
    print("held", flush=True)
    sys.stdin.readline()
    store.put("ab" * 32, {"x": b"put while pruning waited"}, {})
"""


def test_tidying_waits_for_a_build_or_leaves_it_alone(store: Store, clock: Clock) -> None:
    fill(store, clock)
    env = {**os.environ, "EDGETPU_BUILD_CACHE_DIR": store.folder}
    holder = subprocess.Popen([sys.executable, "-c", HOLD], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout
    assert holder.stdout.readline() == b"held\n"
    assert maintain(store) is None
    assert there(store) == "abcdef"
    waited = []

    def blocked() -> None:
        waited.append(True)
        holder.communicate(b"\n")

    assert clear(store, blocked).records == 7
    assert waited == [True]
    assert holder.returncode == 0


def test_without_locks_young_blobs_without_record_stay(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(fd: int, how: int) -> None:
        raise OSError(37, "no locks available")

    fill(store, clock, "ab")
    for name, age in (("a", 60), ("b", files.DAY + 60)):
        os.unlink(store.record_path(key(name)))
        blob = f"{store.root}/cas/{hashlib.sha256(name.encode() * 1000).hexdigest()[:2]}"
        for path in Path(blob).iterdir():
            os.utime(path, (clock.now - age, clock.now - age))
    monkeypatch.setattr("fcntl.flock", flock)
    assert prune(store, 1 << 40).blobs == 1


def test_left_overs_are_swept_when_a_day_old(store: Store, clock: Clock) -> None:
    fill(store, clock, "a")
    shard = os.path.dirname(store.record_path(key("a")))
    for age in (60, files.DAY + 60):
        path = f"{shard}/{files.TEMP_PREFIX}{age}"
        Path(path).write_bytes(b"half")
        os.utime(path, (clock.now - age, clock.now - age))
    prune(store)
    assert sorted(os.listdir(shard)) == sorted([key("a"), f"{files.TEMP_PREFIX}60"])


def test_what_lies_aside_goes_in_its_time(store: Store, clock: Clock, tmp_path: Path) -> None:
    clock.now = os.stat(tmp_path).st_ctime + 10
    fill(store, clock, "ab")
    Path(store.record_path(key("a"))).write_bytes(b"damaged")
    store.get(key("a"))
    project = project_dir(tmp_path / "project", {"EDGETPU_BUILD_CACHE_DIR": store.folder})
    files.write_atomic(project / "index", b"...")
    prune(store)
    assert stats(store).quarantined == stats(store).projects == 1
    clock.now += 2 * files.DAY
    prune(store)
    assert (stats(store).quarantined, stats(store).projects) == (0, 1)
    clock.now += 100 * files.DAY
    prune(store)
    assert stats(store).projects == 0
    assert store.get(key("b"))


def test_clear_leaves_the_locks_and_what_is_not_ours(store: Store, clock: Clock) -> None:
    fill(store, clock)
    Path(store.folder, "theirs").write_bytes(b"mine")
    files.write_atomic(f"{store.root}/projects/abc/index", b"...")
    removed = clear(store)
    assert (removed.records, removed.blobs, removed.others) == (6, 6, 1)
    left = {str(p.relative_to(store.folder)) for p in Path(store.folder).rglob("*") if p.is_file()}
    assert left == {"theirs", "CACHEDIR.TAG", ".gitignore", "README.txt", "v1/locks/store.lock"}
    fill(store, clock)
    assert there(store) == "abcdef"


@pytest.mark.parametrize("tidy", [lambda store: prune(store, 2500), clear], ids=["prune", "clear"])
def test_a_kill_while_tidying_leaves_whole_units(tmp_path: Path, clock: Clock, tidy: Callable[[Store], object]) -> None:
    step, left = 0, set()
    while True:
        step += 1
        store = Store(f"{tmp_path}/{step}/v1", clock=clock)
        fill(store, clock)
        os.unlink(store.record_path(key("c")))
        try:
            with interrupting(step):
                tidy(store)
        except Killed:
            assert not problems(Path(store.folder)), step
            left.add(there(store))
            continue
        break
    assert len(left) > 3


def test_figures(store: Store, clock: Clock) -> None:
    empty = stats(store)
    assert (empty.records, empty.blobs, empty.bytes, empty.oldest_use, empty.limit) == (0, 0, 0, None, 3500)
    fill(store, clock, "abc")
    full = stats(store)
    assert (full.records, full.blobs, full.oldest_use, full.newest_use) == (3, 3, NOW + 1, NOW + 3)
    assert full.bytes == sum(p.stat().st_size for kind in ("ac", "cas") for p in Path(store.root, kind).rglob("*/*"))


def test_verify_finds_and_repairs(store: Store, clock: Clock) -> None:
    fill(store, clock, "abcd")
    assert verify(store).findings == ()
    record = store.get(key("a"))
    assert record
    blob = Path(store.blob_path(record.blobs[0]))
    blob.chmod(0o644)
    blob.write_bytes(b"a" * 999 + b"!")
    Path(store.record_path(key("b"))).write_bytes(b"")
    lost = store.get(key("c"))
    assert lost
    os.unlink(store.blob_path(lost.blobs[0]))
    stranger = Path(store.root, "ac", "zz", "notes.txt")
    files.write_atomic(stranger, b"hello")
    found = verify(store)
    damaged = {str(blob), store.record_path(key("b")), store.record_path(key("c")), str(stranger)}
    assert {finding.path for finding in found.findings} == damaged
    assert not any(finding.repaired for finding in found.findings)
    repaired = verify(store, repair=True)
    assert all(finding.repaired for finding in repaired.findings)
    assert verify(store, repair=True).findings == ()
    assert there(store, "abcd") == "d"


def test_verify_of_a_newer_format_leaves_it(store: Store) -> None:
    files.write_atomic(store.record_path(key("a")), b"edgetpu-build record 2 something else\n")
    assert store.get(key("a")) is None
    assert verify(store, repair=True).findings == ()
    assert os.path.exists(store.record_path(key("a")))


def test_a_read_only_store_cannot_be_pruned_and_says_so(store: Store, clock: Clock) -> None:
    fill(store, clock)
    with read_only(Path(store.folder)):
        assert maintain(store) is None
        with pytest.raises(EdgeTpuBuildError, match="Read-only file system") as raised:
            prune(store)
        assert raised.value.exit_code == 5
        assert verify(store).findings == ()


def test_an_empty_store_has_nothing_to_do(store: Store) -> None:
    assert prune(store).records == clear(store).records == 0
    assert verify(store).records == 0

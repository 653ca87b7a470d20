"""Puts, gets, damage, faults, kills, pruning, clock jumps in any order: what is got is what was put, or nothing."""

from __future__ import annotations

import errno
import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edgetpu_build.store import Record, Store
from edgetpu_build.store import maintenance as upkeep
from tests.support.faults import Killed, failing, interrupting
from tests.support.store_check import problems

CONTENTS = st.dictionaries(st.sampled_from(["0.tflite", "1.tflite", "0.log"]), st.binary(max_size=400), max_size=3)
KEYS = st.sampled_from([hashlib.sha256(bytes([i])).hexdigest() for i in range(6)])
LIMITS = st.sampled_from([0, 300, 1000, 5000])


class StoreMachine(RuleBasedStateMachine):
    """``model``: what each fingerprint was last told to hold. ``sound``: nothing was damaged since the last repair."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="store-machine-"))
        self.now = 1_000_000_000.0
        self.model: dict[str, tuple[dict[str, bytes], Any]] = {}
        self.sound = True
        self.store = self.open()

    def open(self) -> Store:
        return Store(f"{self.folder}/v1", limit=2000, clock=lambda: self.now)

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def check(self, fingerprint: str, record: Record) -> None:
        contents, facts = self.model[fingerprint]
        assert record.facts == facts
        assert [blob.name for blob in record.blobs] == list(contents)
        for blob in record.blobs:
            assert self.store.read(blob) in (contents[blob.name], None)

    @rule(fingerprint=KEYS, contents=CONTENTS, facts=st.dictionaries(st.text(max_size=3), st.integers()))
    def put(self, fingerprint: str, contents: dict[str, bytes], facts: dict[str, int]) -> None:
        self.model[fingerprint] = contents, facts
        with self.store.exclusive(fingerprint):
            self.check(fingerprint, self.store.put(fingerprint, contents, facts))

    @rule(fingerprint=KEYS)
    def get(self, fingerprint: str) -> None:
        record = self.store.get(fingerprint)
        if fingerprint not in self.model:
            assert record is None
        elif record is not None:
            self.check(fingerprint, record)

    @rule(fingerprint=KEYS, step=st.integers(1, 60))
    def killed_while_putting(self, fingerprint: str, step: int) -> None:
        if fingerprint in self.model:
            contents, facts = self.model[fingerprint]
            try:
                with interrupting(step):
                    self.store.put(fingerprint, contents, facts)
            except Killed:
                self.store = self.open()

    @rule(
        fingerprint=KEYS,
        call=st.sampled_from(["open", "write", "fsync", "replace", "read", "utime", "unlink"]),
        code=st.sampled_from([errno.EIO, errno.ENOSPC, errno.EROFS, errno.EACCES, errno.ESTALE]),
        when=st.integers(1, 8),
        times=st.integers(1, 3),
    )
    def faulty(self, fingerprint: str, call: str, code: int, when: int, times: int) -> None:
        contents, facts = self.model.setdefault(fingerprint, ({"x": b"x"}, {}))
        with failing(call, code, when=when, times=times):
            record = self.store.get(fingerprint)
            if record:
                assert record.facts == facts
                assert all(self.store.read(blob) in (contents[blob.name], None) for blob in record.blobs)
            self.store.put(fingerprint, contents, facts)
            upkeep.maintain(self.store)

    @rule(at=st.integers(0, 1 << 16), how=st.sampled_from(["flip", "cut", "empty", "remove", "folder"]))
    def damage(self, at: int, how: str) -> None:
        files = sorted(p for kind in ("ac", "cas") for p in (self.folder / "v1" / kind).rglob("*") if p.is_file())
        if not files:
            return
        path = files[at % len(files)]
        data = bytearray(path.read_bytes())
        path.unlink()
        self.sound = False
        if how == "folder":
            path.mkdir()
        elif how != "remove":
            if how == "flip" and data:
                data[at % len(data)] ^= 1 << at % 8
            path.write_bytes(data[: at % (len(data) + 1)] if how == "cut" else b"" if how == "empty" else data)

    @rule(limit=LIMITS)
    def prune(self, limit: int) -> None:
        upkeep.prune(self.store, limit)
        assert upkeep.stats(self.store).bytes <= limit or not self.sound

    @rule()
    def clear(self) -> None:
        upkeep.clear(self.store)
        assert upkeep.stats(self.store).records == upkeep.stats(self.store).blobs == 0
        self.sound = True

    @rule()
    def repair(self) -> None:
        found = upkeep.verify(self.store, repair=True).findings
        assert bool(found) <= (not self.sound)
        for _ in range(2):  # a record may have lost its blob to the first round
            upkeep.verify(self.store, repair=True)
        assert not upkeep.verify(self.store).findings
        assert not problems(self.folder)
        self.sound = True

    @rule(seconds=st.sampled_from([1, 3600, 86_400 * 40, -1, -86_400 * 400]))
    def clock_jump(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def restart(self) -> None:
        self.store = self.open()

    @rule()
    def deleted(self) -> None:
        shutil.rmtree(self.folder / "v1", ignore_errors=True)
        self.sound = True

    @invariant()
    def what_is_there_is_right(self) -> None:
        assert not self.sound or not problems(self.folder)
        assert all(told.severity == "warning" for told in self.store.warnings)


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)

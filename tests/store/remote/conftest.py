from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgetpu_build.store import Blob, Record, Remote, Store
from edgetpu_build.store.remote.tier import Contents
from tests.support.server import Server, serving

KEY = "ab" * 32
CONTENTS = {"0/artifact": b"detector " * 9000, "1/artifact": b"classifier"}
FACTS = {"figures": [1, 2]}


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine fails no test: who answers is waited for. Proxies of this machine are no concern."""
    monkeypatch.setattr("edgetpu_build.store.remote.SECONDS", 60.0)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, unhurried: None) -> None:
    """Who never answers is waited for only so long."""
    monkeypatch.setattr("edgetpu_build.store.remote.SECONDS", 0.4)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


class Machine:
    """One machine: a store of its own, and the shared ones that it was told of."""

    def __init__(self, folder: Path, *urls: str, writes: bool = True, **options: Any) -> None:
        remotes = [Remote(url, writes, from_env=True) for url in urls]
        self.store = Store(str(folder / "v1"), remotes=remotes, **{"env": {}, **options})

    def compile(self, key: str = KEY, contents: Contents = CONTENTS) -> None:
        """Make a unit, keep it, share it."""
        self.store.put(key, contents, FACTS)
        assert self.store.tiers
        self.store.tiers.offer(key)
        self.store.flush()

    def fetch(self, key: str = KEY) -> Contents | None:
        """What the shared stores have."""
        assert self.store.tiers
        return self.store.tiers.fetch(key, accept)

    @property
    def told(self) -> list[str]:
        return [f"{told.severity}: {told.message}" for told in self.store.warnings]

    def local(self, key: str = KEY) -> Contents | None:
        record = self.store.get(key)
        return {blob.name: self._read(blob) for blob in record.blobs} if record else None

    def _read(self, blob: Blob) -> bytes:
        data = self.store.read(blob)
        assert data is not None
        return data


def accept(record: Record, contents: Contents) -> Contents:
    assert record.facts == FACTS
    return contents


class Machines:
    def __init__(self, folder: Path) -> None:
        self.folder, self.all = folder, list[Machine]()

    def __call__(self, *urls: str, **options: Any) -> Machine:
        self.all.append(Machine(self.folder / str(len(self.all)), *urls, **options))
        return self.all[-1]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machines]:
    machines = Machines(tmp_path)
    yield machines
    for one in machines.all:
        one.store.flush()

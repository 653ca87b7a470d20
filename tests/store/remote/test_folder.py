from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tests.store.remote.conftest import CONTENTS, KEY, Machines


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared folder"
    folder.mkdir()
    return folder


def test_two_machines(machine: Machines, shared: Path) -> None:
    machine(shared.as_uri()).compile()
    assert machine(shared.as_uri()).fetch() == CONTENTS
    digest = hashlib.sha256(CONTENTS["1/artifact"]).hexdigest()
    assert (shared / "cas" / digest).read_bytes() == CONTENTS["1/artifact"]
    assert (shared / "ac" / KEY).is_file()


def test_one_that_is_not_mounted_is_told_and_not_made(machine: Machines, shared: Path) -> None:
    shared.rmdir()
    one = machine(shared.as_uri())
    assert one.fetch() is None
    one.compile()
    assert not shared.exists()
    (told,) = one.told
    assert "there is no folder" in told


def test_a_torn_blob_is_damage_and_is_mended(machine: Machines, shared: Path) -> None:
    machine(shared.as_uri()).compile()
    torn = shared / "cas" / hashlib.sha256(CONTENTS["0/artifact"]).hexdigest()
    torn.write_bytes(b"")
    one = machine(shared.as_uri())
    assert one.fetch() is None
    assert "not what its name says" in one.told[0]
    one.compile()
    assert machine(shared.as_uri()).fetch() == CONTENTS


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_only_be_read(machine: Machines, shared: Path) -> None:
    shared.chmod(0o555)
    one = machine(shared.as_uri())
    one.compile()
    assert "is only read in this run" in one.told[0]
    shared.chmod(0o755)


def test_a_folder_where_a_file_belongs_and_another_host(machine: Machines, shared: Path) -> None:
    (shared / "ac" / KEY).mkdir(parents=True)
    one = machine(shared.as_uri())
    assert one.fetch() is None
    assert len(one.told) == 1
    other = machine("file://server/share")
    assert other.fetch() is None
    assert "names another machine" in other.told[0]

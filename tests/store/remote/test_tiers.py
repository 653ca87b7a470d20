"""Stores behind a store: what one machine put, another gets; and all the ways in which that goes wrong."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from edgetpu_build.store import Blob, Record
from edgetpu_build.store.remote import action, tally
from tests.store.remote.conftest import CONTENTS, FACTS, KEY, Machine, Machines
from tests.support.server import Server, nobody, silence

OTHER = "cd" * 32
SICK = ["500", "503", "drip", "drip_head", "hang", "short", "long", "huge", "endless", "flipped", "garbage", "bye"]


def kept_blob(number: int) -> str:
    return "/cas/" + hashlib.sha256(list(CONTENTS.values())[number]).hexdigest()


class TestTwoMachines:
    def test_the_second_has_what_the_first_made(self, machine: Machines, server: Server) -> None:
        machine(server.url).compile()
        second = machine(server.url)
        assert second.fetch() == CONTENTS
        assert second.local() == CONTENTS
        assert second.told == []

    def test_the_layout_is_bazels(self, machine: Machines, server: Server) -> None:
        machine(server.url + "/pre/fix/").compile()
        assert set(server.kept) == {f"/pre/fix/ac/{KEY}", *(f"/pre/fix{kept_blob(n)}" for n in (0, 1))}
        assert server.kept["/pre/fix" + kept_blob(0)] == CONTENTS["0/artifact"]

    def test_blobs_go_before_their_record_and_after_the_build(self, machine: Machines, server: Server) -> None:
        one = machine(server.url)
        one.store.put(KEY, CONTENTS, FACTS)
        assert one.store.tiers
        one.store.tiers.offer(KEY)
        assert server.asked == []
        one.store.flush()
        assert server.requests("PUT") == [kept_blob(0), kept_blob(1), f"/ac/{KEY}"]
        one.store.flush()
        assert len(server.asked) == 3

    def test_a_miss_is_asked_for_once(self, machine: Machines, server: Server) -> None:
        one = machine(server.url)
        assert one.fetch() is None
        assert one.fetch() is None
        assert server.asked == [f"GET /ac/{KEY}"]

    def test_connections_are_kept(self, machine: Machines, server: Server) -> None:
        machine(server.url).compile()
        server.connections = 0
        machine(server.url).fetch()
        assert server.connections == 1

    def test_one_that_was_closed_meanwhile_is_opened_again(self, machine: Machines, server: Server) -> None:
        machine(server.url).compile()
        second, moods = machine(server.url), iter(["", "bye", "", ""])
        server.mood = lambda _method, _path: next(moods)
        assert second.fetch() == CONTENTS

    def test_blobs_that_are_here_are_not_fetched(self, machine: Machines, server: Server) -> None:
        machine(server.url).compile()
        second = machine(server.url)
        second.store.put(OTHER, {"x": CONTENTS["0/artifact"]}, {})
        assert second.fetch() == CONTENTS
        assert server.requests("GET") == [f"/ac/{KEY}", kept_blob(1)]

    def test_large_blobs_that_are_there_are_not_sent(self, machine: Machines, server: Server) -> None:
        large = {"0/artifact": bytes(2 << 20)}
        machine(server.url).compile(KEY, large)
        machine(server.url).compile(KEY, large)
        assert len(server.requests("PUT")) == 3
        assert server.requests("HEAD") == ["/cas/" + hashlib.sha256(large["0/artifact"]).hexdigest()] * 2

    def test_an_empty_blob_travels(self, machine: Machines, server: Server) -> None:
        machine(server.url).compile(KEY, {"0/artifact": b""})
        assert machine(server.url).fetch() == {"0/artifact": b""}


@pytest.mark.usefixtures("impatient")
class TestSickServers:
    @pytest.mark.parametrize("sickness", SICK)
    @pytest.mark.parametrize("kind", ["ac", "cas"])
    def test_the_build_goes_on_with_one_warning(
        self, machine: Machines, server: Server, sickness: str, kind: str
    ) -> None:
        machine(server.url).compile()
        server.mood = lambda _method, path: sickness if f"/{kind}/" in path else ""
        second, started = machine(server.url), time.monotonic()
        assert second.fetch() is None
        assert second.fetch(OTHER) is None
        assert time.monotonic() - started < 10  # never hangs; how long it waits is test_patience's matter
        assert second.local() is None
        (told,) = second.told
        assert told.startswith(f"warning: shared store `{server.url}`: ")

    @pytest.mark.parametrize("kind", ["ac", "cas"])
    @pytest.mark.parametrize("sickness", ["500", "hang", "garbage", "bye", "redirect"])
    def test_uploads_fail_quietly_and_leave_no_record(
        self, machine: Machines, server: Server, sickness: str, kind: str
    ) -> None:
        server.mood = lambda _method, path: sickness if f"/{kind}/" in path else ""
        one = machine(server.url)
        one.compile()
        assert len(one.told) == 1
        assert f"/ac/{KEY}" not in server.kept
        assert one.local() == CONTENTS

    def test_silence_ends_it_for_the_run(self, machine: Machines) -> None:
        with silence() as url:
            one, started = machine(url), time.monotonic()
            for number in range(50):
                assert one.fetch(f"{number:064x}") is None
            one.compile()
            assert time.monotonic() - started < 10  # a second try for each would take 20
            (told,) = one.told
            assert "did not answer within 0.4 s" in told

    def test_two_silent_servers_cost_no_more_than_one(self, machine: Machines) -> None:
        with silence() as url, silence() as other:
            one = machine(url, other)
            assert one.fetch() is None
            (told,) = one.told
            assert "within 0.2 s" in told

    def test_nobody_there_is_told_at_once_and_asked_no_more(self, machine: Machines, server: Server) -> None:
        url = nobody()
        one = machine(url)
        assert one.fetch() is None
        assert one.fetch(OTHER) is None
        assert one.told == [f"warning: shared store `{url}`: Connection refused"]
        one.store.flush()
        assert tally.read(one.store)[url].errors == 1

    def test_three_troubles_in_a_row_end_it(self, machine: Machines, server: Server) -> None:
        server.mood = lambda _method, _path: "500"
        one = machine(server.url)
        for number in range(9):
            one.fetch(f"{number:064x}")
        assert len(server.asked) == 3

    def test_one_trouble_does_not(self, machine: Machines, server: Server) -> None:
        machine(server.url).compile()
        server.mood = lambda _method, path: "500" if OTHER in path else ""
        one = machine(server.url)
        assert one.fetch(OTHER) is None
        assert one.fetch() == CONTENTS

    def test_a_redirect_is_not_followed(self, machine: Machines, server: Server) -> None:
        server.mood = lambda _method, path: "" if path.startswith("/elsewhere") else "redirect"
        one = machine(server.url)
        assert one.fetch() is None
        assert "answered 302 Found; redirects are not followed" in one.told[0]
        assert not any("elsewhere" in asked for asked in server.asked)

    def test_a_dangling_record_is_a_miss_and_no_error(self, machine: Machines, server: Server) -> None:
        machine(server.url).compile()
        del server.kept[kept_blob(1)]
        one = machine(server.url)
        assert one.fetch() is None
        assert one.told == []
        one.store.flush()
        counts = tally.read(one.store)[server.url]
        assert (counts.hits, counts.misses, counts.errors) == (0, 1, 0)

    def test_a_record_of_another_unit_is_refused(self, machine: Machines, server: Server) -> None:
        machine(server.url).compile()
        server.kept[f"/ac/{OTHER}"] = server.kept[f"/ac/{KEY}"]
        one = machine(server.url)
        assert one.fetch(OTHER) is None
        assert "the record of another unit" in one.told[0]

    def test_a_record_that_claims_a_terabyte_is_not_believed(self, machine: Machines, server: Server) -> None:
        server.kept[f"/ac/{KEY}"] = action.encode(Record(KEY, (Blob("0/artifact", OTHER, 1 << 40),), FACTS))
        one = machine(server.url)
        assert one.fetch() is None
        assert server.requests("GET") == [f"/ac/{KEY}"]

    def test_a_record_that_the_unit_does_not_make_is_left_there(self, machine: Machines, server: Server) -> None:
        machine(server.url).compile()
        one = machine(server.url)
        assert one.store.tiers
        assert one.store.tiers.fetch(KEY, lambda _record, _contents: None) is None
        assert one.local() is None
        assert "is not what this unit makes" in one.told[0]


class TestRights:
    @pytest.mark.parametrize("status", ["401", "403", "405"])
    def test_a_refused_write_makes_it_read_only_for_the_run(
        self, machine: Machines, server: Server, status: str
    ) -> None:
        machine(server.url).compile()
        server.asked.clear()
        server.mood = lambda method, _path: status if method == "PUT" else ""
        one = machine(server.url)
        one.compile(OTHER, {"0/artifact": b"new"})
        one.compile("ef" * 32, {"0/artifact": b"newer"})
        assert len(server.requests("PUT")) == 1
        (told,) = one.told
        assert told.startswith(f"note: `{server.url}` is only read in this run: it answered {status}")
        assert one.fetch() == CONTENTS

    @pytest.mark.parametrize("status", ["401", "403"])
    def test_a_refused_read_is_told_and_ends_it(self, machine: Machines, server: Server, status: str) -> None:
        server.mood = lambda _method, _path: status
        one = machine(server.url)
        assert one.fetch() is None
        assert one.fetch(OTHER) is None
        assert len(server.asked) == 1
        assert f"it answered {status}" in one.told[0]

    def test_who_may_only_read_writes_nothing(self, machine: Machines, server: Server) -> None:
        machine(server.url).compile()
        server.asked.clear()
        one = machine(server.url, writes=False)
        one.compile(OTHER)
        assert one.fetch() == CONTENTS
        assert server.requests("PUT") == []

    @pytest.mark.parametrize(("policy", "severity"), [("ignore", "warning"), ("local", "warning"), ("all", "error")])
    def test_write_errors_of_shared_stores(self, machine: Machines, server: Server, policy: str, severity: str) -> None:
        server.mood = lambda _method, _path: "500"
        one = machine(server.url, write_errors=policy)
        one.compile()
        assert [told.partition(":")[0] for told in one.told] == [severity]

    @pytest.mark.parametrize(("policy", "severity"), [("ignore", "warning"), ("local", "error"), ("all", "error")])
    def test_write_errors_of_the_local_store(self, tmp_path: Path, policy: str, severity: str) -> None:
        (tmp_path / "v1").write_text("a file where the store should be")
        one = Machine(tmp_path, write_errors=policy)
        one.store.put(KEY, CONTENTS, FACTS)
        assert one.told[-1].startswith(f"{severity}: ")
        assert ("was not stored" in one.told[-1]) == (severity == "error")


class TestSeveral:
    def test_a_hit_fills_the_nearer_ones(self, machine: Machines, server: Server, tmp_path: Path) -> None:
        near = tmp_path / "near"
        near.mkdir()
        machine(server.url).compile()
        one = machine(near.as_uri(), server.url)
        assert one.fetch() == CONTENTS
        one.store.flush()
        server.asked.clear()
        assert machine(near.as_uri(), server.url).fetch() == CONTENTS
        assert server.asked == []

    def test_what_is_compiled_goes_to_all(self, machine: Machines, server: Server, tmp_path: Path) -> None:
        near = tmp_path / "near"
        near.mkdir()
        machine(near.as_uri(), server.url).compile()
        assert machine(near.as_uri()).fetch() == CONTENTS
        assert machine(server.url).fetch() == CONTENTS

    def test_a_sick_one_does_not_hide_the_next(self, machine: Machines, server: Server) -> None:
        machine(server.url).compile()
        one = machine(nobody(), server.url)
        assert one.fetch() == CONTENTS
        assert len(one.told) == 1

    def test_hits_are_counted_by_store_and_over_runs(self, machine: Machines, server: Server, tmp_path: Path) -> None:
        near = tmp_path / "near"
        near.mkdir()
        machine(server.url).compile()
        one = machine(near.as_uri(), server.url)
        for key in (KEY, OTHER):
            assert one.store.get(key) is None
            one.fetch(key)
        one.store.flush()
        one.fetch("ef" * 32)
        one.store.flush()
        counts = tally.read(one.store)
        assert list(counts) == ["local", near.as_uri(), server.url]
        assert (counts["local"].hits, counts["local"].misses) == (0, 2)
        assert (counts[near.as_uri()].misses, counts[near.as_uri()].uploads) == (3, 1)
        assert (counts[server.url].hits, counts[server.url].misses, counts[server.url].errors) == (1, 2, 0)

    def test_counts_that_cannot_be_read_start_anew(self, machine: Machines, server: Server) -> None:
        one = machine(server.url)
        for text in (b"", b"[]", b'{"local": {"hits": "x"}}', b"\xff"):
            os.makedirs(one.store.root, exist_ok=True)
            Path(one.store.root, "tiers").write_bytes(text)
            one.fetch()
            one.store.flush()
            assert tally.read(one.store)[server.url].misses == 1

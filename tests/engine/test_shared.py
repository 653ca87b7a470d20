"""Two checkouts on two machines with one shared store: the second compiles nothing, and takes nothing from a liar."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgetpu_build.engine.build import build
from edgetpu_build.engine.outcome import Outcome
from edgetpu_build.store import Blob, Record
from edgetpu_build.store.remote import action, tally
from tests.support.project import Yard, codes, states, unit
from tests.support.server import Server, serving, silence

CONFIG = """
[tool.edgetpu]
out-dir = "built"
[tool.edgetpu.models.a]
source = "a.tflite"
[tool.edgetpu.models.b]
source = "b.tflite"
[tool.edgetpu.models.cut]
source = "c.tflite"
segments = 3
[tool.edgetpu.models.auto]
source = "d.tflite"
segments = "auto"
[tool.edgetpu.groups.both]
models = ["a", "b"]
"""
EVERY = {"both", "cut", "auto"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "GITHUB_EVENT_NAME", "CI_PIPELINE_SOURCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("edgetpu_build.store.remote.SECONDS", 60.0)
    with serving() as server:
        yield server


class Machine:
    """A checkout, and a cache folder of its own."""

    def __init__(self, folder: Path, url: str, config: str = CONFIG) -> None:
        self.yard = Yard.at(folder)
        self.env = {"EDGETPU_BUILD_CACHE_DIR": str(folder / "cache"), "EDGETPU_BUILD_REMOTE_CACHE": url}
        self.yard.config(config)
        for name in "abcd":
            self.yard.write(f"{name}.tflite", name * 50)

    def build(self, *names: str, env: dict[str, str] | None = None, **options: Any) -> Outcome:
        return build(self.yard.project(**self.env, **(env or {})), names, **options)

    @property
    def counts(self) -> dict[str, tally.Counts]:
        return tally.read(self.yard.project(**self.env).store)


@pytest.fixture
def first(tmp_path: Path, server: Server) -> Machine:
    one = Machine(tmp_path / "first", server.url)
    assert set(states(one.build()).values()) == {"compiled"}
    return one


@pytest.fixture
def second(tmp_path: Path, server: Server, first: Machine) -> Machine:
    """Another path, an empty cache."""
    return Machine(tmp_path / "elsewhere" / "second", server.url)


class TestTwoMachines:
    def test_the_second_compiles_nothing(self, first: Machine, second: Machine) -> None:
        outcome = second.build()
        assert states(outcome) == dict.fromkeys(EVERY, "cached")
        assert codes(outcome) == []
        assert second.yard.compiles == []
        assert second.yard.files == first.yard.files
        assert all(second.yard.read(path) == first.yard.read(path) for path in first.yard.files)

    def test_figures_and_placement_come_with_it(self, first: Machine, second: Machine) -> None:
        ours, theirs = unit(second.build(), "cut"), unit(first.build(force=True), "cut")
        assert ours.members[0].figures == theirs.members[0].figures
        assert ours.members[0].operators == theirs.members[0].operators

    def test_a_frozen_build_may_take_it(self, first: Machine, second: Machine) -> None:
        second.yard.write("edgetpu.lock", first.yard.read("edgetpu.lock"))
        outcome = second.build(frozen=True)
        assert states(outcome) == dict.fromkeys(EVERY, "cached")
        assert second.yard.compiles == []

    def test_in_parallel(self, second: Machine) -> None:
        assert states(second.build(jobs=4)) == dict.fromkeys(EVERY, "cached")

    def test_what_is_fresh_or_in_the_local_store_is_not_asked_for(self, first: Machine, server: Server) -> None:
        server.asked.clear()
        first.build()
        (first.yard.root / "built" / "a_edgetpu.tflite").unlink()
        assert states(first.build())["both"] == "cached"
        assert server.asked == []

    def test_a_unit_that_nobody_has_is_asked_for_once_and_shared(self, second: Machine, server: Server) -> None:
        second.build()
        second.yard.write("a.tflite", "new" * 50)
        server.asked.clear()
        assert states(second.build())["both"] == "compiled"
        assert len(server.requests("GET")) == 1
        assert len(server.requests("PUT")) == 3

    def test_hits_are_counted(self, second: Machine, server: Server) -> None:
        second.build()
        assert (second.counts["local"].misses, second.counts[server.url].hits) == (3, 3)

    def test_it_serves_the_next_build_after_a_loss(self, second: Machine, server: Server) -> None:
        second.build()
        server.asked.clear()
        (second.yard.root / "edgetpu.lock").unlink()
        assert set(states(second.build()).values()) == {"cached"}
        assert server.asked == []


class TestTrust:
    @pytest.mark.parametrize(
        "job", [("GITHUB_EVENT_NAME", "pull_request"), ("CI_PIPELINE_SOURCE", "merge_request_event")]
    )
    def test_a_pull_request_reads_only(self, second: Machine, server: Server, job: tuple[str, str]) -> None:
        second.yard.write("a.tflite", "proposed" * 20)
        server.asked.clear()
        outcome = second.build(env=dict([job]))
        assert states(outcome) == {"both": "compiled", "cut": "cached", "auto": "cached"}
        assert server.requests("PUT") == []

    def test_unless_it_is_said_to_be_trusted(self, second: Machine, server: Server) -> None:
        second.yard.write("a.tflite", "proposed" * 20)
        server.asked.clear()
        second.build(env={"GITHUB_EVENT_NAME": "pull_request", "EDGETPU_BUILD_REMOTE_MODE": "read-write"})
        assert len(server.requests("PUT")) == 3


def facts(change: Callable[[dict[str, Any]], object]) -> Callable[[Record], Record]:
    def changed(record: Record) -> Record:
        copy = json.loads(json.dumps(record.facts))
        change(copy)
        return Record(record.fingerprint, record.blobs, copy)

    return changed


def more_blobs(*names: str) -> Callable[[Record], Record]:
    return lambda record: Record(
        record.fingerprint,
        record.blobs + tuple(Blob(name, record.blobs[0].sha256, record.blobs[0].size) for name in names),
        record.facts,
    )


LIES: dict[str, Callable[[Record], Record]] = {
    "a file more": more_blobs("0/extra"),
    "a member more": facts(lambda f: f["members"].append(f["members"][0])),
    "no members": facts(lambda f: f.update(members=[])),
    "another compiler": facts(lambda f: f["compiler"].update(identity="stand-in 9")),
    "for silicon": facts(lambda f: f["compiler"].update(target="edgetpu")),
    "a compiler of no name": facts(lambda f: f["compiler"].update(name="evil")),
    "an error among the warnings": facts(
        lambda f: f["warnings"].append({"code": "ETB701", "message": "boo", "severity": "error"})
    ),
    "a warning of no code": facts(lambda f: f["warnings"].append({"code": 7, "message": "boo", "severity": "note"})),
    "a log that is no text": facts(lambda f: f["members"][0].update(logs=[{}])),
    "a digest that is not of it": facts(lambda f: f["members"][0].update(masked=["ab" * 32])),
    "figures that are text": facts(
        lambda f: f["members"][0]["figures"].update(off_chip={"value": "much", "confidence": "exact"})
    ),
    "figures of no known confidence": facts(
        lambda f: f["members"][0]["figures"].update(off_chip={"value": 1, "confidence": "sure"})
    ),
    "operators elsewhere": facts(lambda f: f["members"][0]["operators"][0].__setitem__(2, "gpu")),
    "facts that are a list": facts(lambda f: f.update(members=[[]])),
    "no facts": facts(lambda f: f.clear()),
}


class TestLiars:
    @pytest.mark.parametrize("lie", LIES)
    def test_what_the_unit_does_not_make_is_not_taken(
        self, first: Machine, second: Machine, server: Server, lie: str
    ) -> None:
        fingerprint = unit(first.build(), "both").fingerprint
        path = f"/ac/{fingerprint}"
        record = action.decode(server.kept[path], fingerprint)
        assert record
        server.kept[path] = action.encode(LIES[lie](record))
        outcome = second.build()
        assert states(outcome) == {"both": "compiled", "cut": "cached", "auto": "cached"}
        assert codes(outcome) == ["ETB507"]
        assert outcome.exit_code == 0
        assert second.yard.files == first.yard.files

    @pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "0/../../evil", "C:/evil"])
    def test_names_that_lead_elsewhere_write_nothing(
        self, first: Machine, second: Machine, server: Server, tmp_path: Path, name: str
    ) -> None:
        fingerprint = unit(first.build(), "both").fingerprint
        path = f"/ac/{fingerprint}"
        own = b"0/artifact"
        assert len(own) == 10
        server.kept[path] = server.kept[path].replace(own, name.encode().ljust(10, b"x")[:10])
        before = {str(found) for found in tmp_path.rglob("*")}
        assert states(second.build())["both"] == "compiled"
        new = {str(found) for found in tmp_path.rglob("*")} - before
        assert all(str(second.yard.root.parent) in found for found in new)
        assert second.yard.files == first.yard.files

    def test_too_few_segments(self, first: Machine, second: Machine, server: Server) -> None:
        fingerprint = unit(first.build(), "cut").fingerprint
        record = action.decode(server.kept[f"/ac/{fingerprint}"], fingerprint)
        assert record
        whole = json.loads(json.dumps(record.facts))
        for part in ("segments", "masked", "logs"):
            whole["members"][0][part].pop()
        server.kept[f"/ac/{fingerprint}"] = action.encode(Record(fingerprint, record.blobs[:-1], whole))
        assert states(second.build())["cut"] == "compiled"


class TestCost:
    def test_a_build_without_shared_stores_loads_none_of_it(self, tmp_path: Path) -> None:
        one = Machine(tmp_path, "")
        script = (
            "import os, sys; from pathlib import Path; from edgetpu_build.engine.project import Project\n"
            "from edgetpu_build.engine.build import build; from dataclasses import replace\n"
            "from tests.support.backend import StandIn\n"
            "build(replace(Project.load(Path.cwd(), os.environ), backend=StandIn(log='log')))\n"
            "found = [n for n in sys.modules if n in ('http.client', 'urllib.request', 'ssl', 'socket', 'obstore')\n"
            "  or n.startswith('edgetpu_build.store.remote') or n == 'edgetpu_build.engine.stranger']\n"
            "assert not found, found"
        )
        env = {**os.environ, **one.env, "PYTHONPATH": str(Path(__file__).parents[2])}
        subprocess.run([sys.executable, "-c", script], cwd=one.yard.root, env=env, check=True)
        assert (one.yard.root / "built" / "a_edgetpu.tflite").exists()

    def test_a_build_with_one_loads_nothing_while_all_is_fresh(self, first: Machine) -> None:
        project = first.yard.project(**first.env)
        assert states(build(project)) == dict.fromkeys(EVERY, "fresh")
        assert project.store._tiers is None

    @pytest.mark.slow
    def test_silence_costs_two_seconds_in_all(self, tmp_path: Path) -> None:
        """Two silent stores, forty units, as a command: against the same build without them."""
        took = {}
        with silence() as one, silence() as other:
            for name, url in (("without", ""), ("with", f"{one},{other}")):
                machine = Machine(tmp_path / name, url, '[tool.edgetpu.models.m]\nsource = "m*.tflite"\n')
                for number in range(40):
                    machine.yard.write(f"m{number}.tflite", f"model {number}")
                started = time.monotonic()
                outcome = machine.build(jobs=2)
                took[name] = time.monotonic() - started
                assert set(states(outcome).values()) == {"compiled"}
            assert codes(outcome) == ["ETB507"]
        assert took["with"] - took["without"] < 2 + 3  # the rest is for a busy machine

"""What goes over the wire besides the bytes: who we say that we are, to whom, and by which way."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgetpu_build.store import Remote, Store
from edgetpu_build.store.remote import credentials
from tests.store.remote.conftest import KEY, Machine, Machines
from tests.support.server import Server

BASIC = "Basic YW5uYTpzZWNyZXQ="


def sent(server: Server) -> str | None:
    return server.headers[-1].get("Authorization")


def with_user(server: Server) -> str:
    return server.url.replace("//", "//anna:secret@")


class TestCredentials:
    def test_a_token_goes_to_the_address_of_the_environment(self, machine: Machines, server: Server) -> None:
        one = machine(server.url, env={"EDGETPU_BUILD_REMOTE_TOKEN": "t0ken"})
        one.compile()
        assert {headers.get("Authorization") for headers in server.headers} == {"Bearer t0ken"}

    def test_and_to_no_address_of_a_file(self, tmp_path: Path, server: Server) -> None:
        env = {"EDGETPU_BUILD_REMOTE_TOKEN": "t0ken", "HOME": str(tmp_path)}
        store = Store(str(tmp_path / "v1"), remotes=[Remote(server.url, writes=True)], env=env)
        assert store.tiers
        store.tiers.fetch(KEY, lambda *_: None)
        store.flush()
        assert sent(server) is None

    def test_name_and_password_in_the_url(self, machine: Machines, server: Server) -> None:
        one = machine(with_user(server))
        one.fetch()
        assert sent(server) == BASIC
        assert [tier.name for tier in one.store.tiers.tiers] == [server.url] if one.store.tiers else False

    @pytest.mark.parametrize("place", ["NETRC", "HOME"])
    def test_netrc(self, machine: Machines, server: Server, tmp_path: Path, place: str) -> None:
        netrc = tmp_path / (".netrc" if place == "HOME" else "elsewhere")
        netrc.write_text("machine 127.0.0.1 login anna password secret\n")
        netrc.chmod(0o600)
        value = tmp_path if place == "HOME" else netrc
        machine(server.url, env={place: str(value)}).fetch()
        assert sent(server) == BASIC

    def test_a_netrc_that_cannot_be_read_is_none(self, machine: Machines, server: Server, tmp_path: Path) -> None:
        (tmp_path / ".netrc").write_text("machine\n\x00 what")
        machine(server.url, env={"HOME": str(tmp_path)}).fetch()
        assert sent(server) is None

    def test_secrets_are_in_no_message(self, machine: Machines, server: Server) -> None:
        server.mood = lambda _method, _path: "500"
        one = machine(with_user(server), env={"EDGETPU_BUILD_REMOTE_TOKEN": "t0ken"})
        one.fetch()
        one.store.flush()
        told = " ".join(one.told) + Path(one.store.root, "tiers").read_text()
        assert "secret" not in told
        assert "anna" not in told
        assert "t0ken" not in told

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("https://a:b@host:1/x/?token=c#d", "https://host:1/x"),
            ("s3://bucket/prefix/", "s3://bucket/prefix"),
            ("file:///a/b", "file:///a/b"),
        ],
    )
    def test_shown(self, url: str, shown: str) -> None:
        assert credentials.without_secrets(url) == shown


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch, machine: Machines, server: Server) -> None:
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//anna:secret@"))
    one: Machine = machine("http://cache.invalid:81/base")
    assert one.fetch() is None
    assert server.asked == [f"GET http://cache.invalid:81/base/ac/{KEY}"]
    assert server.headers[0]["Proxy-Authorization"] == BASIC
    assert server.headers[0]["Host"] == "cache.invalid:81"
    assert one.told == []


def test_a_proxy_is_left_alone_where_the_environment_says_so(
    monkeypatch: pytest.MonkeyPatch, machine: Machines, server: Server
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.invalid")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    machine(server.url).fetch()
    assert server.asked == [f"GET /ac/{KEY}"]

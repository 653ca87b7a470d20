"""An object store behind obstore: moto's S3 server, one for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.store.remote.conftest import CONTENTS, KEY, Machines
from tests.support.server import nobody, silence

obstore = pytest.importorskip("obstore", reason="obstore is not installed")

S3 = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "us-east-1",
}


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = pytest.importorskip("moto.server", reason="moto's server is not installed").ThreadedMotoServer(
        ip_address="127.0.0.1", port=0, verbose=False
    )
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


@pytest.fixture
def bucket(moto: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A bucket of this test's own."""
    from moto.s3.models import s3_backends

    name = request.node.name.replace("_", "-")
    s3_backends["123456789012"]["aws"].create_bucket(name, "us-east-1")
    aim(monkeypatch, moto)
    return f"s3://{name}"


def aim(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    for name, value in {**S3, "AWS_ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.slow
def test_two_machines(machine: Machines, bucket: str) -> None:
    first = machine(bucket + "/pre/fix", env=environment())
    assert first.fetch() is None
    first.compile()
    second = machine(bucket + "/pre/fix", env=environment())
    assert second.fetch() == CONTENTS
    assert first.told + second.told == []
    keys = {entry["path"] for batch in obstore.list(store(bucket)) for entry in batch}
    assert f"pre/fix/ac/{KEY}" in keys


@pytest.mark.slow
def test_a_bucket_that_is_not_there(machine: Machines, bucket: str) -> None:
    one = machine("s3://no-such-bucket", env=environment())
    one.fetch()
    one.compile()
    assert len(one.told) == 1


@pytest.mark.usefixtures("impatient")
def test_nobody_and_silence_end_like_anywhere_else(machine: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    aim(monkeypatch, nobody())
    assert machine("s3://bucket", env=environment()).fetch() is None
    with silence() as url:
        aim(monkeypatch, url)
        one = machine("s3://bucket", env=environment())
        assert one.fetch() is None
        assert one.fetch("cd" * 32) is None
    assert len(one.told) == 1


def test_without_obstore_the_extra_is_named(machine: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "obstore", None)
    one = machine("gs://bucket")
    assert one.fetch() is None
    assert "`pip install 'edgetpu-build[remote]'`" in one.told[0]


def environment() -> dict[str, str]:
    import os

    return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


def store(bucket: str) -> object:
    return obstore.store.from_url(bucket, client_options={"allow_http": True})

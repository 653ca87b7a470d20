"""nginx with its WebDAV module, as docs/how-to/share-the-cache.md sets it up: the configuration is taken from there."""

from __future__ import annotations

import hashlib
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.remote.conftest import CONTENTS, KEY, Machines

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "share-the-cache.md"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
FRAME = """
pid {folder}/pid; error_log {folder}/error.log; worker_processes 1; daemon off; {user}
events {{ }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  {servers}
}}
"""


def configuration(folder: Path, port: int) -> str:
    """The page's own server block, on another port and in another folder."""
    (block,) = re.findall(r"```nginx\n(.*?)```", PAGE.read_text(), re.DOTALL)
    block = block.replace("listen 8080;", f"listen 127.0.0.1:{port};").replace("/srv/edgetpu-cache", f"{folder}/data")
    assert str(port) in block
    assert f"{folder}/data" in block
    user = "user root;" if Path("/root").exists() and folder.stat().st_uid == 0 else ""
    return FRAME.format(folder=folder, servers=block, user=user)


def speaks_dav() -> bool:
    if NGINX is None:
        return False
    said = subprocess.run([NGINX, "-V"], capture_output=True, text=True, check=False).stderr
    return "http_dav_module" in said


pytestmark = pytest.mark.skipif(not speaks_dav(), reason="nginx with WebDAV is not installed")


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "nginx"
    (folder / "data").mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "nginx.conf").write_text(configuration(folder, port))
    assert NGINX
    process = subprocess.Popen([NGINX, "-p", str(folder), "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"])
    try:
        wait_for(port, process, folder)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def wait_for(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    while True:
        assert process.poll() is None, (folder / "error.log").read_text()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            continue
        return


def test_two_machines(machine: Machines, nginx: str, tmp_path: Path) -> None:
    first = machine(nginx)
    assert first.fetch() is None
    first.compile()
    second = machine(nginx)
    assert second.fetch() == CONTENTS
    assert first.told + second.told == []
    digest = hashlib.sha256(CONTENTS["0/artifact"]).hexdigest()
    assert (tmp_path / "nginx" / "data" / "cas" / digest).read_bytes() == CONTENTS["0/artifact"]


def test_damage_on_its_disk_is_seen(machine: Machines, nginx: str, tmp_path: Path) -> None:
    machine(nginx).compile()
    digest = hashlib.sha256(CONTENTS["0/artifact"]).hexdigest()
    blob = tmp_path / "nginx" / "data" / "cas" / digest
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    one = machine(nginx)
    assert one.fetch() is None
    assert "not what its name says" in one.told[0]


def test_a_large_blob(machine: Machines, nginx: str) -> None:
    large = {"0/artifact": bytes(range(256)) * (24 << 10)}
    machine(nginx).compile(KEY, large)
    second = machine(nginx)
    assert second.fetch() == large
    second.compile(KEY, large)
    assert second.told == []

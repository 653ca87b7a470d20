"""A cache server on loopback that behaves well until it is told not to: what tests of shared stores talk to.

It keeps what is put in ``kept`` by path and lists requests in ``asked``. ``mood`` is a function from (method, path) to
the name of a misbehaviour, "" for none. Misbehaviours end when the server is closed, never by time.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Mood = Callable[[str, str], str]


def well(_method: str, _path: str) -> str:
    return ""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kept: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.connections = 0
        self.mood: Mood = well
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def requests(self, method: str) -> list[str]:
        return [path for verb, path in map(str.split, self.asked) if verb == method]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that had enough are what is tested."""


@contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()


@contextmanager
def silence() -> Iterator[str]:
    """The address of a socket that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def nobody() -> str:
    """An address that refuses connections."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's word
        pass

    def _answer(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        self.server.headers.append(dict(self.headers))
        mood = self.server.mood(self.command, self.path)
        if mood == "hang":
            self.server.closing.wait()
        elif mood.isdigit():
            self._body()
            self._send(int(mood), b"no")
        elif mood:
            self._body()
            getattr(self, f"_{mood}")(self.server.kept.get(self.path, b""))
        elif self.command == "PUT":
            self.server.kept[self.path] = self._body()
            self._send(201, b"")
        else:
            data = self.server.kept.get(self.path)
            self._send(404 if data is None else 200, data or b"")

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(self, status: int, data: bytes, length: int | None = None, **more: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        for name, value in more.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _drip(self, data: bytes) -> None:
        """A byte now and then, for ever."""
        self._send(200, b"", 1 << 20)
        while not self.server.closing.wait(0.02):
            self.wfile.write(b"x")

    def _drip_head(self, _data: bytes) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self.server.closing.wait(0.02):
            self.wfile.write(b"x")

    def _short(self, data: bytes) -> None:
        """Less than was announced."""
        self._send(200, data[: len(data) // 2], len(data))
        self.close_connection = True

    def _long(self, data: bytes) -> None:
        """More than was announced, and than there should be."""
        self._send(200, data + b"more", len(data) + 4)

    def _huge(self, _data: bytes) -> None:
        self._send(200, b"", 1 << 40)

    def _endless(self, _data: bytes) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        while not self.server.closing.is_set():
            self.wfile.write(b"x" * (1 << 20))

    def _flipped(self, data: bytes) -> None:
        self._send(200, data[:-1] + bytes([data[-1] ^ 1]) if data else b"x")

    def _garbage(self, _data: bytes) -> None:
        self.wfile.write(b"\x00\x01 this is no HTTP\r\n\r\n")
        self.close_connection = True

    def _bye(self, _data: bytes) -> None:
        """Not a word."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def _redirect(self, _data: bytes) -> None:
        self._send(302, b"", Location=f"{self.server.url}/elsewhere{self.path}")

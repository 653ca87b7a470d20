"""The plain HTTP layout of Bazel's remote cache: GET, HEAD and PUT of ``/ac/<fingerprint>`` and ``/cas/<sha256>``.

Connections are kept and shared by threads. Redirects are not followed: they would take our credentials, and our
models, where nobody told us to.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from edgetpu_build import __version__
from edgetpu_build.store.remote.place import PIECE, Kind, Progress, RefusedError, TroubleError

_REFUSALS = {401, 403, 405, 407}
_MISSING = {404, 410}
_STORED = {200, 201, 202, 204}
_SOCKET_TIMEOUT = 60.0
"""Seconds until a thread that nobody waits for any more ends."""


class Web:
    """``url``: everything before ``/ac`` and ``/cas``. ``authorization``: the header's value, "" for none."""

    def __init__(self, url: str, authorization: str) -> None:
        self._url = urlsplit(url)
        self._base = self._url.path.rstrip("/")
        self._headers = {"User-Agent": f"edgetpu-build/{__version__}", "Accept-Encoding": "identity"}
        if authorization:
            self._headers["Authorization"] = authorization
        self._proxy = _proxy_of(self._url)
        if self._proxy and self._url.scheme == "http":
            self._headers |= _proxy_headers(self._proxy)
        self._idle: list[http.client.HTTPConnection] = []
        self._busy: set[http.client.HTTPConnection] = set()

    def get(self, kind: Kind, digest: str, most: int, progress: Progress) -> bytes | None:
        status, data = self._request("GET", kind, digest, progress, most=most)
        if status in _MISSING:
            return None
        self._expect(status, {200})
        return data

    def has(self, kind: Kind, digest: str, progress: Progress) -> bool:
        return self._request("HEAD", kind, digest, progress)[0] == 200

    def put(self, kind: Kind, digest: str, data: bytes, progress: Progress) -> None:
        self._expect(self._request("PUT", kind, digest, progress, data=data)[0], _STORED)

    def close(self) -> None:
        """Wakes those that still wait for an answer; each closes its own."""
        for connection in list(self._busy):
            with suppress(OSError, AttributeError):  # not connected yet, or not any more
                connection.sock.shutdown(socket.SHUT_RDWR)
        while self._idle:
            self._idle.pop().close()

    def _expect(self, status: int, wanted: set[int]) -> None:
        if status in wanted:
            return
        said = f"it answered {status} {http.client.responses.get(status, '')}".rstrip()
        if status in _REFUSALS:
            raise RefusedError(said)
        if 300 <= status < 400:
            raise TroubleError(f"{said}; redirects are not followed", final=True)
        raise TroubleError(said)

    def _request(
        self, method: str, kind: Kind, digest: str, progress: Progress, *, data: bytes = b"", most: int = PIECE
    ) -> tuple[int, bytes]:
        """Status and body. A kept connection that the server has closed meanwhile is no trouble: it is tried anew."""
        while True:
            kept = bool(self._idle)
            connection = self._idle.pop() if kept else self._connect()
            self._busy.add(connection)
            try:
                path = f"{self._base}/{kind}/{digest}"
                answer = self._ask(connection, method, path, data=data, most=most, progress=progress)
            except (http.client.HTTPException, OSError, ValueError) as failure:
                connection.close()
                if not kept or not isinstance(failure, ConnectionError):
                    raise _told(failure) from failure
            except TroubleError:
                connection.close()
                raise
            else:
                self._idle.append(connection)
                return answer
            finally:
                self._busy.discard(connection)

    def _ask(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        *,
        data: bytes,
        most: int,
        progress: Progress,
    ) -> tuple[int, bytes]:
        target = path if self._proxy is None or self._url.scheme == "https" else f"http://{self._url.netloc}{path}"
        headers = self._headers | ({"Content-Length": str(len(data))} if method == "PUT" else {})
        with suppress(BrokenPipeError, ConnectionResetError):  # a refusal may come before all is sent
            connection.request(method, target, _pieces(data, progress) if data else None, headers)
        with connection.getresponse() as response:
            if response.status == 200 and response.length is not None and response.length > most:
                raise TroubleError(f"it answered with {response.length} bytes, more than there should be")
            return response.status, _read(response, most, progress)

    def _connect(self) -> http.client.HTTPConnection:
        at = self._proxy or self._url
        options: dict[str, Any] = {"timeout": _SOCKET_TIMEOUT}
        if self._url.scheme == "https":
            options["context"] = ssl.create_default_context()
            connection = http.client.HTTPSConnection(at.hostname or "", at.port, **options)
            if self._proxy:
                connection.set_tunnel(self._url.hostname or "", self._url.port or 443, _proxy_headers(self._proxy))
            return connection
        return http.client.HTTPConnection(at.hostname or "", at.port, **options)


def _read(response: http.client.HTTPResponse, most: int, progress: Progress) -> bytes:
    """The body; TroubleError beyond ``most`` bytes, HTTPException if fewer come than were announced."""
    read = bytearray()
    while piece := response.read1(PIECE):
        progress(len(piece))
        read += piece
        if len(read) > most:
            raise TroubleError(f"it answered with more than {most} bytes")
    if response.length:
        raise http.client.IncompleteRead(bytes(read), response.length)
    return bytes(read)


def _pieces(data: bytes, progress: Progress) -> Iterator[bytes]:
    for at in range(0, len(data), PIECE):
        piece = data[at : at + PIECE]
        yield piece
        progress(len(piece))


def _proxy_of(url: SplitResult) -> SplitResult | None:
    """The proxy that the environment (or the system) names for this address."""
    proxy = getproxies().get(url.scheme)
    if not proxy or proxy_bypass(url.hostname or ""):
        return None
    return urlsplit(proxy if "://" in proxy else f"http://{proxy}")


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    from edgetpu_build.store.remote.credentials import basic

    return {"Proxy-Authorization": basic(proxy.username, proxy.password or "")} if proxy.username else {}


def _told(failure: Exception) -> TroubleError:
    nobody = isinstance(failure, (ConnectionRefusedError, ssl.SSLError)) or type(failure).__name__ == "gaierror"
    if isinstance(failure, http.client.IncompleteRead):
        return TroubleError("its answer ended early")
    if isinstance(failure, (http.client.HTTPException, ValueError)):
        return TroubleError(f"its answer is not HTTP ({type(failure).__name__})")
    reason = getattr(failure, "strerror", None) or str(failure) or type(failure).__name__
    return TroubleError(str(reason), final=nobody)

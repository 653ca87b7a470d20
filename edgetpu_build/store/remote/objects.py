"""Object stores (`s3://`, `gs://`, `az://`) through obstore, an extra. Keys are the same as over HTTP, below the URL's
path. Credentials are found as obstore finds them: in the environment, or by the machine's role.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from edgetpu_build.store.remote.place import PIECE, Kind, Progress, RefusedError, TroubleError

_Answer = TypeVar("_Answer")
_RETRIES: Any = {"max_retries": 1, "retry_timeout": timedelta(seconds=2)}


class Objects:
    """One bucket (or container), below a prefix. TroubleError, final, where obstore is not installed."""

    def __init__(self, url: str, env: Any) -> None:
        try:
            import obstore
            from obstore import exceptions, store
        except ImportError as failure:
            message = "object stores need obstore: `pip install 'edgetpu-build[remote]'`"
            raise TroubleError(message, final=True) from failure
        self._obstore: Any = obstore
        self._refusals = (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError)
        self._troubles = (exceptions.BaseError, OSError, ValueError)
        self._store: Any = self._do(
            lambda: store.from_url(
                url,
                client_options={"allow_http": _allows_http(env), "user_agent": "edgetpu-build"},
                retry_config=_RETRIES,
            )
        )

    def get(self, kind: Kind, digest: str, most: int, progress: Progress) -> bytes | None:
        def read() -> bytes | None:
            try:
                found = self._obstore.get(self._store, f"{kind}/{digest}")
            except FileNotFoundError:
                return None
            if found.meta["size"] > most:
                raise TroubleError(f"`{kind}/{digest}` is larger than it should be")
            data = bytearray()
            for piece in found.stream(min_chunk_size=PIECE):
                data += piece
                progress(len(piece))
            return bytes(data)

        return self._do(read)

    def has(self, kind: Kind, digest: str, progress: Progress) -> bool:
        def head() -> bool:
            try:
                self._obstore.head(self._store, f"{kind}/{digest}")
            except FileNotFoundError:
                return False
            return True

        return self._do(head)

    def put(self, kind: Kind, digest: str, data: bytes, progress: Progress) -> None:
        def write() -> None:
            self._obstore.put(self._store, f"{kind}/{digest}", data, use_multipart=False)
            progress(len(data))

        self._do(write)

    def close(self) -> None:
        """Nothing is kept open."""

    def _do(self, act: Callable[[], _Answer]) -> _Answer:
        try:
            return act()
        except self._refusals as failure:
            raise RefusedError(_first_line(failure)) from failure
        except self._troubles as failure:
            raise TroubleError(_first_line(failure)) from failure


def _allows_http(env: Any) -> bool:
    """As the stores' own tools: an endpoint without TLS is taken where somebody set one."""
    return any(name.startswith("AWS_ENDPOINT") and value.startswith("http://") for name, value in env.items())


def _first_line(failure: BaseException) -> str:
    text = str(failure).strip() or type(failure).__name__
    return text.splitlines()[0][:200]

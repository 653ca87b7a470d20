"""A shared folder (`file://`): the same names as over HTTP, so a web server may serve it too."""

from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit

from edgetpu_build import files
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.store.remote.place import PIECE, Kind, Progress, RefusedError, TroubleError


class Folder:
    """The folder must be there: one that is not mounted must not be written to."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost"):
            raise TroubleError(f"`file://{parts.netloc}` names another machine; a path begins with a third `/`")
        self.root = unquote(parts.path)

    def get(self, kind: Kind, digest: str, most: int, progress: Progress) -> bytes | None:
        try:
            with open(self._path(kind, digest), "rb") as file:
                read = bytearray()
                while piece := file.read(PIECE):
                    read += piece
                    progress(len(piece))
                    if len(read) > most:
                        raise TroubleError(f"`{file.name}` is larger than it should be")
                return bytes(read)
        except FileNotFoundError:
            self._check()
            return None
        except OSError as failure:
            raise TroubleError(failure.strerror or str(failure)) from failure

    def has(self, kind: Kind, digest: str, progress: Progress) -> bool:
        """Never: a torn file would stay for ever, and writing looks at what is there anyway."""
        return False

    def put(self, kind: Kind, digest: str, data: bytes, progress: Progress) -> None:
        self._check()
        try:
            files.write_atomic(self._path(kind, digest), data, durable=False)
        except EdgeTpuBuildError as failure:
            message = failure.diagnostics[0].message
            if isinstance(failure.__cause__, PermissionError):
                raise RefusedError(message) from failure
            raise TroubleError(message) from failure

    def close(self) -> None:
        """Nothing is kept open."""

    def _path(self, kind: Kind, digest: str) -> str:
        return f"{self.root}/{kind}/{digest}"

    def _check(self) -> None:
        if not os.path.isdir(self.root):
            raise TroubleError(f"there is no folder `{self.root}`", final=True)

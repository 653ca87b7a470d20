"""One shared store as a build sees it: what it has, or nothing. What goes wrong with it is told once, and counted."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgetpu_build.store.record import Blob, DamagedError, Record
from edgetpu_build.store.remote import action
from edgetpu_build.store.remote.patience import Patience
from edgetpu_build.store.remote.place import Kind, Place, Progress, RefusedError, TroubleError

LARGEST_RECORD = 16 << 20
LARGEST_BLOB = 1 << 30
"""Bytes; whoever claims more is not believed."""
WORTH_ASKING = 1 << 20
"""Bytes from which a blob is asked for before it is sent."""
FORGIVEN = 2
"""Troubles in a row after which the next one ends it."""

Contents = Mapping[str, bytes]
Tell = Callable[[str, str], None]
"""Called with what happened and whether it was "read", "write" or "note"."""


@dataclass(slots=True)
class Counts:
    """Lookups by their end, and units sent. An error is no miss: it hides an outage otherwise."""

    hits: int = 0
    misses: int = 0
    errors: int = 0
    uploads: int = 0


class Tier:
    """``name`` is its URL without secrets. ``place`` is opened when first asked. Threads may share a tier."""

    def __init__(self, name: str, place: Callable[[], Place], *, writes: bool, patience: Patience, tell: Tell) -> None:
        self.name, self.writes, self.counts = name, writes, Counts()
        self._open, self._patience, self._tell = place, patience, tell
        self._place: Place | None = None
        self._lock = threading.Lock()
        self._row = 0
        self._sent: set[str] = set()

    @property
    def usable(self) -> bool:
        return not self._patience.over

    def get(self, fingerprint: str, known: Callable[[Blob], bytes | None]) -> tuple[Record, Contents] | None:
        """A whole unit, every byte checked, or None. Blobs that ``known`` has are not fetched.

        Counts a miss or an error; a hit is counted by whoever finds it good.
        """
        if not self.usable:
            return None
        try:
            found = self._unit(fingerprint, known)
        except DamagedError as failure:
            self.trouble(f"what it has for {fingerprint[:12]}… is damaged: {failure}")
            return None
        except (TroubleError, RefusedError) as failure:
            self._failed(failure, "read")
            return None
        if found is None:
            self.count(misses=1)
        return found

    def put(self, record: Record, read: Callable[[Blob], bytes | None]) -> None:
        """Blobs, then the record: whoever finds it finds them. A blob that is gone meanwhile ends it."""
        if not self.usable or not self.writes:
            return
        try:
            for blob in record.blobs:
                if blob.sha256 in self._sent or (blob.size >= WORTH_ASKING and self._has(blob)):
                    continue
                data = read(blob)
                if data is None or blob.size > LARGEST_BLOB:
                    return
                self._put("cas", blob.sha256, data)
                self._sent.add(blob.sha256)
            self._put("ac", record.fingerprint, action.encode(record))
        except RefusedError as failure:
            self.writes = False
            self._tell(f"`{self.name}` is only read in this run: {failure}", "note")
        except TroubleError as failure:
            self._failed(failure, "write")
        else:
            self.count(uploads=1)

    def count(self, *, hits: int = 0, misses: int = 0, errors: int = 0, uploads: int = 0) -> None:
        with self._lock:
            self.counts.hits += hits
            self.counts.misses += misses
            self.counts.errors += errors
            self.counts.uploads += uploads
            self._row = self._row + errors if errors else 0

    def trouble(self, message: str, doing: str = "read", *, final: bool = False) -> None:
        """Say it, count it, and give the store up when it is one too many."""
        self.count(errors=1)
        if final or self._row > FORGIVEN:
            self._patience.end()
            self.close()
        self._tell(f"shared store `{self.name}`: {message}", doing)

    def close(self) -> None:
        """Let go of connections."""
        if self._place:
            self._place.close()

    def _failed(self, failure: Exception, doing: str) -> None:
        final = isinstance(failure, RefusedError) or (isinstance(failure, TroubleError) and failure.final)
        self.trouble(str(failure), doing, final=final)

    def _unit(self, fingerprint: str, known: Callable[[Blob], bytes | None]) -> tuple[Record, Contents] | None:
        data = self._get("ac", fingerprint, LARGEST_RECORD)
        record = None if data is None else action.decode(data, fingerprint)
        if record is None:
            return None
        contents = {}
        for blob in record.blobs:
            found = known(blob)
            if found is None:
                found = self._blob(blob)
            if found is None:
                return None
            contents[blob.name] = found
        return record, contents

    def _blob(self, blob: Blob) -> bytes | None:
        if not 0 <= blob.size <= LARGEST_BLOB:
            raise DamagedError(f"a file of {blob.size} bytes")
        data = self._get("cas", blob.sha256, blob.size)
        if data is not None and (len(data) != blob.size or hashlib.sha256(data).hexdigest() != blob.sha256):
            raise DamagedError("the content of a file is not what its name says")
        return data

    def _get(self, kind: Kind, digest: str, most: int) -> bytes | None:
        return self._patience.ask(lambda progress: self._opened().get(kind, digest, most, progress))

    def _has(self, blob: Blob) -> bool:
        return self._patience.ask(lambda progress: self._opened().has("cas", blob.sha256, progress))

    def _put(self, kind: Kind, digest: str, data: bytes) -> None:
        def put(progress: Progress) -> None:
            self._opened().put(kind, digest, data, progress)

        self._patience.ask(put)

    def _opened(self) -> Place:
        with self._lock:
            if self._place is None:
                self._place = self._open()
            return self._place

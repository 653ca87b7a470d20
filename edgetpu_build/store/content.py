"""The store itself: records and blobs, put and got. Whatever it gives back is what was put, or it is a miss.

Blobs are written before the record that names them; a record's own digest, and the digest of each blob, are checked
when they are read. What does not hold is set aside in ``quarantine/`` and counts as a miss. No trouble of the store
fails a build: it is told once in ``warnings``, and work goes on without.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from edgetpu_build import files
from edgetpu_build.errors import Diagnostic, EdgeTpuBuildError, error, warning
from edgetpu_build.store import layout
from edgetpu_build.store.locks import Locks
from edgetpu_build.store.record import Blob, DamagedError, Record, decode, encode
from edgetpu_build.units import SIZES, parse_size

if TYPE_CHECKING:
    from edgetpu_build.store.remote import Tiers

DEFAULT_LIMIT = 2 << 30
Clock = Callable[[], float]
WriteErrors = Literal["ignore", "local", "all"]
"""Whose failure to keep a unit is an error: nobody's, the local store's, or a shared one's, too."""


@dataclass(slots=True)
class Counters:
    """What this process asked of the store: records found and not found, damage met, units put."""

    hits: int = 0
    misses: int = 0
    bad: int = 0
    puts: int = 0


class Remote(NamedTuple):
    """A shared store as it is asked for. ``from_env``: its URL stands in the environment, where secrets may."""

    url: str
    writes: bool
    from_env: bool = False


class Store:
    """One store. ``root`` is the folder of the layout's version, made when something is first put into it.

    ``limit`` is in bytes. ``clock`` gives seconds since 1970 and decides which entries are old, nothing else. Threads
    may share a store. ``remotes``: the shared stores behind it, nearest first; ``env``: who we are to them.
    """

    def __init__(
        self,
        root: str,
        *,
        limit: int = DEFAULT_LIMIT,
        clock: Clock = time.time,
        remotes: Sequence[Remote] = (),
        env: Mapping[str, str] | None = None,
        write_errors: WriteErrors = "ignore",
    ) -> None:
        self.root = root
        self.folder = os.path.dirname(root)
        self.limit = limit
        self.clock = clock
        self.counters = Counters()
        self.locks = Locks(f"{self.root}/locks", self._no_locks)
        self._warnings: dict[str, Diagnostic] = {}
        self._remotes, self._env, self._write_errors = tuple(remotes), env or {}, write_errors
        self._tiers: Tiers | None = None
        self._opening = threading.Lock()

    @property
    def tiers(self) -> Tiers | None:
        """The shared stores, None without any; what speaks to them is loaded when it is first needed."""
        if self._tiers is None and self._remotes:
            with self._opening:
                if self._tiers is None:
                    from edgetpu_build.store.remote import open_tiers

                    self._tiers = open_tiers(self, self._remotes, self._env)
        return self._tiers

    def flush(self) -> None:
        """Send what is to be shared, if anything is, now that the build has done its own work. Never fails."""
        if self._tiers:
            self._tiers.flush()

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What went wrong with the store so far: the first damage, and the first other trouble."""
        return tuple(self._warnings.values())

    def get(self, fingerprint: str) -> Record | None:
        """The record of a unit if it is whole: it parses, its digest holds, every blob is there. Marks it as used."""
        record = self.peek(fingerprint)
        if record is None:
            self.counters.misses += 1
            return None
        self.counters.hits += 1
        self._stamp(self.record_path(fingerprint))
        return record

    def read(self, blob: Blob) -> bytes | None:
        """The bytes of a blob, its digest checked; None if they are gone or damaged."""
        path = self.blob_path(blob)
        data = self._read(path)
        if data is None:
            return None
        if len(data) == blob.size and hashlib.sha256(data).hexdigest() == blob.sha256:
            return data
        self.set_aside(path, "its content is not what its name says")
        return None

    def put(
        self, fingerprint: str, contents: Mapping[str, bytes], facts: Mapping[str, Any], *, durable: bool = True
    ) -> Record:
        """Keep a whole unit: blobs, then record. The record is returned also when it could not be kept.

        ``facts`` comes back as JSON has it. ValueError for a fingerprint that is not 64 hexadecimal digits, or a name
        that is not plain. What is not ``durable``, since it can be had again, may be damage after a power cut.
        """
        blobs = tuple(Blob(name, hashlib.sha256(data).hexdigest(), len(data)) for name, data in contents.items())
        encoded = encode(Record(fingerprint, blobs, facts))
        try:
            with self.locks.shared():
                self._sign()
                for blob, data in zip(blobs, contents.values(), strict=True):
                    self._keep(self.blob_path(blob), data, 0o444, durable=durable)
                self._keep(self.record_path(fingerprint), encoded, 0o644, durable=durable)
        except EdgeTpuBuildError as failure:
            self._cannot_write(failure)
        else:
            self._stamp(self.record_path(fingerprint))
            self.counters.puts += 1
        record = decode(encoded, fingerprint)
        assert record is not None  # noqa: S101 - of the format that this module writes
        return record

    @contextmanager
    def exclusive(self, fingerprint: str, blocked: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold this around "get again, compile, put": of several builds that want the same unit, one compiles it.

        ``blocked`` is called once if another build has it. Where there are no locks, everybody goes ahead.
        """
        puts = self.counters.puts
        with self.locks.shared(), self.locks.unit(fingerprint, blocked):
            yield
        if self.counters.puts != puts:
            from edgetpu_build.store.maintenance import maintain

            maintain(self)

    def record_path(self, fingerprint: str) -> str:
        return layout.path_in(self.root, "ac", fingerprint)

    def blob_path(self, blob: Blob) -> str:
        return layout.path_in(self.root, "cas", blob.sha256)

    def set_aside(self, path: str, reason: str) -> None:
        """Move what is damaged out of the way, and say so once a run."""
        self.counters.bad += 1
        self._warn(
            "ETB505", f"`{path}` was damaged ({reason}) and is not used", "`edgetpu-build cache verify` looks further"
        )
        with suppress(EdgeTpuBuildError):
            files.move(path, f"{self.root}/quarantine/{os.path.basename(path)}.{os.urandom(4).hex()}")

    def peek(self, fingerprint: str) -> Record | None:
        """As ``get``, but neither counted nor marked as used."""
        path = self.record_path(fingerprint)
        data = self._read(path)
        if data is None:
            return None
        try:
            record = decode(data, fingerprint)
        except DamagedError as failure:
            self.set_aside(path, str(failure))
            return None
        return record if record and all(map(self._there, record.blobs)) else None

    def _there(self, blob: Blob) -> bool:
        path = self.blob_path(blob)
        try:
            there = os.stat(path)
        except OSError:
            return False
        if there.st_size == blob.size and stat.S_ISREG(there.st_mode):
            return True
        self.set_aside(path, "its size is not what the record says")
        return False

    def _read(self, path: str) -> bytes | None:
        try:
            return files.read_bytes(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as failure:
            self.counters.bad += 1
            self._warn("ETB506", f"`{path}` in the store cannot be read: {failure.strerror}")
            return None

    def _keep(self, path: str, data: bytes, mode: int, *, durable: bool) -> None:
        if os.path.isdir(path):
            self.set_aside(path, "a folder where a file belongs")
        files.write_atomic(path, data, mode=mode, durable=durable)

    def _sign(self) -> None:
        """The signposts, where they are missing; what is kept does not depend on them."""
        if not os.path.exists(f"{self.folder}/CACHEDIR.TAG"):
            with suppress(EdgeTpuBuildError):
                for name, text in layout.SIGNPOSTS.items():
                    files.write_atomic(f"{self.folder}/{name}", text, durable=False)

    def _stamp(self, path: str) -> None:
        now = self.clock()
        with suppress(OSError):
            os.utime(path, (now, now))

    def _cannot_write(self, failure: EdgeTpuBuildError) -> None:
        told = failure.diagnostics[0]
        wrong = self._write_errors != "ignore"
        self._warn("ETB506", f"a compiled unit was not stored: {told.message}", told.hint, wrong=wrong)

    def shared_trouble(self, message: str, doing: str) -> None:
        """Say it, once a run: what a shared store did when it was ``doing`` a "read" or "write", or a "note" on it."""
        if doing == "note":
            self._warnings.setdefault(doing, Diagnostic(code="ETB507", message=message, severity="note"))
        else:
            hint = "the build goes on without it; `edgetpu-build cache stats` counts errors"
            self._warn("ETB507", message, hint, wrong=doing == "write" and self._write_errors == "all")

    def _no_locks(self, failure: OSError) -> None:
        if os.access(self.root, os.W_OK):
            message = f"the store's file system gives no locks ({failure.strerror})"
            self._warn("ETB506", message, "two builds at the same time may compile the same unit twice")

    def _warn(self, code: str, message: str, hint: str = "", *, wrong: bool = False) -> None:
        told = warning(code, message, hint)
        self._warnings.setdefault(f"{code} {wrong}", replace(told, severity="error") if wrong else told)


def open_store(
    env: Mapping[str, str],
    *,
    clock: Clock = time.time,
    remotes: Sequence[Remote] = (),
    write_errors: WriteErrors = "ignore",
) -> Store:
    """The store that the environment names; nothing is read or written yet. ETB205 for a size that is none."""
    size = env.get("EDGETPU_BUILD_CACHE_SIZE", "")
    limit = size_limit(size, "EDGETPU_BUILD_CACHE_SIZE") if size else DEFAULT_LIMIT
    return Store(layout.root_of(env), limit=limit, clock=clock, remotes=remotes, env=env, write_errors=write_errors)


def size_limit(text: str, asked_by: str) -> int:
    """Bytes of "2147483648" or "2048 MiB". ETB205, naming who asked, for anything else."""
    if text.isdecimal():
        return int(text)
    try:
        return parse_size(text)
    except ValueError:
        allowed = f"a number of bytes, or one followed by {' '.join(SIZES)}"
        raise error("ETB205", f"`{asked_by}` is `{text}`; allowed: {allowed}") from None

"""Keeping the store small and right: figures, eviction, clearing, checking. Nothing here runs on the way of a build,
but for ``maintain``, at most once an hour.

Time serves for one thing: which entry was used last. A stamp in the future counts as the oldest: the clock went back.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from edgetpu_build import files
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.store import layout
from edgetpu_build.store.content import Store
from edgetpu_build.store.record import DamagedError, decode

HOUR = 3600.0
USELESS = -1.0
_ASIDE = {"quarantine": files.DAY, "projects": 90 * files.DAY, "bugs": 90 * files.DAY}  # folder -> seconds kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What the store holds. ``bytes`` is that of blobs and records together; times are seconds since 1970, or None."""

    folder: str
    records: int
    blobs: int
    bytes: int
    limit: int
    quarantined: int
    projects: int
    oldest_use: float | None
    newest_use: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What a clean-up took away, and the ``bytes`` that it freed."""

    records: int = 0
    blobs: int = 0
    others: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A file of the store that is not what it should be. ``repaired``: it was set aside."""

    path: str
    problem: str
    repaired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    records: int
    blobs: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    path: str
    used: float
    size: int
    blobs: frozenset[str]


def stats(store: Store) -> Stats:
    """Count what is there. Changes nothing, takes no lock, never fails."""
    records, blobs = _found(store, "ac"), _found(store, "cas")
    now = store.clock()
    uses = [there.st_mtime for there in records.values() if there.st_mtime <= now]
    return Stats(
        folder=store.folder,
        records=len(records),
        blobs=len(blobs),
        bytes=sum(there.st_size for there in (*records.values(), *blobs.values())),
        limit=store.limit,
        quarantined=len(layout.scan(f"{store.root}/quarantine")),
        projects=len(layout.scan(f"{store.root}/projects")),
        oldest_use=min(uses, default=None),
        newest_use=max(uses, default=None),
    )


def maintain(store: Store) -> Removed | None:
    """Prune to the store's limit if that was not looked at within the hour and no build is at it. Never fails.

    Below the limit no record is read, so it costs a build little also in a large store.
    """
    mark = f"{store.root}/maintained"
    now = store.clock()
    with suppress(OSError):
        if 0 <= now - os.stat(mark).st_mtime < HOUR:
            return None
    with store.locks.whole(wait=False) as held, suppress(OSError, EdgeTpuBuildError):
        if held == "busy":
            return None
        files.write_atomic(mark, b"", durable=False)
        os.utime(mark, (now, now))
        if stats(store).bytes > store.limit:
            return _prune(store, store.limit, certain=held == "held")
        return Removed(others=_sweep(store))
    return None


def prune(store: Store, limit: int | None = None, blocked: Callable[[], None] | None = None) -> Removed:
    """Remove what no record needs, then the entries used longest ago, until ``limit`` bytes or fewer are left.

    Waits for running builds (``blocked`` is called first). Raises ETB501 where something cannot be removed.
    """
    with store.locks.whole(wait=True, blocked=blocked) as held:
        return _prune(store, store.limit if limit is None else limit, certain=held == "held")


def keep_only(store: Store, fingerprints: Iterable[str], blocked: Callable[[], None] | None = None) -> Removed:
    """Remove every record but these, and what else no later run of a CI job needs: projects, reports, damage.

    Waits for running builds. Raises ETB501.
    """
    kept = frozenset(fingerprints)
    with store.locks.whole(wait=True, blocked=blocked):
        dropped = [(entry.path, entry.stat().st_size) for entry in _files(store, "ac") if entry.name not in kept]
        freed = sum(size for path, size in dropped if files.remove(path))
        others = sum(_remove_tree(entry) for folder in _ASIDE for entry in layout.scan(f"{store.root}/{folder}"))
        rest = _prune(store, store.limit, certain=True)
    return Removed(
        records=len(dropped) + rest.records, blobs=rest.blobs, others=others + rest.others, bytes=freed + rest.bytes
    )


def clear(store: Store, blocked: Callable[[], None] | None = None) -> Removed:
    """Remove everything but the lock files. Waits for running builds. Raises ETB501."""
    with store.locks.whole(wait=True, blocked=blocked):
        everything = _prune(store, -1, certain=True)
        rest = (entry for folder in (*layout.KINDS, *_ASIDE) for entry in layout.scan(f"{store.root}/{folder}"))
        others = sum(_remove_tree(entry) for entry in rest) + files.remove(f"{store.root}/tiers")
    return Removed(
        records=everything.records, blobs=everything.blobs, others=everything.others + others, bytes=everything.bytes
    )


def verify(store: Store, *, repair: bool = False) -> Verification:
    """Read every byte and check it against its name or its record. With ``repair``, set aside what does not hold."""
    findings = []
    counts = Counter[str]()
    for kind, problem_of in (("cas", _blob_problem), ("ac", _record_problem)):
        for entry in layout.entries(store.root, kind):
            if entry.name.startswith(files.TEMP_PREFIX):
                continue
            counts[kind] += 1
            if problem := problem_of(store, entry):
                findings.append(Finding(path=entry.path, problem=problem, repaired=repair and _repair(store, entry)))
    return Verification(records=counts["ac"], blobs=counts["cas"], findings=tuple(findings))


def _prune(store: Store, limit: int, *, certain: bool) -> Removed:
    """``certain``: no other process stores anything now, so a blob without a record is a left-over at any age."""
    others = _sweep(store)
    kept = sorted(_records(store), key=lambda entry: (-entry.used, entry.path))
    sizes = {digest: there.st_size for digest, there in _found(store, "cas").items()}
    needed = Counter(digest for entry in kept for digest in entry.blobs)
    orphans = [digest for digest in sizes if digest not in needed and (certain or _is_old(store, digest))]
    total = sum(sizes.values()) + sum(entry.size for entry in kept)
    freed = records = blobs = 0

    def drop(digests: Iterable[str]) -> None:
        nonlocal freed, blobs
        for digest in digests:
            files.remove(layout.path_in(store.root, "cas", digest))
            freed, blobs = freed + sizes[digest], blobs + 1

    drop(orphans)
    while kept and (total - freed > limit or kept[-1].used == USELESS):
        entry = kept.pop()
        files.remove(entry.path)
        freed, records = freed + entry.size, records + 1
        needed.subtract(entry.blobs)
        drop(digest for digest in entry.blobs if not needed[digest] and digest in sizes)
    return Removed(records=records, blobs=blobs, others=others, bytes=freed)


def _records(store: Store) -> Iterator[_Entry]:
    """Every record. One that is damaged or cannot be read serves nobody: it counts as the least used."""
    now = store.clock()
    for entry in _files(store, "ac"):
        with suppress(OSError):
            there, needs = entry.stat(), _needs(entry)
            used = USELESS if needs is None else there.st_mtime if there.st_mtime <= now else 0.0
            yield _Entry(entry.path, used, there.st_size, needs or frozenset())


def _needs(entry: os.DirEntry[str]) -> frozenset[str] | None:
    """The digests that a record names; None if it is of no use."""
    try:
        record = decode(files.read_bytes(entry.path), entry.name)
    except (OSError, DamagedError):
        return None
    return frozenset(blob.sha256 for blob in record.blobs) if record else frozenset()


def _files(store: Store, kind: str) -> Iterator[os.DirEntry[str]]:
    for entry in layout.entries(store.root, kind):
        if layout.is_digest(entry.name) and entry.is_file(follow_symlinks=False):
            yield entry


def _found(store: Store, kind: str) -> dict[str, os.stat_result]:
    found = {}
    for entry in _files(store, kind):
        with suppress(OSError):
            found[entry.name] = entry.stat()
    return found


def _is_old(store: Store, digest: str) -> bool:
    try:
        return abs(store.clock() - os.stat(layout.path_in(store.root, "cas", digest)).st_mtime) > files.DAY
    except OSError:
        return False


def _sweep(store: Store) -> int:
    """Old temporary files anywhere, and what has lain aside, unchanged, for its time."""
    now = store.clock()
    shards = [shard.path for kind in layout.KINDS for shard in layout.scan(f"{store.root}/{kind}")]
    projects = [project.path for project in layout.scan(f"{store.root}/projects")]
    swept = sum(files.sweep_temps(folder, now=now) for folder in (store.folder, store.root, *shards, *projects))
    aside = ((entry, kept) for folder, kept in _ASIDE.items() for entry in layout.scan(f"{store.root}/{folder}"))
    return swept + sum(_remove_tree(entry) for entry, kept in aside if _age(entry, now) > kept)


def _age(entry: os.DirEntry[str], now: float) -> float:
    """Seconds since a file, or the youngest in a folder, was changed or moved (a rename keeps the content's time)."""
    try:
        there = entry.stat(follow_symlinks=False)
    except OSError:
        return 0.0
    inner = layout.scan(entry.path) if stat.S_ISDIR(there.st_mode) else ()
    return min([now - max(there.st_mtime, there.st_ctime), *(_age(one, now) for one in inner)])


def _remove_tree(entry: os.DirEntry[str]) -> int:
    """Remove a file or folder; the number of files removed."""
    if not entry.is_dir(follow_symlinks=False):
        return int(files.remove(entry.path))
    removed = sum(_remove_tree(inner) for inner in layout.scan(entry.path))
    with suppress(OSError):
        os.rmdir(entry.path)
    return removed


def _blob_problem(store: Store, entry: os.DirEntry[str]) -> str:
    data, problem = _content(entry)
    if data is not None and hashlib.sha256(data).hexdigest() != entry.name:
        return "its content is not what its name says"
    return problem


def _record_problem(store: Store, entry: os.DirEntry[str]) -> str:
    data, problem = _content(entry)
    if data is None:
        return problem
    try:
        record = decode(data, entry.name)
    except DamagedError as failure:
        return str(failure)
    for blob in record.blobs if record else ():
        if not os.path.exists(store.blob_path(blob)):
            return f"blob {blob.sha256} of it is missing"
    return ""


def _content(entry: os.DirEntry[str]) -> tuple[bytes | None, str]:
    """The bytes, or what is wrong with the file itself; neither if it is gone by now."""
    if not layout.is_digest(entry.name) or entry.path.split("/")[-2] != entry.name[:2]:
        return None, "not a file of the store"
    if not stat.S_ISREG(os.lstat(entry.path).st_mode):
        return None, "not a regular file"
    try:
        return files.read_bytes(entry.path), ""
    except FileNotFoundError:
        return None, ""
    except OSError as failure:
        return None, f"cannot be read: {failure.strerror}"


def _repair(store: Store, entry: os.DirEntry[str]) -> bool:
    store.set_aside(entry.path, "found by verify")
    return not os.path.lexists(entry.path)

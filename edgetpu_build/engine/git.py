"""What git knows, asked of git itself: locks of earlier commits, what the index holds, what is ignored.

The environment is left as it is: under `git commit FILE` git points us to another index than its own. A project that is
not in a repository, or a machine without git, answers None.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

LFS_HEAD = b"version https://git-lfs.github.com/spec/"
LFS_MOST = 1024


class Entry(NamedTuple):
    """A file in the index: its blob and mode."""

    oid: str
    mode: str


def show(root: Path, rev: str, path: str, env: Mapping[str, str]) -> bytes | None:
    """A file of the project as it is in ``rev`` ("" for the index); None if it is not there."""
    return _git(root, env, "cat-file", "blob", f"{rev}:./{path}")


def is_commit(root: Path, rev: str, env: Mapping[str, str]) -> bool:
    return _git(root, env, "rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}") is not None


def has_repository(root: Path, env: Mapping[str, str]) -> bool:
    return _git(root, env, "rev-parse", "--git-dir") is not None


def listing(root: Path, env: Mapping[str, str]) -> bytes | None:
    """What git says of the index below the project. None outside of a repository."""
    return _git(root, env, "ls-files", "--stage", "-z", "--", ".")


def index(listed: bytes) -> dict[str, Entry]:
    """Everything in a listing, by path relative to the project."""
    entries = {}
    for row in listed.split(b"\0")[:-1]:
        head, _, name = row.partition(b"\t")
        mode, oid, _stage = head.decode().split(" ")
        entries[os.fsdecode(name)] = Entry(oid, mode)
    return entries


def blobs(root: Path, oids: Iterable[str], env: Mapping[str, str]) -> dict[str, bytes]:
    """The content of blobs, in one call; those that git does not have are left out."""
    wanted = list(dict.fromkeys(oids))
    answer = _git(root, env, "cat-file", "--batch", stdin="".join(f"{oid}\n" for oid in wanted).encode())
    found, rest = {}, memoryview(answer or b"")
    while rest:
        head, _, _ = bytes(rest[:200]).partition(b"\n")
        oid, kind, *size = head.decode().split(" ")
        rest = rest[len(head) + 1 :]
        if kind != "missing":
            found[oid] = bytes(rest[: int(size[0])])
            rest = rest[int(size[0]) + 1 :]
    return found


def ignored(root: Path, paths: Iterable[str], env: Mapping[str, str]) -> frozenset[str] | None:
    """Which of these paths git ignores; None outside of a repository."""
    names = b"".join(os.fsencode(path) + b"\0" for path in paths)
    answer = _git(root, env, "check-ignore", "-z", "--stdin", stdin=names, accept=(0, 1))
    return None if answer is None else frozenset(map(os.fsdecode, answer.split(b"\0")[:-1]))


def lfs_oid(data: bytes) -> str | None:
    """The SHA-256 that a Git LFS pointer stands for; None if these bytes are none."""
    if len(data) > LFS_MOST or not data.startswith(LFS_HEAD):
        return None
    for line in data.split(b"\n"):
        if line.startswith(b"oid sha256:"):
            return line[len(b"oid sha256:") :].decode("ascii", "replace").strip()
    return None


def _git(
    root: Path, env: Mapping[str, str], *arguments: str, stdin: bytes = b"", accept: tuple[int, ...] = (0,)
) -> bytes | None:
    import subprocess

    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, env=dict(env), input=stdin, capture_output=True, check=False
        )
    except OSError:
        return None
    return done.stdout if done.returncode in accept else None

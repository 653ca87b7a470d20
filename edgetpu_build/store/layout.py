"""Where the store is, and which file is where in it. Layout version 1:

    CACHEDIR.TAG  .gitignore  README.txt   for backup programs, for git, for people
    v1/cas/<2 hex>/<sha256>                a blob: the bytes whose SHA-256 is its name, mode 0444
    v1/ac/<2 hex>/<fingerprint>            a record: what one unit compiled to (grammar: ``record.py``)
    v1/locks/<name>.lock                   empty, never removed: only ever locked (``locks.py``)
    v1/quarantine/<name>.<8 hex>           what was found damaged, kept for a day
    v1/projects/<16 hex>/                  what is known of one checkout (``state.py``)
    v1/bugs/                               reports of crashes of ours (written by the command line)
    v1/tiers                               how often each store had what was asked for (``remote/tally.py``)
    v1/maintained                          empty; its time is that of the last clean-up

A layout that an older version could not use gets a folder of its own, so versions share a machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from edgetpu_build import noop

KINDS = ("cas", "ac")
_HEX = frozenset("0123456789abcdef")

SIGNPOSTS = {
    ".gitignore": b"*\n",
    "README.txt": b"Compiled Edge TPU models, kept so that they need not be compiled again.\n"
    b"Safe to delete at any time. `edgetpu-build cache stats` says what is here,\n"
    b"`edgetpu-build cache prune` and `edgetpu-build cache clear` make room.\n",
    "CACHEDIR.TAG": b"Signature: 8a477f597d28d172789f06886806bc55\n"
    b"# This file marks a cache folder of edgetpu-build. See https://bford.info/cachedir/\n",
}


def root_of(env: Mapping[str, str]) -> str:
    """The folder of this layout's version: the one that the environment asks for, else in the user's cache.

    ``noop`` is the one source of it: the build with nothing to do finds a project's folder without importing this.
    """
    return os.path.dirname(os.path.dirname(noop.state_dir("", env)))


def is_digest(name: str) -> bool:
    """Whether a name is that of a blob or record: 64 lower-case hexadecimal digits."""
    return len(name) == 64 and _HEX.issuperset(name)


def is_plain_name(name: str) -> bool:
    """Whether a record may give an output this name: relative, POSIX, going nowhere but down."""
    parts = name.split("/")
    return not ({"", ".", ".."} & set(parts)) and "\\" not in name and name.isprintable() and name[1:2] != ":"


def path_in(root: str, kind: str, digest: str) -> str:
    return f"{root}/{kind}/{digest[:2]}/{digest}"


def entries(root: str, kind: str) -> Iterator[os.DirEntry[str]]:
    """Everything that lies where blobs (``cas``) or records (``ac``) belong, strangers included, in no order."""
    for shard in scan(f"{root}/{kind}"):
        yield from scan(shard.path)


def scan(folder: str) -> list[os.DirEntry[str]]:
    """The entries of a folder; none if it cannot be listed."""
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []

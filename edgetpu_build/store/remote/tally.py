"""How often each store had what was asked for, over all builds that have a shared one.

``v1/tiers`` is one JSON object: name of the store -> {"hits", "misses", "errors", "uploads"}. One that cannot be read
counts as empty.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from edgetpu_build import files
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.store.remote.tier import Counts

if TYPE_CHECKING:
    from edgetpu_build.store.content import Store

LOCAL = "local"
_NAMES = tuple(field.name for field in fields(Counts))


def read(store: Store) -> dict[str, Counts]:
    """The local store first, then the others as they were first met."""
    try:
        kept = json.loads(files.read_bytes(_path(store)))
        return {name: Counts(**{word: int(counts[word]) for word in _NAMES}) for name, counts in kept.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def add(store: Store, counts: Mapping[str, Counts]) -> None:
    """Builds at the same time are counted one after the other."""
    with store.locks.tally(), suppress(EdgeTpuBuildError):
        kept = read(store)
        for name, more in counts.items():
            old = kept.get(name, Counts())
            kept[name] = Counts(**{word: getattr(old, word) + getattr(more, word) for word in _NAMES})
        told = {name: asdict(found) for name, found in kept.items()}
        files.write_atomic(_path(store), json.dumps(told, indent=1).encode() + b"\n", durable=False)


def _path(store: Store) -> str:
    return f"{store.root}/tiers"

"""How files get into a wheel or sdist, and the proof that they did.

hatchling reads the names in ``build_data["artifacts"]`` as gitignore patterns: a file called ``br[ab].tflite`` would be
left out in silence. So names are escaped and anchored, and the finished archive is opened again.
"""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_SPECIAL = frozenset("\\*?[]!# ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """``path``: in the project, POSIX. ``inside``: in the archive (below NAME-VERSION/ in an sdist)."""

    path: str
    inside: str
    sha256: str


def pattern(path: str) -> str:
    """The gitignore pattern that matches exactly this path."""
    return "/" + "".join(f"\\{c}" if c in _SPECIAL else c for c in path)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def missing(archive: Path, entries: Iterable[Entry]) -> tuple[str, ...]:
    """Which entries the archive lacks or holds with other bytes: ``INSIDE (absent)``, ``INSIDE (differs)``."""
    wanted = {entry.inside: entry.sha256 for entry in entries}
    found = dict(_digests(archive, wanted))
    verdicts = {
        name: "absent" if name not in found else "differs" for name in wanted if found.get(name) != wanted[name]
    }
    return tuple(f"{name} ({verdict})" for name, verdict in verdicts.items())


def _digests(archive: Path, wanted: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as wheel:
            for name in set(wheel.namelist()) & wanted.keys():
                yield name, hashlib.sha256(wheel.read(name)).hexdigest()
        return
    with tarfile.open(archive) as sdist:
        for member in sdist:
            name = member.name.partition("/")[2]
            content = sdist.extractfile(member) if name in wanted else None
            if content:
                yield name, hashlib.sha256(content.read()).hexdigest()

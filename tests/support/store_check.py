"""What must hold of a store at any moment, also after a kill. Written from the layout's words, not from its code."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

TEMP = ".edgetpu-tmp-"
_SHARD = re.compile(r"[0-9a-f]{2}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_OTHER_FORMAT = re.compile(rb"edgetpu-build record (?!1 )[0-9]+ ")


def problems(folder: Path) -> list[str]:
    """Everything wrong with the store in ``folder`` (the one that holds ``v1``); temporary files are not."""
    root = folder / "v1"
    return [*_blobs(root / "cas"), *_records(root)]


def temps(folder: Path) -> list[Path]:
    """Temporary files at any depth."""
    return [path for path in folder.rglob(TEMP + "*") if path.is_file()]


def records(folder: Path) -> dict[str, dict[str, str]]:
    """Fingerprint -> output name -> sha256 of every record."""
    found = {}
    for path in _files(folder / "v1" / "ac"):
        body = json.loads(path.read_bytes().split(b"\n", 1)[1])
        found[path.name] = {name: sha256 for name, sha256, _ in body["blobs"]}
    return found


def _files(kind: Path) -> list[Path]:
    return [path for path in kind.rglob("*") if not path.is_dir() and not path.name.startswith(TEMP)]


def _blobs(cas: Path) -> list[str]:
    found = []
    for path in _files(cas):
        if not _well_named(path, cas):
            found.append(f"{path}: not a blob's name")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != path.name:
            found.append(f"{path}: not the bytes of its name")
    return found


def _records(root: Path) -> list[str]:
    found = []
    for path in _files(root / "ac"):
        head, _, body = path.read_bytes().partition(b"\n")
        if not _well_named(path, root / "ac"):
            found.append(f"{path}: not a record's name")
        elif _OTHER_FORMAT.match(head):
            continue
        elif head != b"edgetpu-build record 1 " + hashlib.sha256(body).hexdigest().encode():
            found.append(f"{path}: its head does not hold")
        else:
            found += [f"{path}: {problem}" for problem in _body_problems(root, path.name, json.loads(body))]
    return found


def _body_problems(root: Path, fingerprint: str, body: dict) -> list[str]:
    found = [] if body["fingerprint"] == fingerprint else ["another unit's"]
    for name, sha256, size in body["blobs"]:
        blob = root / "cas" / sha256[:2] / sha256
        if not blob.is_file() or blob.stat().st_size != size:
            found.append(f"blob of {name} is missing or of another size")
    return found


def _well_named(path: Path, kind: Path) -> bool:
    shard, name = path.relative_to(kind).parts[0], path.name
    return (
        path.parent.parent == kind and bool(_SHARD.fullmatch(shard) and _DIGEST.fullmatch(name)) and name[:2] == shard
    )

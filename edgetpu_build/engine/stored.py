"""What a compiler made <-> what the store keeps. A unit from the store and one just compiled are the same value.

Blobs are the artifacts, named ``MEMBER/artifact`` or ``MEMBER/segment/INDEX`` by position. Everything else is in the
record's facts (JSON): figures, placement, segments, logs, warnings, and the digests with the caching token masked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

from edgetpu_build.compiler.interface import Identity, MemberResult, OperatorResult, Result, SegmentResult
from edgetpu_build.engine.lockfile import LockedSegment
from edgetpu_build.errors import Diagnostic
from edgetpu_build.figure import Figures
from edgetpu_build.store import Blob, Record

Read = Callable[[Blob], bytes | None]


class Artifact(NamedTuple):
    """One file to publish. ``masked``: SHA-256 with the caching token zeroed. ``log``: text with its slots open."""

    data: bytes
    sha256: str
    masked: str
    log: str


class MadeMember(NamedTuple):
    """``artifacts``: one, or one a segment."""

    figures: Figures
    operators: tuple[OperatorResult, ...]
    artifacts: tuple[Artifact, ...]
    segments: tuple[LockedSegment, ...] = ()


class Made(NamedTuple):
    """A whole unit, members in order. ``reweighted``: SHA-256 of the artifact that it was made from, "" if compiled."""

    compiler: Identity
    members: tuple[MadeMember, ...]
    warnings: tuple[Diagnostic, ...] = ()
    reweighted: str = ""


def to_store(result: Result) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Contents by blob name, and facts."""
    contents: dict[str, bytes] = {}
    for position, member in enumerate(result.members):
        for name, piece in _pieces(member):
            contents[f"{position}/{name}"] = piece.artifact
    facts = {
        "compiler": asdict(result.compiler),
        "members": [_member_facts(member) for member in result.members],
        "warnings": [asdict(told) for told in (*result.warnings, *(w for m in result.members for w in m.warnings))],
    }
    return contents, facts


def from_store(record: Record, read: Read) -> Made | None:
    """The unit of a record; None if a blob cannot be read, or the facts are not as this version writes them."""
    blobs = {blob.name: blob for blob in record.blobs}
    try:
        members = [_member(position, facts, blobs, read) for position, facts in enumerate(record.facts["members"])]
        warnings = tuple(Diagnostic(**told) for told in record.facts["warnings"])
        compiler = Identity(**record.facts["compiler"])
        reweighted = str(record.facts.get("reweighted", ""))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    whole = tuple(member for member in members if member is not None)
    if len(whole) != len(members):
        return None
    return Made(compiler=compiler, members=whole, warnings=warnings, reweighted=reweighted)


def operators(record: Record) -> tuple[tuple[OperatorResult, ...], ...]:
    """Placement of each member, without reading an artifact; empty if the facts are of another version."""
    try:
        return tuple(_operators(facts["operators"]) for facts in record.facts["members"])
    except (KeyError, TypeError):
        return ()


def _pieces(member: MemberResult) -> Iterable[tuple[str, MemberResult | SegmentResult]]:
    if member.segments:
        return [(f"segment/{position}", segment) for position, segment in enumerate(member.segments)]
    return [("artifact", member)]


def _member_facts(member: MemberResult) -> dict[str, Any]:
    pieces = [piece for _, piece in _pieces(member)]
    return {
        "figures": member.figures.to_json(),
        "operators": [[getattr(op, name) for name in _OPERATOR] for op in member.operators],
        "masked": [masked(piece.artifact) for piece in pieces],
        "logs": [piece.log for piece in pieces],
        "segments": [
            {"index": s.index, "operators": list(s.operators), "figures": s.figures.to_json()} for s in member.segments
        ],
    }


_OPERATOR = ("index", "name", "target", "rule", "status", "reason", "hint", "follows")


def _operators(rows: Iterable[list[Any]]) -> tuple[OperatorResult, ...]:
    return tuple(OperatorResult(**dict(zip(_OPERATOR, row, strict=True))) for row in rows)


def _member(position: int, facts: Mapping[str, Any], blobs: Mapping[str, Blob], read: Read) -> MadeMember | None:
    pieces = [f"segment/{i}" for i in range(len(facts["segments"]))] or ["artifact"]
    artifacts = []
    for name, masked, log in zip(pieces, facts["masked"], facts["logs"], strict=True):
        blob = blobs[f"{position}/{name}"]
        data = read(blob)
        if data is None:
            return None
        artifacts.append(Artifact(data=data, sha256=blob.sha256, masked=masked, log=log))
    return MadeMember(
        figures=Figures.from_json(facts["figures"]),
        operators=_operators(facts["operators"]),
        artifacts=tuple(artifacts),
        segments=tuple(
            LockedSegment(index=s["index"], operators=tuple(s["operators"]), figures=Figures.from_json(s["figures"]))
            for s in facts["segments"]
        ),
    )


def masked(artifact: bytes) -> str:
    """ "" where no token is found: a file without Edge TPU operator, or of a kind that we do not read."""
    from edgetpu_build.compiler.package import mask_token
    from edgetpu_build.errors import EdgeTpuBuildError

    try:
        return hashlib.sha256(mask_token(artifact)).hexdigest()
    except (EdgeTpuBuildError, ValueError, NotImplementedError):
        return ""

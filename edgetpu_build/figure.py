"""A number and how sure we are of it, and the set of them that every compile yields.

``exact``: follows from a rule with no known exception, or was read from a compiled file. ``estimated``: a fit or a
guess. ``unknown``: no number at all (value None). The JSON form is the contract's: ``{"value", "confidence"}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

Confidence = Literal["exact", "estimated", "unknown"]
_RANK: dict[Confidence, int] = {"exact": 0, "estimated": 1, "unknown": 2}


@dataclass(frozen=True, slots=True)
class Figure:
    """``low`` and ``high`` bound an estimate where a range is known (same unit as ``value``)."""

    value: float | None = None
    confidence: Confidence = "unknown"
    low: float | None = None
    high: float | None = None

    def to_json(self) -> dict[str, Any]:
        """``{"value", "confidence"}`` and ``"range": [low, high]`` where one is known."""
        data: dict[str, Any] = {"value": self.value, "confidence": self.confidence}
        if self.low is not None or self.high is not None:
            data["range"] = [self.low, self.high]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Figure:
        low, high = data.get("range", (None, None))
        return cls(data["value"], data["confidence"], low, high)


UNKNOWN = Figure()


def exact(value: float) -> Figure:
    return Figure(value, "exact")


def estimated(value: float, low: float | None = None, high: float | None = None) -> Figure:
    return Figure(value, "estimated", low, high)


def total(figures: Iterable[Figure]) -> Figure:
    """The sum, as sure as the least sure of its parts; unknown if any part is."""
    parts = list(figures)
    confidence: Confidence = max((f.confidence for f in parts), key=_RANK.__getitem__, default="exact")
    if confidence == "unknown":
        return UNKNOWN
    return Figure(sum(f.value or 0 for f in parts), confidence)


def largest(figures: Iterable[Figure]) -> Figure:
    """The figure with the largest value; unknown if any is."""
    return max(figures, key=lambda f: float("inf") if f.value is None else f.value, default=UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a compile of one model (or segment) comes to. Bytes, but for counts and ``latency_ms``.

    ``on_chip_available`` (1.0) or what remains plus used, ``on_chip_used`` and ``off_chip`` are room in the tiles, as
    Google's compiler prints them; ``cached_bytes`` and ``streamed_bytes`` are parameter bytes in the artifact's
    PARAMETER_CACHING and EXECUTION_ONLY (or STAND_ALONE) executables.
    """

    on_chip_available: Figure = UNKNOWN
    on_chip_used: Figure = UNKNOWN
    off_chip: Figure = UNKNOWN
    cached_bytes: Figure = UNKNOWN
    streamed_bytes: Figure = UNKNOWN
    edgetpu_operators: Figure = UNKNOWN
    cpu_operators: Figure = UNKNOWN
    subgraphs: Figure = UNKNOWN
    runtime_version: Figure = UNKNOWN
    latency_ms: Figure = UNKNOWN

    def to_json(self) -> dict[str, Any]:
        """The contract's shape: the two operator counts stand together under ``operators``."""
        flat = {field.name: getattr(self, field.name).to_json() for field in fields(self)}
        edgetpu, cpu = flat.pop("edgetpu_operators"), flat.pop("cpu_operators")
        flat["operators"] = {"edgetpu": edgetpu, "cpu": cpu}
        return flat

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Figures:
        flat = {name: Figure.from_json(value) for name, value in data.items() if name != "operators"}
        counts = data.get("operators", {})
        flat |= {f"{side}_operators": Figure.from_json(value) for side, value in counts.items()}
        return cls(**flat)


def sum_up(parts: Sequence[Figures]) -> Figures:
    """Of a segmented model: the segments' figures added up; it asks for the newest runtime that any of them asks for,
    and is as fast as its slowest.
    """
    return Figures(
        on_chip_available=total(part.on_chip_available for part in parts),
        on_chip_used=total(part.on_chip_used for part in parts),
        off_chip=total(part.off_chip for part in parts),
        cached_bytes=total(part.cached_bytes for part in parts),
        streamed_bytes=total(part.streamed_bytes for part in parts),
        edgetpu_operators=total(part.edgetpu_operators for part in parts),
        cpu_operators=total(part.cpu_operators for part in parts),
        subgraphs=total(part.subgraphs for part in parts),
        runtime_version=max((part.runtime_version for part in parts), key=lambda figure: figure.value or 0),
        latency_ms=largest(part.latency_ms for part in parts),
    )

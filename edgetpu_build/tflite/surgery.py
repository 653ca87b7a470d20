"""Rewriting a model without losing anything: parts become custom operators, operators become a model of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from edgetpu_build.tflite.model import Model, Subgraph


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Operators of the first subgraph that one custom operator replaces; ``inputs`` and ``outputs`` are its tensors."""

    operators: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    custom_code: str
    custom_options: bytes = field(repr=False)


def delegate(model: Model, parts: Sequence[Part]) -> bytes:
    """The model with each part replaced by one custom operator."""
    raise NotImplementedError


def extract(model: Model, operators: Iterable[int], inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
    """A model of these operators of the first subgraph alone, fed by ``inputs`` and giving ``outputs``."""
    raise NotImplementedError


def boundary(subgraph: Subgraph, operators: Iterable[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The tensors that a set of operators takes and gives: (inputs, outputs)."""
    raise NotImplementedError

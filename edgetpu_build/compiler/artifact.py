"""Simulator artifacts: a model whose delegated operators became ``edgetpu-sim-custom-op``, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from edgetpu_build.tflite.model import Model

CUSTOM_OPERATOR = "edgetpu-sim-custom-op"


@dataclass(frozen=True, slots=True, kw_only=True)
class Relocation:
    """Where a constant lies: ``tensor`` (index in the subgraph) in ``size`` bytes at ``offset`` of a blob.

    ``layout`` says how the bytes are arranged there, in the words of whoever laid them out; "" means as in the model.
    """

    tensor: int
    blob: Literal["cached", "streamed"]
    offset: int
    size: int
    layout: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Operators of the first subgraph that the simulated device runs, and their parameter memory."""

    operators: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    cached: bytes = field(default=b"", repr=False)
    streamed: bytes = field(default=b"", repr=False)
    relocations: tuple[Relocation, ...] = ()
    scratch_size: int = 0
    narrow_memory: int = 0
    estimated_cycles: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What the simulated device runs: a model without its constants, and where these lie (tensor: index in it)."""

    model: Model
    relocations: tuple[Relocation, ...]


def build(model: Model, parts: Sequence[Part], *, token: int, runtime_version: int) -> bytes:
    """The artifact: equal inputs give equal bytes."""
    raise NotImplementedError


def program(instructions: bytes | memoryview) -> Program:
    """The program in an executable's instructions; ETB302 where it is damaged."""
    raise NotImplementedError

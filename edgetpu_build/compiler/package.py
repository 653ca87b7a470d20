"""The package that an Edge TPU custom operator carries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

ExecutableType = Literal["STAND_ALONE", "PARAMETER_CACHING", "EXECUTION_ONLY"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """An input or output of the chip: real = scale * (stored - zero_point). ``size``: bytes as padded, batch 1."""

    name: str
    shape: tuple[int, ...]
    size: int
    data_type: str = "FIXED_POINT8"
    zero_point: int = 0
    scale: float = 0.0
    executions: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Executable:
    type: ExecutableType
    parameters: bytes | memoryview = field(default=b"", repr=False)
    token: int = 0
    inputs: tuple[Layer, ...] = ()
    outputs: tuple[Layer, ...] = ()
    instructions: tuple[bytes | memoryview, ...] = field(default=(), repr=False)
    name: str = ""
    batch_size: int = 1
    scratch_size: int = 0
    narrow_memory: int = 0
    estimated_cycles: int = 0
    chip: str = "beagle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    min_runtime_version: int
    executables: tuple[Executable, ...]
    compiler_version: str = ""
    model_identifier: str = ""

    @property
    def cached_bytes(self) -> int:
        """Parameter bytes that stay on the chip."""
        return sum(len(e.parameters) for e in self.executables if e.type == "PARAMETER_CACHING")

    @property
    def streamed_bytes(self) -> int:
        """Parameter bytes that are sent for every inference."""
        return sum(len(e.parameters) for e in self.executables if e.type != "PARAMETER_CACHING")


def encode(package: Package) -> bytes:
    """The custom options of an Edge TPU custom operator."""
    raise NotImplementedError


def decode(custom_options: bytes | memoryview) -> Package:
    """What the custom options of an Edge TPU custom operator hold; ETB302 where they are damaged."""
    raise NotImplementedError


def mask_token(data: bytes) -> bytes:
    """A compiled file with every caching token zeroed: two compiles of one model differ in nothing else."""
    raise NotImplementedError

"""`[tool.edgetpu]` as values, every inheritance already resolved. No disk: globs and files are the plan's business."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edgetpu_build.errors import Diagnostic

CompilerChoice = Literal["auto", "builtin", "google"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Upper bounds, None where there is none. Sizes in bytes, ``latency`` in seconds. ``lines``: key -> its line."""

    off_chip: int | None = None
    on_chip: int | None = None
    cpu_operators: int | None = None
    min_edgetpu_operators: int | None = None
    subgraphs: int | None = None
    artifact_size: int | None = None
    latency: float | None = None
    growth: int | None = None
    strict_figures: bool = False
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceConfig:
    """What simulation and latency assume. ``sram`` in bytes."""

    link: Literal["pcie", "usb3", "usb2"] = "usb3"
    clock: Literal["max", "std"] = "max"
    count: int = 1
    sram: int = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteCache:
    """A shared store. ``from_env``: its URL stands in the environment, so secrets of the environment may go there."""

    url: str
    mode: Literal["read", "read-write"] = "read-write"
    from_env: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """One `[tool.edgetpu.models.NAME]`. ``segments`` 0 means "auto"; ``search_delegate`` is the step, 0 means off.

    ``lines``: key -> line in pyproject.toml; the key "" is the table's header.
    """

    name: str
    source: str
    output: str | None = None
    segments: int = 1
    balance: Literal["parameters", "latency", "profile"] = "parameters"
    cuts: tuple[str, ...] = ()
    intermediate_tensors: tuple[str, ...] = ()
    search_delegate: int = 0
    max_segments: int = 8
    multiple_subgraphs: bool = False
    restore_metadata: bool = False
    reweight: Literal["off", "auto", "only"] = "off"
    min_runtime_version: int = 14
    timeout: float = 180.0
    compiler: CompilerChoice = "auto"
    out_dir: str | None = None
    wheel_path: str | None = None
    ship: bool = True
    budget: Budget = Budget()
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupConfig:
    """One `[tool.edgetpu.groups.NAME]`: models compiled together, in order. ``calls``: model -> calls per second."""

    name: str
    models: tuple[str, ...]
    order: Literal["declared", "auto"] = "declared"
    calls: Mapping[str, float] = field(default_factory=dict)
    compiler: CompilerChoice = "auto"
    timeout: float = 180.0
    budget: Budget = Budget()
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole `[tool.edgetpu]`, environment twins applied. ``jobs`` 0 means "auto".

    ``hook_enabled``: `[tool.hatch.build.hooks.edgetpu]` stands in the file; ``uses_hatchling``: hatchling is the build
    backend. ``uses_uv``/``uv_cache_keys``: `[tool.uv]`.
    ``frozen``: EDGETPU_BUILD_FROZEN=1. ``write_errors``: EDGETPU_BUILD_REMOTE_WRITE_ERRORS. ``warnings`` were
    found while reading and are shown by every command.
    """

    compiler: CompilerChoice = "auto"
    compiler_command: tuple[str, ...] = ("edgetpu_compiler",)
    requires_compiler: str | None = None
    out_dir: str | None = None
    wheel_path: str | None = None
    min_runtime_version: int = 14
    allow_simulator: bool = False
    timeout: float = 180.0
    jobs: int = 0
    ship_logs: bool = False
    remote_cache: tuple[RemoteCache, ...] = ()
    write_errors: Literal["ignore", "local", "all"] = "ignore"
    device: DeviceConfig = DeviceConfig()
    budget: Budget = Budget()
    models: tuple[ModelConfig, ...] = ()
    groups: tuple[GroupConfig, ...] = ()
    frozen: bool = False
    hook_enabled: bool = False
    uses_hatchling: bool = False
    uses_uv: bool = False
    uv_cache_keys: bool = False
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)
    warnings: tuple[Diagnostic, ...] = ()

"""One model, whole or in segments, run a few times on devices: what `edgetpu-build run` does, as values."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from edgetpu_build.errors import Diagnostic, error, warning
from edgetpu_build.runtime import inputs
from edgetpu_build.runtime.device import Device
from edgetpu_build.runtime.edgetpu import make_interpreter
from edgetpu_build.runtime.interpreter import Interpreter, Kernels
from edgetpu_build.runtime.labels import labels
from edgetpu_build.runtime.pipeline import PipelinedModelRunner

SHOWN = 1024  # values of an output that are kept; of a larger one only the digest
CLASSES = 5
MOST_CLASSES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """``score``: real, where the output is quantised; ``label`` is empty where the model carries none."""

    id: int
    label: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """``sha256``: of its bytes, row by row. ``values``: as stored, flat; empty if there are more than 1024.

    ``classes``: of an output with one row of several numbers, the highest first.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    sha256: str
    values: tuple[float, ...]
    classes: tuple[Class, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """A device that took part. ``stats``: None for a real one, which does not tell."""

    name: str
    type: str
    files: tuple[str, ...]
    stats: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """``made_up``: names of inputs that were not given. Outputs are those of the last inference."""

    files: tuple[str, ...]
    inferences: int
    made_up: tuple[str, ...]
    outputs: tuple[Output, ...]
    devices: tuple[Used, ...]
    warnings: tuple[Diagnostic, ...]


def run(
    files: Sequence[str],
    given: Sequence[str] = (),
    *,
    repeat: int = 1,
    devices: Sequence[str] = (),
    kernels: Kernels = "default",
) -> Run:
    """Runs ``files`` (a model, or its segments in order, a device each) ``repeat`` times on the same input.

    ``given``: files for the inputs, in order, or as "NAME=FILE"; what is missing is made up. ``devices``: names, by
    default ":0", ":1" and so on. Raises what ``make_interpreter`` and ``inputs.load`` do.
    """
    names = devices or [f":{number}" for number in range(len(files))]
    if len(names) != len(files):
        raise error("ETB214", f"{len(files)} files and {len(names)} devices", "name one device for each file")
    last = [_read(file) for file in files][-1]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        chain = [make_interpreter(file, device=name, kernels=kernels) for file, name in zip(files, names, strict=True)]
        for interpreter in chain:
            interpreter.allocate_tensors()
        values, made_up = _inputs(chain[0], given)
        results = _results(chain, values, repeat)
    return Run(
        files=tuple(files),
        inferences=repeat,
        made_up=made_up,
        outputs=tuple(_output(name, value, chain, last) for name, value in results.items()),
        devices=tuple(_used(name, files, names, chain) for name in dict.fromkeys(names)),
        warnings=tuple(warning("ETB321", text) for text in dict.fromkeys(str(one.message) for one in caught)),
    )


def _read(file: str) -> bytes:
    path = Path(file)
    if not path.is_file():
        raise error("ETB211", f"`{file}` {'is not a regular file' if path.exists() else 'does not exist'}")
    return path.read_bytes()


def _inputs(interpreter: Interpreter, given: Sequence[str]) -> tuple[dict[str, inputs.Array], tuple[str, ...]]:
    details = {entry["name"]: entry for entry in interpreter.get_input_details()}
    if len(given) > len(details):
        raise error("ETB214", f"{len(given)} input files, the model has {len(details)} inputs")
    files = {}
    for number, word in enumerate(given):
        name, mark, file = word.rpartition("=")
        files[name if mark and name in details else list(details)[number]] = file if name in details else word
    values = {
        name: inputs.load(files[name], entry) if name in files else inputs.made_up(entry)
        for name, entry in details.items()
    }
    return values, tuple(name for name in details if name not in files)


def _results(chain: Sequence[Interpreter], values: dict[str, inputs.Array], repeat: int) -> dict[str, inputs.Array]:
    """Outputs of the last of ``repeat`` inferences; segments work at the same time."""
    pipeline = PipelinedModelRunner(chain)
    for _ in range(repeat):
        pipeline.push(values)
    found: dict[str, inputs.Array] = {}
    for _ in range(repeat):
        found = pipeline.pop() or found
    pipeline.push({})
    return found


def _output(name: str, value: inputs.Array, chain: Sequence[Interpreter], content: bytes) -> Output:
    details = next(d for one in reversed(chain) for d in one.get_output_details() if d["name"] == name)
    return Output(
        name=name,
        shape=value.shape,
        dtype=value.dtype.name,
        sha256=sha256(np.ascontiguousarray(value).tobytes()).hexdigest(),
        values=tuple(value.flatten().tolist()) if value.size <= SHOWN else (),
        classes=_classes(value, details, content),
    )


def _classes(value: inputs.Array, details: Mapping[str, Any], content: bytes) -> tuple[Class, ...]:
    count = value.shape[-1] if value.shape else 1
    if not 1 < count == value.size <= MOST_CLASSES:
        return ()
    flat = value.flatten()
    scale, zero = details["quantization"]
    scores = (flat.astype(np.float64) - zero) * scale if scale else flat.astype(np.float64)
    known = labels(content, count)
    order = np.argsort(-scores, kind="stable")[:CLASSES].tolist()
    return tuple(Class(id=i, label=known[i] if i < len(known) else "", score=float(scores[i])) for i in order)


def _used(name: str, files: Sequence[str], names: Sequence[str], chain: Sequence[Interpreter]) -> Used:
    mine = tuple(file for file, its in zip(files, names, strict=True) if its == name)
    device = chain[names.index(name)].device
    if isinstance(device, Device):
        return Used(name=name, type=device.type, files=mine, stats=device.stats())
    return Used(name=name, type="real", files=mine, stats=None)

"""Recordings for the stand-in: text laid out as `edgetpu_compiler` prints it, and files as it writes them.

Written from the layouts that public transcripts show, on its own: none of it comes from the code under test, but for
the file format (``surgery``, ``package``), which has tests of its own.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgetpu_build.compiler import package
from edgetpu_build.tflite import reader, surgery
from tests.support import models

V16 = "16.0.384591198"
W = (
    "Model successfully compiled but not all operations are supported by the Edge TPU. A percentage of the model will "
    "instead run on the CPU, which is slower. If possible, consider updating your model to use only operations "
    "supported by the Edge TPU. For details, visit g.co/coral/model-reqs."
)
LIMITATION = "Operation is otherwise supported, but not mapped due to some unspecified limitation"
DONE = "Compilation child process completed within timeout period.\n"
FAILED = "Compilation failed! \n"
TIMER = "Started a compilation timeout timer of 180 seconds.\n"
TOKEN = 0x0123456789ABCDEF


def compiled(
    original: bytes,
    *,
    on_cpu: Sequence[int] = (),
    cached: int = 1024,
    streamed: int = 0,
    token: int = TOKEN,
    runtime: int = 14,
) -> bytes:
    """A file as Google's compiler would write it, less instructions: operators but ``on_cpu`` in one of its own.

    Metadata, signatures and what was appended are gone, as in every public pair.
    """
    model = reader.read(original)
    inside = tuple(i for i in range(len(model.main.operators)) if i not in on_cpu)
    if inside:
        inputs, outputs = surgery.boundary(model.main, inside)
        part = surgery.Part(
            operators=inside,
            inputs=inputs,
            outputs=outputs,
            custom_code="edgetpu-custom-op",
            custom_options=package.encode(_package(cached, streamed, token, runtime)),
        )
        original = surgery.delegate(model, [part])
    bare = models.unpack(original[: reader.read(original).flatbuffer_size])
    bare.metadata, bare.signatureDefs, bare.description = [], [], b"Exported from Subgraph."
    return models.pack(bare)


def _package(cached: int, streamed: int, token: int, runtime: int) -> package.Package:
    layer = package.Layer(name="input", shape=(1, 8, 8, 3), size=192)
    main = package.Executable(
        type="EXECUTION_ONLY" if cached else "STAND_ALONE",
        parameters=bytes(streamed),
        token=token if cached else 0,
        instructions=(b"\1" * 64,),
        inputs=(layer,),
        outputs=(layer,),
        name="model",
    )
    loader = package.Executable(
        type="PARAMETER_CACHING", parameters=bytes(cached), token=token, instructions=(b"\2" * 16,), name="Unknown"
    )
    executables = (main, loader) if cached else (main,)
    return package.Package(min_runtime_version=runtime, executables=executables, compiler_version="cl/")


def size(count: float) -> str:
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= unit:
            return f"{count / unit:.2f}{name}"
    return f"{count:.2f}B"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One compiled model (or segment) and what is printed of it. ``name``: placeholder of its stem, "{stem 0}"."""

    original: bytes = field(repr=False)
    artifact: bytes = field(repr=False)
    name: str = "{stem 0}"
    source: str = "{0}"
    on_cpu: tuple[int, ...] = ()
    used: float = 1024
    off_chip: float = 0
    remaining: float = 7 << 20
    subgraphs: int = 1
    statuses: dict[int, str] = field(default_factory=dict)

    def rows(self) -> str:
        kinds = [operator.kind for operator in reader.read(self.original).main.operators]
        counts = Counter(
            (kind, self.statuses.get(i, LIMITATION) if i in self.on_cpu else "Mapped to Edge TPU")
            for i, kind in enumerate(kinds)
        )
        table = "".join(f"{kind:<31}{count:<11}{status}\n" for (kind, status), count in sorted(counts.items()))
        return f"{'Operator':<31}{'Count':<11}Status\n\n{table}"

    def log(self, version: str) -> str:
        head = f"Edge TPU Compiler version {version}\nInput: {self.source}\n"
        return f"{head}Output: {{out}}{self.name}_edgetpu.tflite\n\n{self.rows()}"

    def block(self, version: str) -> str:
        total = len(reader.read(self.original).main.operators)
        old = version.startswith(("1.", "2.0"))
        memory = [f"On-chip memory used for caching model parameters: {size(self.used)}"]
        if old:
            memory.insert(0, f"On-chip memory available for caching model parameters: {size(self.remaining)}")
        else:
            memory.append(f"On-chip memory remaining for caching model parameters: {size(self.remaining)}")
        lines = [
            f"Input model: {self.source}",
            f"Input size: {size(len(self.original))}",
            f"Output model: {{out}}{self.name}_edgetpu.tflite",
            f"Output size: {size(len(self.artifact))}",
            *memory,
            f"Off-chip memory used for streaming uncached model parameters: {size(self.off_chip)}",
            f"Number of Edge TPU subgraphs: {self.subgraphs}",
            f"Total number of operations: {total}",
            f"Operation log: {{out}}{self.name}_edgetpu.log",
        ]
        if self.on_cpu:
            lines += [
                "",
                W,
                f"Number of operations that will run on Edge TPU: {total - len(self.on_cpu)}",
                f"Number of operations that will run on CPU: {len(self.on_cpu)}",
            ]
        return "\n".join([*lines, "See the operation log file for individual operation details.\n"])


def success(told: Sequence[Told], version: str = V16, *, banner: bool = True) -> str:
    """What a good run prints of models that were compiled together."""
    new = version.startswith("16")
    text = f"Edge TPU Compiler version {version}\n" if banner else ""
    text += TIMER if new else ""
    text += f"\nModel{'s' if len(told) > 1 else ''} compiled successfully in 119 ms.\n"
    text += "".join("\n" + one.block(version) for one in told)
    return text + (DONE + "Compilation succeeded! \n" if new else "")


class Recording:
    """Owns the folder of one stand-in. Answers are given in the order in which they are added."""

    def __init__(self, home: Path, version: str = V16) -> None:
        self.home, self.version = home, version
        self._answers: list[dict[str, Any]] = []
        home.mkdir(parents=True, exist_ok=True)
        self.program = home / "edgetpu_compiler"
        script = Path(__file__).with_name("program.py")
        self.program.write_text(f'#!/bin/sh\nSTANDIN={home} exec {sys.executable} -I -S {script} "$@"\n')
        self.program.chmod(0o755)
        self.answer(arguments=["--version"], models=[], prints=[f"Edge TPU Compiler version {version}\n"])

    @property
    def command(self) -> tuple[str, ...]:
        return (str(self.program),)

    def answer(
        self,
        *,
        arguments: list[str] | str = "*",
        models: Sequence[bytes] | None = None,
        prints: Sequence[Any] = (),
        files: dict[str, bytes] | None = None,
        **more: Any,
    ) -> None:
        """``prints``: texts and pauses; ``files``: name in the output folder -> content."""
        answer: dict[str, Any] = {"arguments": arguments, "print": list(prints), **more}
        if models is not None:
            answer["models"] = [hashlib.sha256(data).hexdigest() for data in models]
        answer["files"] = {name: self._blob(content) for name, content in (files or {}).items()}
        self._answers.append(answer)
        (self.home / "recording.json").write_text(json.dumps(self._answers))

    def good(self, *told: Told, arguments: list[str] | str = "*", **more: Any) -> None:
        """A compile that succeeds: text, artifacts and logs."""
        files: dict[str, bytes] = {}
        for one in told:
            files[f"{one.name}_edgetpu.tflite"] = one.artifact
            files[f"{one.name}_edgetpu.log"] = one.log(self.version).encode()
        numbered = [one.original for one in told]
        self.answer(arguments=arguments, models=numbered, prints=[success(told, self.version)], files=files, **more)

    def bad(self, text: str, *, code: int = 1, **more: Any) -> None:
        """A compile that fails with these words behind its first line."""
        self.answer(prints=[f"Edge TPU Compiler version {self.version}\n{text}"], code=code, **more)

    def calls(self) -> list[dict[str, Any]]:
        """Every start so far, those that asked for the version left out."""
        log = self.home / "calls.jsonl"
        found = map(json.loads, log.read_text().splitlines()) if log.exists() else ()
        return [call for call in found if call["argv"] != ["--version"]]

    def _blob(self, content: bytes) -> str:
        name = f"blob-{hashlib.sha256(content).hexdigest()[:16]}"
        (self.home / name).write_bytes(content)
        return name


def told(original: bytes, position: int = 0, **more: Any) -> Told:
    """A model that was compiled, and what is said of it; ``more``: of ``compiled`` and of ``Told``."""
    shape = {key: more.pop(key) for key in ("cached", "streamed", "token", "runtime") if key in more}
    on_cpu = tuple(more.pop("on_cpu", ()))
    artifact = compiled(original, on_cpu=on_cpu, **shape)
    total = len(reader.read(original).main.operators)
    mapped = len(on_cpu) < total
    defaults: dict[str, Any] = {
        "name": f"{{stem {position}}}",
        "source": f"{{{position}}}",
        "used": shape.get("cached", 1024) if mapped else 0,
        "off_chip": shape.get("streamed", 0) if mapped else 0,
        "subgraphs": int(mapped),
    }
    return Told(original=original, artifact=artifact, on_cpu=on_cpu, **{**defaults, **more})

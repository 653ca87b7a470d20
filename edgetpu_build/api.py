"""The public Python API: ``edgetpu_build.compile``, ``edgetpu_build.inspect``, ``edgetpu_build.Project``.

What these return (``Outcome``, ``Result``, ``Inspection``, ``Figures``) is public too; everything else in the package
is private. Errors are ``EdgeTpuBuildError``, each with its diagnostics and the exit code that the command would give.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edgetpu_build.compiler.inspection import Inspection
from edgetpu_build.compiler.interface import Balance, Options, Request, Result, Source
from edgetpu_build.engine.outcome import Outcome
from edgetpu_build.engine.project import Project as _Project
from edgetpu_build.engine.project import find_root
from edgetpu_build.errors import Diagnostic, EdgeTpuBuildError, error
from edgetpu_build.figure import Figure, Figures

__all__ = [
    "Diagnostic",
    "EdgeTpuBuildError",
    "Figure",
    "Figures",
    "Inspection",
    "Outcome",
    "Project",
    "Result",
    "compile",
    "inspect",
]

Model = str | os.PathLike[str] | bytes
"""A path to a .tflite file, or the file's bytes."""


def compile(  # noqa: A001 the contract's name for it
    models: Model | Sequence[Model],
    *,
    min_runtime_version: int = 14,
    segments: int | Literal["auto"] = 1,
    max_segments: int = 8,
    balance: Balance = "parameters",
    cuts: Sequence[str] = (),
    intermediate_tensors: Sequence[str] | Sequence[Sequence[str]] = (),
    search_delegate: bool | int = False,
    multiple_subgraphs: bool = False,
    restore_metadata: bool = False,
    generation: str = "16.0",
    compiler: Literal["builtin", "google"] = "builtin",
    compiler_command: Sequence[str] = ("edgetpu_compiler",),
    timeout: float = 180.0,
    progress: Callable[[str], None] | None = None,
) -> Result:
    """Compile one model, or several that share the Edge TPU's memory in the given order. Writes no file.

    The answer's ``members`` stand in the order of ``models``; each holds ``artifact`` (the compiled file's bytes, empty
    when segmented: then ``segments`` hold theirs), ``log``, ``figures`` (memory in bytes, each with its confidence),
    ``operators`` (one each of the original file, with the reason for its place) and ``layers``.

    ``intermediate_tensors``: names for a single model, or one sequence of names for each of several.
    ``search_delegate``: True, or the number of operators by which the search steps back. ``timeout``: seconds.
    ``restore_metadata``: put back metadata, signatures and labels, which Google's compiler drops and builtin does not.
    ``compiler="builtin"`` predicts Google's compiler of ``generation`` and makes files for the simulated device.

    Raises EdgeTpuBuildError: ETB3nn if a model cannot be compiled, ETB4nn if the compiler is missing.
    """
    from edgetpu_build.compiler import choose

    given = [models] if isinstance(models, (str, bytes, os.PathLike)) else list(models)
    names = _names(intermediate_tensors, len(given))
    sources = tuple(_source(model, i, names[i]) for i, model in enumerate(given))
    options = Options(
        min_runtime_version=min_runtime_version,
        segments=0 if segments == "auto" else segments,
        max_segments=max_segments,
        balance=balance,
        cuts=tuple(cuts),
        delegate_step=int(search_delegate),
        multiple_subgraphs=multiple_subgraphs,
        restore_metadata=restore_metadata,
        generation=generation,
    )
    backend = choose.backend(compiler, command=tuple(compiler_command), requires_compiler=None, generation=generation)
    request = Request(sources=sources, options=options)
    return backend.compile(request, timeout=timeout, progress=progress or _silent)


def inspect(file: Model, *, generation: str = "16.0", min_runtime_version: int = 14) -> Inspection:
    """What is in a .tflite file: a model with a forecast of its compile, or a compiled file with its packages.

    ``figures`` are in bytes; those of a compiled file are read from it, those of a model are the builtin compiler's
    forecast for ``generation`` and ``min_runtime_version``. Raises ETB301 to ETB303 if the bytes are no model.
    """
    from edgetpu_build.compiler import inspection

    options = Options(generation=generation, min_runtime_version=min_runtime_version)
    return inspection.inspect(_bytes(file), label=_label(file, 0), options=options)


@dataclass(frozen=True, slots=True)
class Project:
    """A folder whose pyproject.toml has `[tool.edgetpu]`. Every method does what the command of its name does."""

    _project: _Project = field(repr=False)

    @classmethod
    def load(cls, folder: str | os.PathLike[str] | None = None, *, env: Mapping[str, str] | None = None) -> Project:
        """The project in ``folder``, by default the nearest from the working directory up.

        ``env``: where EDGETPU_BUILD_* variables are read from, by default the process's environment. Raises ETB2nn
        with every fault of the configuration.
        """
        root = find_root(Path.cwd()) if folder is None else Path(folder)
        return cls(_Project.load(root, os.environ if env is None else env))

    @property
    def root(self) -> Path:
        return self._project.root

    def build(
        self,
        names: str | Iterable[str] = (),
        *,
        force: bool = False,
        locked: bool = False,
        frozen: bool = False,
        jobs: int = 0,
        fail_fast: bool = False,
        dry_run: bool = False,
        progress: Callable[[str, str], None] | None = None,
    ) -> Outcome:
        """Bring outputs (all, or those named) and lock up to date and judge budgets.

        A unit that fails, or breaks its budget, is in the outcome (``exit_code``, ``units``, ``all_diagnostics``), not
        raised. ``progress`` is called with a unit's name and what happens to it. ``jobs`` 0: as configured.
        """
        from edgetpu_build.engine.build import build

        return build(
            self._project,
            _listed(names),
            force=force,
            locked=locked,
            frozen=frozen,
            jobs=jobs,
            fail_fast=fail_fast,
            dry_run=dry_run,
            progress=progress,
        )

    def check(self, names: str | Iterable[str] = (), *, staged: bool = False, base: str | None = None) -> Outcome:
        """Whether configuration, lock, sources, outputs and budgets agree. Compiles nothing.

        ``staged``: judge git's index; ``base``: the commit whose lock `growth` budgets compare with.
        """
        from edgetpu_build.engine.check import check

        return check(self._project, _listed(names), staged=staged, base=base)

    def verify(self, *, recompile: int = 0) -> Outcome:
        """Outputs against lock and store; ``recompile`` units are compiled afresh and compared byte for byte."""
        from edgetpu_build.engine.verify import verify

        return verify(self._project, recompile=recompile)


def _listed(names: str | Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _names(given: Sequence[str] | Sequence[Sequence[str]], count: int) -> list[tuple[str, ...]]:
    """Tensor names by model; names alone are those of the only model."""
    if all(isinstance(name, str) for name in given):
        if given and count > 1:
            raise error("ETB214", "`intermediate_tensors` of several models are a sequence of names for each")
        return [tuple(str(name) for name in given), *[()] * (count - 1)]
    return [*(tuple(names) for names in given), *[()] * (count - len(given))]


def _source(model: Model, number: int, names: tuple[str, ...]) -> Source:
    return Source(label=_label(model, number), data=_bytes(model), intermediate_tensors=names)


def _bytes(model: Model) -> bytes:
    if isinstance(model, bytes):
        return model
    path = Path(model)
    if not path.is_file():
        raise error("ETB211", f"`{path}` is not a file")
    return path.read_bytes()


def _label(model: Model, number: int) -> str:
    return f"model {number + 1}" if isinstance(model, bytes) else os.fspath(model)


def _silent(_message: str) -> None:
    pass

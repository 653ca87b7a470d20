"""What can go wrong, as data: one catalogue of codes, one value for a message, one exception.

The first digit of a code is its exit code: ``ETB204`` ends a command with 2. 1 is a failed check or budget, 2 usage or
configuration, 3 a model, 4 a compiler, 5 cache, lock or file system, 7 a bug of ours (exit 70). Whoever raises fills in
the place; only ``report`` renders.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

BUG_EXIT = 70

CATALOGUE: dict[str, str] = {
    # 1: a check or a budget failed
    "ETB101": "budget exceeded",
    "ETB102": "budget decided by a figure that is not exact",
    "ETB103": "lock out of date",
    "ETB104": "output missing or changed",
    "ETB105": "unit is stale",
    "ETB106": "simulator artifact refused",
    "ETB107": "build hook not switched on",
    "ETB108": "files were written that are not staged",
    "ETB109": "artifact missing from the archive",
    "ETB110": "recompiled artifact differs",
    # 2: usage or configuration
    "ETB201": "pyproject.toml cannot be read",
    "ETB202": "no [tool.edgetpu] table",
    "ETB203": "unknown key",
    "ETB204": "wrong type",
    "ETB205": "value not allowed",
    "ETB206": "required key missing",
    "ETB207": "keys that exclude each other",
    "ETB208": "name not allowed or not unique",
    "ETB209": "unknown name",
    "ETB210": "path not allowed",
    "ETB211": "source not found",
    "ETB212": "outputs collide",
    "ETB213": "not available in this version",
    "ETB214": "usage",
    "ETB215": "extra not installed",
    "ETB216": "input does not fit",
    # 3: a model cannot be compiled
    "ETB301": "not a TensorFlow Lite model",
    "ETB302": "model is damaged",
    "ETB303": "Git LFS pointer",
    "ETB304": "model is already compiled",
    "ETB305": "several subgraphs",
    "ETB306": "model is not quantised",
    "ETB307": "dynamic shape",
    "ETB308": "nothing mapped to the Edge TPU",
    "ETB309": "operator version too new",
    "ETB310": "tensor not found",
    "ETB311": "cannot be cut into that many segments",
    "ETB312": "compiler failed",
    "ETB313": "compile timed out",
    "ETB314": "compiler wrote nothing usable",
    "ETB315": "text and file disagree",
    "ETB316": "runtime version too new",
    "ETB317": "file changed while it was read",
    "ETB318": "custom operator unknown to the compiler",
    "ETB319": "unusable quantisation",
    "ETB320": "model uses a newer schema",
    "ETB321": "refused by the runtime",
    "ETB322": "models differ in more than their numbers",
    "ETB323": "reweighting is not proven",
    # 4: the compiler is missing or of the wrong version
    "ETB401": "compiler not found",
    "ETB402": "compiler version refused",
    "ETB403": "compiler does not answer",
    "ETB404": "farm cannot be used",
    # 5: cache, lock and file system
    "ETB501": "file system error",
    "ETB502": "lock cannot be read",
    "ETB503": "lock is of a newer version",
    "ETB504": "merge conflict in the lock",
    "ETB505": "store is damaged",
    "ETB506": "store cannot be used",
    "ETB507": "shared store cannot be used",
    # 7: ours
    "ETB701": "bug in edgetpu-build",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One message to a person: what happened, where, what to do. ``file`` is relative to the project if it can be."""

    code: str
    message: str
    hint: str = ""
    severity: Literal["error", "warning", "note"] = "error"
    file: str = ""
    line: int = 0
    key: str = ""
    unit: str = ""
    rule: str = ""

    @property
    def exit_code(self) -> int:
        """0 for warnings and notes, else what the code's first digit says."""
        if self.severity != "error":
            return 0
        digit = int(self.code[3])
        return BUG_EXIT if digit == 7 else digit

    def at(self, **fields: str | int) -> Diagnostic:
        """The same message with the given fields filled in where they are still empty."""
        missing = {name: value for name, value in fields.items() if not getattr(self, name)}
        return replace(self, **missing) if missing else self  # type: ignore[arg-type]


class EdgeTpuBuildError(Exception):
    """Ends a unit or a command with one or more diagnostics. Never shown as a traceback."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__(*(d.message for d in diagnostics))
        self.diagnostics = diagnostics

    def __reduce__(self) -> tuple[type[EdgeTpuBuildError], tuple[Diagnostic, ...]]:
        return type(self), self.diagnostics

    @property
    def exit_code(self) -> int:
        return exit_code(self.diagnostics)


def error(code: str, message: str, hint: str = "", **place: str | int) -> EdgeTpuBuildError:
    """The exception for a single diagnostic; ``place`` is file, line, key, unit or rule."""
    return EdgeTpuBuildError(Diagnostic(code=code, message=message, hint=hint, **place))  # type: ignore[arg-type]


def warning(code: str, message: str, hint: str = "", **place: str | int) -> Diagnostic:
    """A diagnostic that does not change the exit code."""
    return Diagnostic(code=code, message=message, hint=hint, severity="warning", **place)  # type: ignore[arg-type]


def exit_code(diagnostics: tuple[Diagnostic, ...] | list[Diagnostic]) -> int:
    """The exit code of several: the smallest above 1 wins, else 1, else 0."""
    codes = {d.exit_code for d in diagnostics} - {0}
    return min(codes - {1} or codes, default=0)

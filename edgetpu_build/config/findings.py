"""Everything that is wrong with a configuration, gathered so that it is told at once, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from edgetpu_build.errors import Diagnostic, EdgeTpuBuildError

if TYPE_CHECKING:
    from edgetpu_build.config.lines import KeyPath

ROOT: KeyPath = ("tool", "edgetpu")
_SHOWN = 60


class Findings:
    """Collects the diagnostics of one file; ``lines`` tells where its keys stand."""

    def __init__(self, file: str, lines: Mapping[KeyPath, int]) -> None:
        self.file = file
        self.lines = lines
        self.errors: list[Diagnostic] = []
        self.warnings: list[Diagnostic] = []

    def line(self, path: KeyPath) -> int:
        """Line of a key, or of the nearest table around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def error(self, code: str, path: KeyPath, message: str, hint: str = "") -> None:
        self.errors.append(self._at(Diagnostic(code=code, message=message, hint=hint), path))

    def warn(self, code: str, path: KeyPath, message: str, hint: str = "") -> None:
        self.warnings.append(self._at(Diagnostic(code=code, message=message, hint=hint, severity="warning"), path))

    def environment(self, code: str, variable: str, message: str, hint: str = "") -> None:
        """A finding about an environment variable: no file, no line."""
        self.errors.append(Diagnostic(code=code, message=message, hint=hint, key=variable))

    def raise_errors(self) -> None:
        """Raise what was found, in the order of the file."""
        if self.errors:
            raise EdgeTpuBuildError(*sorted(self.errors, key=lambda found: found.line))

    def _at(self, diagnostic: Diagnostic, path: KeyPath) -> Diagnostic:
        return diagnostic.at(file=self.file, line=self.line(path), key=dotted(path))


def dotted(path: KeyPath) -> str:
    """A path as TOML writes it, with quotes where they are needed: `models."a b".cuts[1]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else shown(part))
    return text


def named(path: KeyPath) -> str:
    """How messages call a key: `models.detector.segments`, without the tool's own prefix."""
    return f"`{dotted(path[2:] if path[:2] == ROOT and len(path) > 2 else path)}`"


def shown(value: Any) -> str:
    """A value about as TOML would write it, cut when long."""
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, str):
        text = '"' + value.replace("\\", "\\\\").replace('"', '\\"').encode("unicode_escape").decode("ascii") + '"'
        text = text if not value.isprintable() else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    elif isinstance(value, list):
        text = f"[{', '.join(shown(element) for element in value)}]"
    elif isinstance(value, dict):
        text = "{ " + ", ".join(f"{name} = {shown(held)}" for name, held in value.items()) + " }" if value else "{}"
    else:
        text = str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def nearest(word: str, known: Iterable[str]) -> str:
    """A did-you-mean hint, or nothing."""
    import difflib

    folded = {name.lower().replace("_", "-"): name for name in known}
    close = difflib.get_close_matches(word.lower().replace("_", "-"), folded, n=1, cutoff=0.6)
    return f"did you mean `{folded[close[0]]}`?" if close else ""


def listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)

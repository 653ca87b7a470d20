"""Writes the reference pages from the code that they describe. `--check` names stale ones instead, and exits 1."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from edgetpu_build.chip import rules
from edgetpu_build.cli import reference as commands
from edgetpu_build.config import reference as configuration
from edgetpu_build.report.codes import errors_page

REFERENCE = Path(__file__).resolve().parent / "reference"
PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands.page,
    "configuration.md": configuration.page,
    "errors.md": errors_page,
    "operators.md": rules.reference_page,
}


def stale() -> list[str]:
    """Names of the pages whose text is not what the code says today."""
    return [name for name, page in PAGES.items() if _text(REFERENCE / name) != page()]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def main(arguments: list[str]) -> int:
    names = stale()
    if "--check" in arguments:
        print("\n".join(f"stale: docs/reference/{name}; run `python docs/generate.py`" for name in names))
        return int(bool(names))
    for name in names:
        (REFERENCE / name).write_text(PAGES[name](), encoding="utf-8")
        print(f"wrote docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Makes docs/pictures/*.svg from real runs in a copy of the example. Needs rich, which `[test]` brings."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
WIDTH = 110
RUNS: dict[str, tuple[str, ...]] = {
    "build": (
        "edgetpu-build build",
        "cp models/digits.tflite models/finder.tflite",
        "edgetpu-build build --explain",
    ),
    "budget": (
        "sed -i 's/^segments = 2/segments = 1/' pyproject.toml",
        "edgetpu-build build judge",
    ),
}
"""Picture -> the commands that it shows, run one after another in one copy of the example."""


def record(commands: tuple[str, ...], folder: Path) -> Text:
    """What a terminal would show."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "EDGETPU_BUILD_CACHE_DIR": str(folder.parent / "cache"),
        "COLUMNS": str(WIDTH),
        "FORCE_COLOR": "1",
    }
    screen = Text()
    for command in commands:
        done = subprocess.run(
            ["bash", "-c", f"{command} 2>&1"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        screen.append("$ ", "bold green").append(command + "\n", "bold")
        if output := done.stdout.rstrip("\n"):
            screen.append_text(Text.from_ansi(output)).append("\n\n")
    screen.rstrip()
    return screen


def draw(name: str, commands: tuple[str, ...]) -> None:
    """Runs the commands and writes the picture."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "meter-reader"
        ignore = shutil.ignore_patterns("*_edgetpu.tflite", "__pycache__", "dist", "edgetpu.lock")
        shutil.copytree(ROOT / "example_project", folder, ignore=ignore)
        console = Console(record=True, width=WIDTH, file=io.StringIO())
        console.print(record(commands, folder))
        console.save_svg(str(PICTURES / f"{name}.svg"), title="meter-reader")


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    for name, commands in RUNS.items():
        draw(name, commands)


if __name__ == "__main__":
    main()

"""Makes docs/pictures/ from real runs in a copy of the example: terminals as SVG, pages as PNG, light and dark.

Needs rich, which `[test]` brings, and Chromium for the pages; without it these stay as they are.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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
        "sed -i 's/^segments/# segments/; s/^balance/# balance/' pyproject.toml",
        "edgetpu-build build judge",
    ),
}
"""Picture -> the commands that it shows, run one after another in one copy of the example."""
PAGES: dict[str, tuple[str, int]] = {
    "report": ("edgetpu-build inspect models/judge.tflite --html page.html", 1120),
    "pipeline": ("edgetpu-build build judge --report page.html", 1290),
    "latency": ("edgetpu-build bench models/judge.tflite --segments 2 --html page.html", 960),
}
"""Picture -> the command that writes the page, and how many pixels of it are shown."""
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


@contextmanager
def example() -> Iterator[Path]:
    """A copy as it is before its first build."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "meter-reader"
        ignore = shutil.ignore_patterns("*_edgetpu.tflite", "__pycache__", "dist", "edgetpu.lock")
        shutil.copytree(ROOT / "example_project", folder, ignore=ignore)
        yield folder


def run(command: str, folder: Path) -> str:
    """What it prints, both streams together."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "EDGETPU_BUILD_CACHE_DIR": str(folder.parent / "cache"),
        "COLUMNS": str(WIDTH),
        "FORCE_COLOR": "1",
    }
    shell = ["bash", "-c", f"{command} 2>&1"]
    done = subprocess.run(shell, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    return done.stdout.rstrip("\n")


def record(commands: tuple[str, ...], folder: Path) -> Text:
    """What a terminal would show."""
    screen = Text()
    for command in commands:
        output = run(command, folder)
        screen.append("$ ", "bold green").append(command + "\n", "bold")
        if output:
            screen.append_text(Text.from_ansi(output)).append("\n\n")
    screen.rstrip()
    return screen


def draw(name: str, commands: tuple[str, ...]) -> None:
    """Runs the commands and writes the picture. Its letters are the viewer's: a picture fetches no fonts."""
    with example() as folder:
        console = Console(record=True, width=WIDTH, file=io.StringIO())
        console.print(record(commands, folder))
        svg = console.export_svg(title="meter-reader")
        (PICTURES / f"{name}.svg").write_text(_FONT.sub("", svg), encoding="utf-8")


def photograph(name: str, command: str, height: int) -> None:
    """Runs the command and writes its page as a browser shows it."""
    with example() as folder:
        told = run(command, folder)
        if not (folder / "page.html").exists():
            sys.exit(f"{command} wrote no page:\n{told}")
        for scheme, number in (("dark", 0), ("light", 1)):
            options = (
                f"--user-data-dir={folder.parent / scheme}",
                f"--blink-settings=preferredColorScheme={number}",
                f"--window-size=1000,{height}",
                f"--screenshot={PICTURES / f'{name}-{scheme}.png'}",
            )
            subprocess.run(
                [str(CHROMIUM), *_FLAGS, *options, str(folder / "page.html")], capture_output=True, check=True
            )


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    for name, commands in RUNS.items():
        draw(name, commands)
    for name, (command, height) in PAGES.items() if CHROMIUM else ():
        photograph(name, command, height)


if __name__ == "__main__":
    main()

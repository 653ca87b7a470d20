"""Every command that docs/ shows is run: a page is one sandbox, its blocks run in order.

A `console` block is preceded by `<!-- run -->` (an empty folder) or `<!-- run: example -->` (a copy of the example);
a block after `<!-- file: NAME -->` is written to that file. `# exits N` after a command says that it ends with N.
Blocks in other languages (`sh`, `yaml`, `toml`) are not run: they need a network, a device or another machine, as
their page says.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "example_project" / "README.md"]
BLOCK = re.compile(
    r"(?:<!-- (?P<verb>run|file)(?:: (?P<argument>.+?))? -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```",
    re.MULTILINE | re.DOTALL,
)
EXITS = re.compile(r"\s+# exits (\d+)$")

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Block:
    verb: str
    argument: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [
        Block(match["verb"] or "", match["argument"] or "", match["text"])
        for match in BLOCK.finditer(page.read_text(encoding="utf-8"))
        if match["verb"] or match["language"] == "console"
    ]


def runnable(page: Path) -> bool:
    return any(block.verb == "run" for block in blocks(page))


class Shell:
    """A folder and the commands run in it; `cd` lasts."""

    def __init__(self, home: Path) -> None:
        self.home, self.cwd = home, home / "empty"
        self.cwd.mkdir()
        self.environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "EXAMPLE": str(ROOT / "example_project"),
            "COLUMNS": "120",
            "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org",
            "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
        }  # fmt: skip

    def enter_example(self) -> None:
        self.cwd = self.home / "example"
        if not self.cwd.exists():
            ignore = shutil.ignore_patterns("*_edgetpu.tflite", "__pycache__", "dist", "edgetpu.lock")
            shutil.copytree(ROOT / "example_project", self.cwd, ignore=ignore)

    def run(self, line: str) -> None:
        command, expected = EXITS.sub("", line), EXITS.search(line)
        script = f"{command}\nstatus=$?\npwd > {self.home}/cwd\nexit $status"
        process = ["bash", "-c", script]
        done = subprocess.run(
            process, cwd=self.cwd, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == (int(expected[1]) if expected else 0), f"$ {command}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        self.cwd = Path((self.home / "cwd").read_text().strip())


@pytest.mark.parametrize(
    "page", [page for page in PAGES if runnable(page)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_the_commands_of_a_page_run(page: Path, tmp_path: Path) -> None:
    if shutil.which("unzip") is None and "unzip" in page.read_text(encoding="utf-8"):
        pytest.skip("unzip is not installed")
    shell = Shell(tmp_path)
    for block in blocks(page):
        if block.verb == "file":
            (shell.cwd / block.argument).write_text(block.text, encoding="utf-8")
            continue
        if block.argument == "example":
            shell.enter_example()
        for line in block.text.splitlines():
            if line.startswith("$ "):
                shell.run(line[2:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_command_is_shown_that_is_not_run(page: Path) -> None:
    assert [block.text for block in blocks(page) if block.verb == ""] == []

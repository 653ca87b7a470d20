"""A build that is told to stop stops, with everything that it started, and leaves nothing half done."""

from __future__ import annotations

import os
import select
import signal
import sys
from pathlib import Path

import pytest

from tests.crash.project import PYPROJECT, Tree
from tests.support.store_check import temps

pytestmark = [pytest.mark.crash, pytest.mark.slow]
COMPILER = """\
#!/bin/sh
case "$*" in *version*) echo "Edge TPU Compiler version 16.0.384591198"; exit 0;; esac
echo $$ > {started}
exec sleep 600
"""


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A project whose compiler says its process id and then takes its time."""
    tree = Tree(tmp_path / "project", tmp_path / "store")
    tree.write()
    script = tmp_path / "compiler"
    script.write_text(COMPILER.format(started=tmp_path / "started"))
    script.chmod(0o755)
    os.mkfifo(tmp_path / "started")
    (tree.root / "pyproject.toml").write_text(
        PYPROJECT.replace('"builtin"', f'"google"\ncompiler-command = ["{script}"]')
    )
    return tree


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("everybody", [True, False], ids=["from a terminal", "to the build alone"])
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_build_that_is_interrupted(tree: Tree, sent: signal.Signals, code: int, everybody: bool) -> None:
    started = os.open(tree.root.parent / "started", os.O_RDWR)
    build = tree.start("-j1")
    assert select.select([started], [], [], 60)[0], build.communicate()
    compiler = Path(f"/proc/{int(os.read(started, 20))}/cmdline")
    os.close(started)
    (os.killpg if everybody else os.kill)(build.pid, sent)
    _, told = build.communicate(timeout=20)
    assert build.returncode in (code, -sent), told
    assert "Traceback" not in told
    assert not (compiler.exists() and b"sleep" in compiler.read_bytes())
    assert tree.products() == {}
    assert not temps(tree.root.parent)

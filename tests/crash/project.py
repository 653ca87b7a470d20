"""A small project that is built by real processes, killed in between, and looked at from outside."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support import store_check
from tests.support.models import conv_net, dense_net

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

COMMAND = [sys.executable, "-m", "edgetpu_build"]
PYPROJECT = """\
[tool.edgetpu]
compiler = "builtin"
out-dir = "out"

[tool.edgetpu.models.one]
source = "models/one.tflite"

[tool.edgetpu.models.two]
source = "models/two.tflite"

[tool.edgetpu.models.three]
source = "models/three.tflite"
segments = 2

[tool.edgetpu.groups.pair]
models = ["one", "two"]
"""


@cache
def models(seed: int) -> dict[str, bytes]:
    """Every model of the project; equal seeds are equal bytes, other seeds other weights of the same size."""
    return {
        "one": conv_net(layers=2, seed=seed),
        "two": dense_net(seed=seed),
        "three": conv_net(layers=4, seed=seed),
    }


@dataclass(frozen=True)
class Tree:
    """One checkout and the store that it uses."""

    root: Path
    store: Path

    def write(self, seed: int = 0) -> None:
        """Sources of that seed."""
        (self.root / "models").mkdir(parents=True, exist_ok=True)
        (self.root / "pyproject.toml").write_text(PYPROJECT)
        for name, data in models(seed).items():
            (self.root / "models" / f"{name}.tflite").write_bytes(data)

    def environment(self, **more: str) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("EDGETPU_BUILD_")}
        return {**inherited, "EDGETPU_BUILD_CACHE_DIR": str(self.store), "HOME": str(self.root.parent), **more}

    def build(self, *arguments: str, under: tuple[str, ...] = (), **more: str) -> subprocess.CompletedProcess[str]:
        """A whole `edgetpu-build build`; ``under``: a command that runs it. Also ends when a child outlives it."""
        command = [*under, *COMMAND, "build", *arguments]
        return subprocess.run(
            command,
            cwd=self.root,
            env=self.environment(**more),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The same in a session of its own, not waited for."""
        return subprocess.Popen(
            [*COMMAND, "build", *arguments],
            cwd=self.root,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def products(self) -> dict[str, str]:
        """Digest of every file that is not a source; temporary ones left out."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            name = str(path.relative_to(self.root))
            if path.is_file() and not name.startswith(("models/", "pyproject.toml")) and store_check.TEMP not in name:
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def clean(self) -> None:
        """Forget everything that was built."""
        shutil.rmtree(self.store, ignore_errors=True)
        shutil.rmtree(self.root / "out", ignore_errors=True)
        (self.root / "edgetpu.lock").unlink(missing_ok=True)

    def problems(self, *allowed: dict[str, str]) -> list[str]:
        """What may never be, at whatever moment a build was killed. ``allowed``: the products of whole builds.

        Every product is that of some whole build, and so is every output that the lock names, by digest; the store is
        sound; nothing is where nothing belongs.
        """
        found = store_check.problems(self.store)
        for name, digest in self.products().items():
            if name not in {name for products in allowed for name in products}:
                found.append(f"{name} has no business here")
            elif name != "edgetpu.lock" and digest not in {products.get(name) for products in allowed}:
                found.append(f"{name} is neither old nor new")
        return found + self._lock_problems(allowed)

    def _lock_problems(self, allowed: tuple[dict[str, str], ...]) -> list[str]:
        lock = self.root / "edgetpu.lock"
        if not lock.exists():
            return []
        named = _outputs(tomllib.loads(lock.read_text()))
        right = {(name, digest) for products in allowed for name, digest in products.items()}
        return [f"the lock names {path} with a digest of no build" for path, sha in named if (path, sha) not in right]


def _outputs(node: object) -> list[tuple[str, str]]:
    """Path and digest of every output in a lock, wherever they stand in it."""
    if isinstance(node, list):
        return [pair for item in node for pair in _outputs(item)]
    if not isinstance(node, dict):
        return []
    if "path" in node and "sha256" in node and "masked_sha256" in node:
        return [(node["path"], node["sha256"])]
    return [pair for value in node.values() for pair in _outputs(value)]

"""A project as every command sees it: where it is, what it asks for, and the store that serves it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from edgetpu_build.compiler import choose
from edgetpu_build.compiler.interface import Backend
from edgetpu_build.config.model import Config
from edgetpu_build.store import Store
from edgetpu_build.store.state import project_dir

PYPROJECT = "pyproject.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """``root`` is a real path. ``env``: the environment that the configuration was read with.

    ``backend``: how to come by a compiler, given its name.
    """

    root: Path
    config: Config
    env: Mapping[str, str]
    store: Store
    backend: Callable[..., Backend] = choose.backend

    @classmethod
    def load(cls, root: Path, env: Mapping[str, str]) -> Project:
        """The project whose pyproject.toml lies in ``root``. Raises ETB2nn with every fault of its configuration."""
        from edgetpu_build.config.load import load
        from edgetpu_build.store import Remote, open_store

        root = Path(os.path.realpath(root))
        config = _placed(load(root, env), root)
        remotes = [Remote(one.url, one.mode == "read-write", one.from_env) for one in config.remote_cache]
        store = open_store(env, remotes=remotes, write_errors=config.write_errors)
        return cls(root=root, config=config, env=env, store=store)

    @property
    def state(self) -> str:
        """The folder in the cache for what is known of this checkout."""
        return str(project_dir(self.root, self.env))

    @property
    def unpacked_sdist(self) -> bool:
        """Whether the root is what an sdist unpacks to: then nothing is compiled, and content alone is trusted."""
        return (self.root / "PKG-INFO").is_file()


def _placed(config: Config, root: Path) -> Config:
    """`compiler-command` as it is meant wherever the build runs: a file of the project by its full path."""
    program, *words = config.compiler_command
    if "/" not in program or not (root / program).is_file():
        return config
    return replace(config, compiler_command=(str(root / program), *words))


def find_root(start: Path) -> Path:
    """The nearest folder, from ``start`` up, whose pyproject.toml has `[tool.edgetpu]`; else the nearest that has one.

    Without one: ``start`` itself, so that loading says what is missing.
    """
    first: Path | None = None
    for folder in (start.absolute(), *start.absolute().parents):
        try:
            text = (folder / PYPROJECT).read_bytes()
        except OSError:
            continue
        if b"edgetpu" in text:
            return folder
        first = first or folder
    return first or start

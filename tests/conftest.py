"""Every test runs with a home and a cache of its own; the real ones are out of reach.

Variables point into the test's folder; an audit hook fails whatever opens, lists or changes the real store from this
process, or starts another with an environment that leads there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine must fail no test, and no folder is left in the checkout.
settings.register_profile("quiet", deadline=None, database=None)
settings.load_profile("quiet")

_PREFIXES = ("EDGETPU_BUILD_", "GIT_")
_EVENTS = {"open", "os.listdir", "os.scandir", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.utime", "os.chmod"}
REAL_HOME = os.path.expanduser("~")


def real_stores() -> tuple[str, ...]:
    """Every folder that the store of whoever started this session may be in."""
    found = [os.environ.get("EDGETPU_BUILD_CACHE_DIR"), os.path.join(REAL_HOME, ".cache", "edgetpu-build")]
    if base := os.environ.get("XDG_CACHE_HOME"):
        found.append(os.path.join(base, "edgetpu-build"))
    return tuple(os.path.abspath(path) for path in found if path)


REAL_STORES = real_stores()


def _forbid(event: str, arguments: tuple[object, ...]) -> None:
    if event == "subprocess.Popen":
        environment = arguments[3]
        if isinstance(environment, Mapping) and _inside(store_of(environment)):
            raise PermissionError(f"a test starts a process that would use the real store: {arguments[1]!r}")
    elif event in _EVENTS:
        for argument in arguments[:2]:
            if isinstance(argument, (str, bytes)) and _inside(os.fsdecode(argument)):
                raise PermissionError(f"a test touched the real store: {event} {argument!r}")


def store_of(environment: Mapping[str, str]) -> str:
    """Where a process of that environment keeps its store."""
    if asked := environment.get("EDGETPU_BUILD_CACHE_DIR"):
        return asked
    base = environment.get("XDG_CACHE_HOME") or os.path.join(environment.get("HOME", REAL_HOME), ".cache")
    return os.path.join(base, "edgetpu-build")


def _inside(path: str) -> bool:
    return any(path == store or path.startswith(store + os.sep) for store in REAL_STORES)


@pytest.fixture(scope="session", autouse=True)
def _real_store_forbidden() -> None:
    sys.addaudithook(_forbid)


@pytest.fixture(autouse=True)
def own_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, _real_store_forbidden: None
) -> Path:
    """The home of this test: empty, with ``.cache`` beside it; downloads of pip and uv are shared by the session."""
    base = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith(_PREFIXES)]:
        monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "SOURCE_DATE_EPOCH", "CI", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    downloads = tmp_path_factory.getbasetemp() / "downloads"
    monkeypatch.setenv("HOME", str(base))
    monkeypatch.setenv("XDG_CACHE_HOME", str(base / ".cache"))
    monkeypatch.setenv("EDGETPU_BUILD_CACHE_DIR", str(base / ".cache" / "edgetpu-build"))
    monkeypatch.setenv("UV_CACHE_DIR", str(downloads / "uv"))
    monkeypatch.setenv("PIP_CACHE_DIR", str(downloads / "pip"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return base

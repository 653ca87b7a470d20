"""Every test runs with a home and a cache of its own; the real ones are out of reach.

Two guards, because children inherit the environment but not an audit hook: variables that point into the test's folder,
and a hook that fails whatever opens, lists or changes the real store from this process. At the end of the session the
real store must be as it was.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_PREFIXES = ("EDGETPU_BUILD_", "GIT_")
_EVENTS = {"open", "os.listdir", "os.scandir", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.utime", "os.chmod"}


def real_stores() -> tuple[str, ...]:
    """Every folder that the store of whoever started this session may be in."""
    home = os.path.expanduser("~")
    found = [os.environ.get("EDGETPU_BUILD_CACHE_DIR"), os.path.join(home, ".cache", "edgetpu-build")]
    if base := os.environ.get("XDG_CACHE_HOME"):
        found.append(os.path.join(base, "edgetpu-build"))
    return tuple(os.path.abspath(path) for path in found if path)


REAL_STORES = real_stores()


def _forbid(event: str, arguments: tuple[object, ...]) -> None:
    if event not in _EVENTS:
        return
    for argument in arguments[:2]:
        if isinstance(argument, (str, bytes)) and _inside(os.fsdecode(argument)):
            raise PermissionError(f"a test touched the real store: {event} {argument!r}")


def _inside(path: str) -> bool:
    return any(path == store or path.startswith(store + os.sep) for store in REAL_STORES)


def _stamp(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


@pytest.fixture(scope="session", autouse=True)
def _real_store_untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    sys.addaudithook(_forbid)
    before = [_stamp(path) for path in REAL_STORES]
    yield
    assert [_stamp(path) for path in REAL_STORES] == before, "a child process of a test touched the real store"


@pytest.fixture(autouse=True)
def own_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, _real_store_untouched: None
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

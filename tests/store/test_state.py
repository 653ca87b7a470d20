"""The folder of a checkout is where the build with nothing to do looks for it."""

from __future__ import annotations

from pathlib import Path

from edgetpu_build import noop
from edgetpu_build.store import open_store
from edgetpu_build.store.state import project_dir


def test_is_in_the_store_and_where_noop_looks(tmp_path: Path) -> None:
    for env in ({"EDGETPU_BUILD_CACHE_DIR": f"{tmp_path}/c"}, {"XDG_CACHE_HOME": str(tmp_path)}, {}):
        folder = project_dir(tmp_path, env)
        assert folder.parent == Path(open_store(env).root, "projects")
        assert str(folder) == noop.state_dir(str(tmp_path), env)


def test_each_checkout_has_its_own_whatever_way_leads_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    assert project_dir(tmp_path / "a", {}) == project_dir(tmp_path / "link", {})
    assert project_dir(tmp_path / "a", {}) != project_dir(tmp_path, {})


def test_the_key_is_fnv_1a() -> None:
    assert noop.root_key(b"") == "cbf29ce484222325"
    assert noop.root_key(b"foobar") == "85944171f73967e8"

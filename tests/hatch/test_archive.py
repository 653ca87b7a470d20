"""Names as gitignore patterns, and the look into a finished archive."""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

import pathspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetpu_hooks.archive import Entry, missing, pattern

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\0"), min_size=1, max_size=12)
PATHS = st.lists(NAMES.filter(lambda n: n not in {".", ".."}), min_size=1, max_size=3).map("/".join)


@given(PATHS, PATHS)
def test_a_pattern_matches_its_path_and_no_other(path: str, other: str) -> None:
    spec = pathspec.GitIgnoreSpec.from_lines([pattern(path)])
    assert spec.match_file(path)
    if other != path and not other.startswith(f"{path}/"):
        assert not spec.match_file(other)


def entry(inside: str, data: bytes) -> Entry:
    return Entry(path=inside, inside=inside, sha256=hashlib.sha256(data).hexdigest())


@pytest.fixture(params=["wheel", "sdist"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / ("a.whl" if request.param == "wheel" else "a.tar.gz")
    if request.param == "wheel":
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr("p/good", b"good")
            wheel.writestr("p/bad", b"other")
    else:
        with tarfile.open(path, "w:gz") as sdist:
            for name, data in (("a-1/p/good", b"good"), ("a-1/p/bad", b"other")):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                sdist.addfile(info, BytesIO(data))
    return path


def test_what_is_absent_or_differs_is_named(archive: Path) -> None:
    wanted = [entry("p/good", b"good"), entry("p/bad", b"bad"), entry("p/gone", b"")]
    assert missing(archive, wanted) == ("p/bad (differs)", "p/gone (absent)")

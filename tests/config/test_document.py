from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.config import document
from edgetpu_build.config.lines import key_lines
from edgetpu_build.config.load import load, memo_path
from edgetpu_build.config.toml import TOMLDecodeError, loads

TEXT = """
[tool.edgetpu]
compiler-command = ["a", "b"]
"jobs" = 2
[tool.edgetpu.models.one]
source = "a.tflite"
budget = { off-chip = "1 KiB", strict-figures = true }
[[tool.uv.index]]
weight = 1.5
"""
OTHER = "[tool.edgetpu]\njobs = 3\n"
READ = document.Document(loads(TEXT), key_lines(TEXT))


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be read anew."""
    monkeypatch.setattr("edgetpu_build.config.toml.loads", None)
    monkeypatch.setattr("edgetpu_build.config.lines.key_lines", None)


def kept(folder: Path, text: str = TEXT) -> str:
    memo = str(folder / "document")
    document.read(text, memo)
    return memo


def test_the_second_time_nothing_is_read_anew(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    memo = kept(tmp_path)
    request.getfixturevalue("unread")
    assert document.read(TEXT, memo) == READ


def test_another_text_is_read_anew_and_takes_the_place_of_the_first(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    memo = kept(tmp_path)
    assert document.read(OTHER, memo).tree == loads(OTHER)
    request.getfixturevalue("unread")
    assert document.read(OTHER, memo).lines == key_lines(OTHER)


def test_another_version_reads_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memo = kept(tmp_path)
    before = Path(memo).read_bytes()
    monkeypatch.setattr(document, "_MAKER", b"another\0")
    assert document.read(TEXT, memo) == READ
    assert Path(memo).read_bytes() != before


@given(at=st.integers(0, 2000), flip=st.integers(1, 255), length=st.integers(0, 2000))
def test_a_damaged_memo_is_no_memo(tmp_path_factory: pytest.TempPathFactory, at: int, flip: int, length: int) -> None:
    memo = kept(tmp_path_factory.mktemp("memo"))
    whole = Path(memo).read_bytes()
    flipped = bytearray(whole)
    flipped[at % len(whole)] ^= flip
    for damaged in (bytes(flipped), whole[: length % len(whole)], whole + b"x", b""):
        Path(memo).write_bytes(damaged)
        assert document.read(TEXT, memo) == READ
        assert Path(memo).read_bytes() == whole


def test_what_cannot_be_kept_is_read_all_the_same(tmp_path: Path) -> None:
    for text in ("day = 2024-05-06\n", TEXT):
        memo = str(tmp_path / ("no-folder/memo" if text is TEXT else "memo"))
        assert document.read(text, memo).tree == loads(text)
        assert not Path(memo).exists()


def test_what_is_no_toml_is_told_and_not_kept(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(TOMLDecodeError):
            document.read("a = = b", str(tmp_path / "memo"))
    assert not (tmp_path / "memo").exists()


def test_a_configuration_is_the_same_with_and_without_its_memo(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(TEXT)
    env = {"EDGETPU_BUILD_CACHE_DIR": str(tmp_path / "cache")}
    memo = Path(memo_path(tmp_path, env))
    first = load(tmp_path, env)
    assert not memo.exists()
    memo.parent.mkdir(parents=True)
    assert load(tmp_path, env) == first
    assert memo.exists()
    again = load(tmp_path, env)
    assert again == first
    assert again.models[0].lines == first.models[0].lines == {"": 5, "source": 6, "budget": 7}

"""The guard around the real user's store bites."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import REAL_HOME, REAL_STORES


@pytest.mark.parametrize("store", REAL_STORES)
def test_the_real_store_cannot_be_touched(store: str) -> None:
    for touch in (os.listdir, os.mkdir, os.remove, os.utime, lambda path: os.open(path + "/v1/ac/x", os.O_RDONLY)):
        with pytest.raises(PermissionError, match="touched the real store"):
            touch(store)
    with pytest.raises(PermissionError, match="touched the real store"):
        os.rename(__file__ + ".absent", store)


@pytest.mark.parametrize(
    "environment", [{}, {"HOME": REAL_HOME}, {"HOME": "/elsewhere", "EDGETPU_BUILD_CACHE_DIR": REAL_STORES[0]}]
)
def test_no_child_can_be_sent_there(environment: dict[str, str]) -> None:
    with pytest.raises(PermissionError, match="would use the real store"):
        subprocess.run([sys.executable, "-c", ""], env=environment, check=False)
    subprocess.run([sys.executable, "-c", ""], env={"HOME": "/elsewhere"}, check=True)


def test_home_and_cache_are_the_tests_own(own_home: Path) -> None:
    assert Path.home() == own_home
    for name in ("HOME", "XDG_CACHE_HOME", "EDGETPU_BUILD_CACHE_DIR"):
        assert Path(os.environ[name]).is_relative_to(own_home)
    assert not any(Path(store).is_relative_to(own_home) for store in REAL_STORES)


def test_children_see_the_same_home(own_home: Path) -> None:
    code = "import pathlib, os; print(pathlib.Path.home(), os.environ['EDGETPU_BUILD_CACHE_DIR'])"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert [Path(path).is_relative_to(own_home) for path in shown] == [True, True]


@given(st.integers())
def test_properties_have_it_too(number: int) -> None:
    assert str(Path.home()) != REAL_HOME

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.project import Yard


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard.at(tmp_path)

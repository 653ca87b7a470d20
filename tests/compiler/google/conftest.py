from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.standin.recording import Recording


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path / "standin")

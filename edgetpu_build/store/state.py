"""Where the store keeps what is known of one checkout: its stat index, say. Per machine, never shared, safe to delete.

``noop`` names the folder, because the build with nothing to do must find it without importing this.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from edgetpu_build import noop


def project_dir(root: Path, env: Mapping[str, str]) -> Path:
    """The folder for what is known of the project at ``root``; it need not exist yet.

    Two roots may share a folder (a 64-bit hash names it), so what is kept there names its root.
    """
    return Path(noop.state_dir(os.path.realpath(root), env))

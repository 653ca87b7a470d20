"""Names of classes that travel with a model: text files in the zip that TensorFlow's metadata writer appends."""

from __future__ import annotations

import io
import zipfile


def labels(data: bytes, count: int) -> tuple[str, ...]:
    """Labels for ``count`` classes: of the file with as many lines, else of the first; empty where there is none."""
    found = list(_files(data))
    fitting = [lines for lines in found if len(lines) == count]
    return (fitting or found or [()])[0]


def _files(data: bytes) -> list[tuple[str, ...]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [name for name in archive.namelist() if name.endswith(".txt")]
            return [tuple(archive.read(name).decode("utf-8", "replace").splitlines()) for name in names]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, OSError):
        return []

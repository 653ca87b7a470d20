"""Bytes to a model."""

from __future__ import annotations

from edgetpu_build.tflite.model import Model


def read(data: bytes | memoryview, *, label: str = "") -> Model:
    """The model in a .tflite file; ETB301, ETB302 or ETB303 for anything else. ``label`` goes into messages."""
    raise NotImplementedError

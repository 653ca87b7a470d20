"""A file as a model's input: arrays as numpy saves them, and pictures.

Pictures become what most models were trained on: unsigned bytes as they are, signed ones 128 less, floats in 0..1;
another size is reached by taking the nearest pixel, grey is repeated for three channels, and colours are averaged for
one. PGM and PPM are read here, everything else by Pillow where it is installed. Whoever needs more saves an array.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetpu_build.errors import EdgeTpuBuildError, error

Array = NDArray[Any]
_CHANNELS = {b"P5": 1, b"P6": 3}


def load(path: str, details: Mapping[str, Any]) -> Array:
    """The file as an array for the input with these ``details``; ETB211, ETB215 or ETB216 where that fails."""
    file = Path(path)
    if not file.is_file():
        raise error("ETB211", f"`{path}` is not a file", "name an array (.npy) or a picture")
    data = file.read_bytes()
    try:
        array = _array(file) if data[:6] == b"\x93NUMPY" else _fitted(_picture(file, data), details)
    except EdgeTpuBuildError:
        raise
    except (ValueError, OSError, EOFError) as problem:
        raise error("ETB216", f"`{path}` cannot be read: {problem}") from None
    return _cast(array, details, path)


def made_up(details: Mapping[str, Any]) -> Array:
    """Numbers of a fixed seed: the whole range of integers, 0..1 for floats."""
    rng, dtype, shape = np.random.default_rng(0), np.dtype(details["dtype"]), tuple(details["shape"])
    if dtype.kind not in "iu":
        return rng.random(shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def _array(file: Path) -> Array:
    array: Array = np.load(file, allow_pickle=False)
    return array


def _cast(array: Array, details: Mapping[str, Any], path: str) -> Array:
    """In the input's shape, for which the batch may be left out, and type; real numbers are quantised."""
    dtype, shape = np.dtype(details["dtype"]), tuple(int(size) for size in details["shape"])
    if array.shape not in (shape, shape[1:]):
        raise error(
            "ETB216", f"`{path}` has the shape {list(array.shape)}, the input `{details['name']}` {list(shape)}"
        )
    if array.dtype.kind == "f" and dtype.kind in "iu" and details["quantization"][0]:
        scale, zero = details["quantization"]
        limits = np.iinfo(dtype)
        array = np.clip(np.round(array / scale + zero), limits.min, limits.max)
    elif array.dtype != dtype and not np.can_cast(array.dtype, dtype):
        raise error("ETB216", f"`{path}` holds {array.dtype}, the input `{details['name']}` wants {dtype}")
    return array.astype(dtype).reshape(shape)


def _picture(file: Path, data: bytes) -> Array:
    """Bytes [height, width, channels]."""
    if data[:2] in _CHANNELS:
        return _pnm(data)
    try:
        from PIL import Image  # type: ignore[import-not-found]
    except ImportError:
        hint = "`pip install pillow`, or save it as .npy, .pgm or .ppm"
        raise error(
            "ETB215", f"`{file}` is neither an array nor PGM or PPM, and Pillow is not installed", hint
        ) from None
    with Image.open(file) as image:
        return np.atleast_3d(np.asarray(image if image.mode in ("L", "RGB") else image.convert("RGB")))


def _pnm(data: bytes) -> Array:
    """Binary PGM or PPM (https://netpbm.sourceforge.net/doc/ppm.html) with one byte a sample."""
    words: list[bytes] = []
    at = 0
    while len(words) < 4:
        end = at
        while data[end : end + 1].isspace() or data[end : end + 1] == b"#":
            end = data.index(b"\n", end) + 1 if data[end : end + 1] == b"#" else end + 1
        at = end
        while not data[at : at + 1].isspace():
            if at >= len(data):
                raise ValueError("it ends in its head")
            at += 1
        words.append(data[end:at])
    wide, high, most = map(int, words[1:])
    channels = _CHANNELS[words[0]]
    if most > 255:
        raise ValueError(f"its samples go up to {most}, known are 255 and less")
    return np.frombuffer(data, np.uint8, high * wide * channels, at + 1).reshape(high, wide, channels)


def _fitted(picture: Array, details: Mapping[str, Any]) -> Array:
    """The picture as [batch, height, width, channels] of the input."""
    shape = tuple(details["shape"])
    if len(shape) != 4 or shape[0] != 1:
        raise ValueError(f"the input `{details['name']}` of shape {list(shape)} takes no picture")
    _, high, wide, channels = shape
    rows = np.arange(high) * picture.shape[0] // high
    columns = np.arange(wide) * picture.shape[1] // wide
    pixels = picture[rows][:, columns].astype(np.float64)
    if channels != picture.shape[2]:
        pixels = pixels.mean(axis=2, keepdims=True).repeat(channels, axis=2)
    dtype = np.dtype(details["dtype"])
    if dtype.kind == "f":
        pixels /= 255
    elif dtype.kind == "i":
        pixels = np.round(pixels) - 128
    fitted: Array = pixels[None].astype(dtype)
    return fitted

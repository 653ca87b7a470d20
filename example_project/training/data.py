"""The cells of a water meter's counter, made from scikit-learn's handwritten digits (they ship inside the package).

A cell is 16 x 16 grey values in 0..1. Readable cells hold one digit; unreadable ones are blank, smeared, or caught
half-way between two digits, as the wheels of a mechanical counter are.
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

CELL = 16
HELD_OUT = 400


def digits() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """((train images, labels), (held-out images, labels)): images are float32 [n, 16, 16, 1] in 0..1."""
    data = load_digits()
    images = np.repeat(np.repeat(data.images / 16.0, 2, axis=1), 2, axis=2).astype("float32")[..., None]
    labels = data.target.astype("int32")
    train, held, train_labels, held_labels = train_test_split(
        images, labels, test_size=HELD_OUT, random_state=7, stratify=labels
    )
    return (train, train_labels), (held, held_labels)


def jitter(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each image moved by up to two pixels, brightened or dimmed, with a little noise."""
    moved = np.stack([np.roll(i, rng.integers(-2, 3, size=2), axis=(0, 1)) for i in images])
    gain = rng.uniform(0.7, 1.0, size=(len(images), 1, 1, 1))
    return np.clip(moved * gain + rng.normal(0, 0.03, size=images.shape), 0, 1).astype("float32")


def unreadable(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One unreadable cell for each image: blank, smeared over its height, or half of it and half of another."""
    others = images[rng.permutation(len(images))]
    kind = rng.integers(0, 3, size=len(images))
    blank = np.zeros_like(images)
    smeared = np.repeat(images.mean(axis=1, keepdims=True), CELL, axis=1)
    rolled = np.concatenate([images[:, CELL // 2 :], others[:, : CELL // 2]], axis=1)
    return np.choose(kind[:, None, None, None], [blank, smeared, rolled]).astype("float32")


def readability(images: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(cells, labels): label 1 is readable, 0 is not; as many of one as of the other."""
    cells = np.concatenate([jitter(images, rng), jitter(unreadable(images, rng), rng)])
    return cells, np.repeat(np.array([1, 0], "int32"), len(images))

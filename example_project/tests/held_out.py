"""The compiled models and the originals on cells that training never saw: the same answers, byte for byte, or exit 1.

python tests/held_out.py [--save COUNTER.npy]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from meter_reader.models import open_on_cpu, open_on_edgetpu

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "training"))

import data  # noqa: E402 - after the path is set


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare compiled models with the originals on held-out digits.")
    parser.add_argument("--save", type=Path, metavar="COUNTER.npy", help="save six of the digits as a counter")
    arguments = parser.parse_args()
    images, labels = data.digits()[1]
    cells, readable = data.readability(images, np.random.default_rng(1))
    differing = sum(
        compare(name, *given)
        for name, *given in (("finder", cells, readable), ("digits", images, labels), ("judge", images, labels))
    )
    if arguments.save:
        np.save(arguments.save, np.concatenate(list(images[:6, ..., 0]), axis=1))
        print(f"{arguments.save} shows {''.join(map(str, labels[:6]))}")
    return int(differing > 0)


def compare(name: str, images: np.ndarray, labels: np.ndarray) -> int:
    """Prints one line; the number of cells whose answers differ."""
    compiled = open_on_edgetpu(name)(images)
    original = open_on_cpu(name, ROOT / "models")(images)
    differing = int((compiled != original).any(axis=1).sum())
    right = (compiled.argmax(axis=1) == labels).mean()
    print(f"{name}: {len(images)} cells, {right:.1%} right, {differing} answered otherwise than by the original")
    return differing


if __name__ == "__main__":
    sys.exit(main())

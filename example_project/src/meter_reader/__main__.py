"""`meter-reader PICTURE.npy [--cpu MODELS]`: prints the reading of a counter."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from meter_reader.models import open_on_cpu, open_on_edgetpu
from meter_reader.reader import read


def main() -> None:
    parser = argparse.ArgumentParser(prog="meter-reader", description="Read the counter of a water meter.")
    parser.add_argument("picture", type=Path, help="grey values in 0..1, 16 x 16 per digit, saved by numpy")
    parser.add_argument("--cpu", type=Path, metavar="MODELS", help="run the uncompiled models of this folder instead")
    arguments = parser.parse_args()
    opened = partial(open_on_cpu, folder=arguments.cpu) if arguments.cpu else open_on_edgetpu
    reading = read(np.load(arguments.picture), opened("finder"), opened("digits"), opened("judge"))
    print(reading.text)


if __name__ == "__main__":
    main()

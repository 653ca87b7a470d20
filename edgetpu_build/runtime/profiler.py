"""Latency measured on a real Edge TPU: what `partition --profiler device` asks.

A segment is measured alone, so one device does for any number of segments.
"""

from __future__ import annotations

import time

from edgetpu_build.runtime import silicon
from edgetpu_build.runtime.edgetpu import make_interpreter

RUNS = 10
TYPES = {"pcionly": ("pci",), "usbonly": ("usb",), "any": ("pci", "usb")}
"""`--device_type` -> the types that libedgetpu tells."""


def device(wanted: str) -> str:
    """The name of the first real device of a `--device_type`, "" if none is plugged in."""
    found = [one["type"] for one in silicon.devices()]
    return next((f"{kind}:0" for kind in TYPES[wanted] if kind in found), "")


def milliseconds(artifact: bytes, name: str, runs: int = RUNS) -> float:
    """Mean time of an inference on zeros, the first one, which loads the parameters, left out."""
    interpreter = make_interpreter(artifact, device=name)
    interpreter.allocate_tensors()
    interpreter.invoke()
    started = time.perf_counter()
    for _ in range(runs):
        interpreter.invoke()
    return (time.perf_counter() - started) * 1000 / runs

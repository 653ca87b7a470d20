"""The compiled models that travel in this wheel, and how to open them.

``finder`` and ``digits`` were compiled together and stay on one Edge TPU; ``judge`` is a pipeline of two segments.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np

Network = Callable[[np.ndarray], np.ndarray]
"""float32 cells [n, 16, 16, 1] in 0..1 -> float32 probabilities [n, classes]."""


def compiled(name: str) -> list[Path]:
    """The files of one model, in order of the pipeline: one, or one a segment."""
    folder = Path(str(files(__package__))) / "models"
    segments = sorted(folder.glob(f"{name}_segment_*_edgetpu.tflite"))
    found = segments or [path for path in [folder / f"{name}_edgetpu.tflite"] if path.exists()]
    if not found:
        raise FileNotFoundError(f"no compiled `{name}` in {folder}: build the package first (`edgetpu-build build`)")
    return found


def open_on_edgetpu(name: str) -> Network:
    """The compiled model on Edge TPUs, one device a segment.

    The files know what they were made for: real devices (which need libedgetpu), or the simulated one.
    """
    from edgetpu_build.runtime import make_interpreter

    return _chain([make_interpreter(path, device=f":{number}") for number, path in enumerate(compiled(name))])


def open_on_cpu(name: str, folder: Path) -> Network:
    """The model as it was before compiling, from a checkout's ``models`` folder, on the CPU."""
    from ai_edge_litert.interpreter import Interpreter

    return _chain([Interpreter(str(folder / f"{name}.tflite"))])


def _chain(interpreters: list) -> Network:
    """Runs cells through the interpreters one after another, matching their tensors by order."""
    for interpreter in interpreters:
        interpreter.allocate_tensors()

    def run(cell: np.ndarray) -> np.ndarray:
        scale, zero = interpreters[0].get_input_details()[0]["quantization"]
        values = [np.clip(np.round(cell[None] / scale + zero), -128, 127).astype("int8")]
        for interpreter in interpreters:
            for details, value in zip(interpreter.get_input_details(), values, strict=True):
                interpreter.set_tensor(details["index"], value)
            interpreter.invoke()
            outputs = interpreter.get_output_details()
            values = [interpreter.get_tensor(details["index"]) for details in outputs]
        scale, zero = outputs[0]["quantization"]
        return (values[0][0].astype("float32") - zero) * scale

    return lambda cells: np.stack([run(cell) for cell in cells])

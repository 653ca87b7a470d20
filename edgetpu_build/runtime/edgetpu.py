"""``pycoral.utils.edgetpu`` under its own names, for compiled files of either kind.

A file says itself whether silicon or the simulated device runs it; an application need not know.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

import numpy as np

from edgetpu_build import __version__
from edgetpu_build.runtime import devices, silicon
from edgetpu_build.runtime.device import RUNTIME_VERSION, Device
from edgetpu_build.runtime.interpreter import Delegate, Interpreter


def make_interpreter(
    model_path_or_content: str | os.PathLike[str] | bytes,
    device: str | Device | None = None,
    delegate: Any = None,
    **options: Any,
) -> Interpreter:
    """An interpreter for a compiled file (path or bytes); call its ``allocate_tensors`` next.

    ``device``: None (any), ":N", "usb", "usb:N", "pci", "pci:N", or a simulated ``Device`` of your own; ignored where
    a ``delegate`` is given. ``options``: further ones of ``Interpreter``. Raises ValueError for an unknown device or a
    file that cannot be read, RuntimeError where the runtime refuses the file.
    """
    if delegate is not None:
        options["experimental_delegates"] = [delegate]
        device = None
    if isinstance(model_path_or_content, bytes):
        return Interpreter(model_content=model_path_or_content, device=device, **options)
    return Interpreter(model_path=model_path_or_content, device=device, **options)


def load_edgetpu_delegate(options: dict[str, Any] | None = None) -> Any:
    """A delegate for ``make_interpreter`` or LiteRT: of a real device if there is one, else of a simulated one.

    ``options``: {"device": NAME}.
    """
    name = str((options or {}).get("device", ""))
    return silicon.delegate(name) if silicon.devices() else Delegate(devices.find(name))


def list_edge_tpus() -> list[dict[str, str]]:
    """Real devices if there are any, else the simulated ones: [{"type": "usb" or "pci", "path": ...}]."""
    return silicon.devices() or [{"type": device.type, "path": device.path} for device in devices.plugged()]


def get_runtime_version() -> str:
    """``BuildLabel(...), RuntimeVersion(14)``: of libedgetpu where it is installed, else of the simulated devices."""
    return silicon.version() or f"BuildLabel(edgetpu-build {__version__}, simulated), RuntimeVersion({RUNTIME_VERSION})"


def set_verbosity(verbosity: int) -> bool:
    """How much libedgetpu logs, 0 to 10; False for any other number. Simulated devices have nothing to log."""
    if not 0 <= verbosity <= 10:
        return False
    silicon.set_verbosity(verbosity)
    return True


def supports_dmabuf(interpreter: Interpreter) -> bool:
    """Never: neither USB nor the simulated device does."""
    return False


def run_inference(interpreter: Interpreter, input_data: Any) -> None:
    """Invokes with ``input_data`` as the first input: bytes, (ctypes.c_void_p, size) or a flat numpy array.

    Longer data is cut. ValueError if it is too short, TypeError for any other type.
    """
    if isinstance(input_data, bytes):
        invoke_with_bytes(interpreter, input_data)
    elif isinstance(input_data, tuple) and len(input_data) == 2 and isinstance(input_data[0], ctypes.c_void_p):
        invoke_with_membuffer(interpreter, input_data[0].value or 0, input_data[1])
    elif isinstance(input_data, np.ndarray) and input_data.ndim == 1:
        invoke_with_bytes(interpreter, input_data.tobytes())
    else:
        raise TypeError("input data type is not supported.")


def invoke_with_bytes(interpreter: Interpreter, input_data: bytes) -> None:
    """Invokes with the bytes of the first input; ValueError if they are too few. Views of tensors stay valid."""
    details = interpreter.get_input_details()[0]
    dtype, shape = np.dtype(details["dtype"]), tuple(details["shape"])
    expected = int(np.prod(shape)) * dtype.itemsize
    if len(input_data) < expected:
        raise ValueError(f"input size={len(input_data)}, expected={expected}.")
    native = interpreter._interpreter  # noqa: SLF001 invoke() refuses to run while there are views, pycoral's does not
    try:
        native.SetTensor(details["index"], np.frombuffer(input_data[:expected], dtype).reshape(shape))
    except ValueError:
        native.Invoke()  # of an interpreter without memory, only this says what is wrong
        raise
    native.Invoke()


def invoke_with_membuffer(interpreter: Interpreter, buffer: int, size: int) -> None:
    """Invokes with the ``size`` bytes at address ``buffer``."""
    invoke_with_bytes(interpreter, ctypes.string_at(buffer, size))

"""A simulated Edge TPU, and a real one, behind LiteRT's and pycoral's calls. Needs the extra ``runtime`` (LiteRT).

    from edgetpu_build.runtime import make_interpreter

    interpreter = make_interpreter("model_edgetpu.tflite")   # or device=":1", "usb:0", Device(...)
    interpreter.allocate_tensors()

Numbers are bit for bit those of LiteRT on the original model with the same kernels. LiteRT is imported when one of the
names is first asked for, so that modules here that do without it can be imported without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgetpu_build.runtime.device import Device as Device
    from edgetpu_build.runtime.device import Event as Event
    from edgetpu_build.runtime.device import OverlapWarning as OverlapWarning
    from edgetpu_build.runtime.device import Stats as Stats
    from edgetpu_build.runtime.devices import plug as plug
    from edgetpu_build.runtime.devices import plugged as plugged
    from edgetpu_build.runtime.edgetpu import get_runtime_version as get_runtime_version
    from edgetpu_build.runtime.edgetpu import invoke_with_bytes as invoke_with_bytes
    from edgetpu_build.runtime.edgetpu import invoke_with_membuffer as invoke_with_membuffer
    from edgetpu_build.runtime.edgetpu import list_edge_tpus as list_edge_tpus
    from edgetpu_build.runtime.edgetpu import load_edgetpu_delegate as load_edgetpu_delegate
    from edgetpu_build.runtime.edgetpu import make_interpreter as make_interpreter
    from edgetpu_build.runtime.edgetpu import run_inference as run_inference
    from edgetpu_build.runtime.edgetpu import set_verbosity as set_verbosity
    from edgetpu_build.runtime.edgetpu import supports_dmabuf as supports_dmabuf
    from edgetpu_build.runtime.interpreter import Interpreter as Interpreter
    from edgetpu_build.runtime.pipeline import PipelinedModelRunner as PipelinedModelRunner
    from edgetpu_build.runtime.pipeline import SegmentStats as SegmentStats

_HOMES = {
    "device": ("Device", "Event", "OverlapWarning", "Stats"),
    "devices": ("plug", "plugged"),
    "edgetpu": (
        "get_runtime_version",
        "invoke_with_bytes",
        "invoke_with_membuffer",
        "list_edge_tpus",
        "load_edgetpu_delegate",
        "make_interpreter",
        "run_inference",
        "set_verbosity",
        "supports_dmabuf",
    ),
    "interpreter": ("Interpreter",),
    "pipeline": ("PipelinedModelRunner", "SegmentStats"),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    try:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    except ImportError as problem:
        if (problem.name or "").partition(".")[0] not in ("ai_edge_litert", "numpy"):
            raise
        hint = "`pip install 'edgetpu-build[runtime]'`"
        raise ImportError(f"edgetpu_build.runtime.{name} needs LiteRT: {hint}", name=problem.name) from problem


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})

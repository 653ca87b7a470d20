"""LiteRT's interpreter, running compiled files: on a simulated Edge TPU, or a real one for files made for silicon.

It is LiteRT's own class, so that an application changes one import; only what lies below it differs. Every file is run
by LiteRT as one model (see ``inline``) whose constants are the bytes in the device's memory: before each inference the
device is asked, and where it finds other bytes than before, the model is made anew from those.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from ai_edge_litert import interpreter as litert

from edgetpu_build.compiler.artifact import CUSTOM_OPERATOR
from edgetpu_build.compiler.inspection import TARGETS
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.runtime import devices
from edgetpu_build.runtime.constants import constants, size_of
from edgetpu_build.runtime.device import Device
from edgetpu_build.runtime.inline import Inlined, inline
from edgetpu_build.runtime.memory import Contents
from edgetpu_build.runtime.package import Package, register
from edgetpu_build.runtime.refusal import ModelError, refuse
from edgetpu_build.runtime.silicon import Silicon, delegate
from edgetpu_build.tflite.model import Model
from edgetpu_build.tflite.reader import read
from edgetpu_build.tflite.schema import IDENTIFIER

Kernels = Literal["default", "reference"]
Make = Callable[[bytes], litert.Interpreter]
NOTHING = memoryview(b"")
SIMULATED = 'compile it with `compiler = "builtin"` for the simulated device'


class Interpreter(litert.Interpreter):  # type: ignore[misc]
    """``ai_edge_litert.interpreter.Interpreter`` for compiled files; all of its methods and arguments are the same.

    ``device``: a ``Device``, or a name ("usb:1"), by default the first. ``kernels``: "reference" computes with LiteRT's
    reference kernels, "default" with those that ``experimental_op_resolver_type`` says. Raises ValueError where the
    file is no sound model, RuntimeError with the runtime's text where the device refuses it. Like LiteRT's, an
    interpreter is for one thread at a time; any number of them may share a device.
    """

    _interpreter: Any
    device: Device | Silicon

    def __init__(
        self,
        model_path: str | os.PathLike[str] | None = None,
        model_content: bytes | None = None,
        experimental_delegates: Sequence[Any] | None = None,
        num_threads: int | None = None,
        experimental_op_resolver_type: Any = litert.OpResolverType.AUTO,
        *,
        device: Device | str | None = None,
        kernels: Kernels = "default",
        **options: Any,
    ) -> None:
        if kernels not in get_args(Kernels):
            raise ValueError(f"found kernels `{kernels}`, allowed: {', '.join(get_args(Kernels))}")
        content, label = _content(model_path, model_content)
        model = _opened(content, label)
        resolver = litert.OpResolverType.BUILTIN_REF if kernels == "reference" else experimental_op_resolver_type
        options |= {"num_threads": num_threads, "experimental_op_resolver_type": resolver}
        self.device, options["experimental_delegates"] = _device(model, device, experimental_delegates or ())
        simulated = self.device if isinstance(self.device, Device) else None
        plan = _planned(model, label, simulated) if model and simulated else None
        super().__init__(model_content=plan.first if plan else content, **options)
        self._count = len(model.main.tensors) if model else self._interpreter.NumTensors(0)
        if plan and simulated:
            self._interpreter = _Attached(
                self._interpreter, simulated, plan, lambda content: litert.Interpreter(model_content=content, **options)
            )

    def _native_handle(self) -> Any:
        """What pycoral's functions take: itself where there is no native device behind it."""
        return self if isinstance(self.device, Device) else super()._native_handle()

    def get_tensor_details(self, subgraph_index: int = 0) -> list[dict[str, Any]]:
        """The tensors of the file; those inside of an Edge TPU operator are nobody's business."""
        found: list[dict[str, Any]] = super().get_tensor_details(subgraph_index)
        return found if subgraph_index else [details for details in found if details["index"] < self._count]


class Delegate:
    """What ``load_edgetpu_delegate`` gives for a simulated device: it only says which."""

    def __init__(self, device: Device) -> None:
        self.device = device


class _Plan:
    """A compiled file, registered: its packages by operator, and the model to run.

    ``first``: that model with the file's own parameters, which the device is going to load. ``ends``, ``sizes``: the
    inputs of each operator, and how many bytes each has for batch 1.
    """

    def __init__(self, model: Model, packages: Mapping[int, Package]) -> None:
        self.packages = packages
        self.inlined: Inlined = inline(model, {index: package.program for index, package in packages.items()})
        self.ends = {index: model.main.operators[index].inputs for index in packages}
        sizes = [size_of(tensor) for tensor in model.main.tensors]
        self.sizes = {index: [sizes[tensor] for tensor in ends] for index, ends in self.ends.items()}
        self.first = self.content({index: package.cached for index, package in packages.items()})

    def content(self, cached: Mapping[int, bytes | bytearray | memoryview]) -> bytes:
        """The model whose cached parameters are these."""
        return self.inlined.model(
            {
                index: constants(package.program, {"cached": cached[index], "streamed": package.main.parameters})
                for index, package in self.packages.items()
            }
        )


class _Attached:
    """LiteRT's native interpreter with a device before it. Everything but what the device must know passes through."""

    def __init__(self, native: Any, device: Device, plan: _Plan, make: Make) -> None:
        self._native = native
        self._content = plan.first  # LiteRT reads it as long as the native interpreter lives
        self._device = device
        self._plan = plan
        self._make = make
        self._requests: dict[int, int] | None = None
        self._streamed = 0  # by one inference
        self._quiet = -1  # the device's changes when there was nothing to decide
        self._found = {i: Contents(generation=-1, data=package.cached) for i, package in plan.packages.items()}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._native, name)

    def tensor(self, _base: Any, *arguments: Any) -> Any:
        """A view; it keeps this alive, as LiteRT wants to notice, and the memory that it looks at."""
        return self._native.tensor((self, self._native), *arguments)

    def ResizeInputTensor(self, *arguments: Any) -> None:  # noqa: N802 LiteRT's name
        self._requests, self._quiet = None, -1
        self._native.ResizeInputTensor(*arguments)

    def AllocateTensors(self, *subgraph: int) -> None:  # noqa: N802 LiteRT's name
        try:
            self._native.AllocateTensors(*subgraph)
        except RuntimeError as problem:
            if str(problem):
                raise
            raise refuse("LiteRT does not take the model, and does not say why", code="ETB302") from problem
        if max(subgraph, default=0) <= 0:  # -1, the default: all that the file has
            self._quiet = -1
            self._requests = {index: self._batch(index) for index in self._plan.packages}
            self._streamed = sum(
                count * len(self._plan.packages[index].main.parameters) for index, count in self._requests.items()
            )

    def Invoke(self, *subgraph: int) -> None:  # noqa: N802 LiteRT's name
        device = self._device
        if not subgraph and self._quiet == device.changes and not device.observers:
            if self._streamed:
                device.stream(self._streamed)
        elif max(subgraph, default=0) <= 0 and self._requests is not None:
            self._ask(self._requests)
        self._native.Invoke(*subgraph)

    def _ask(self, requests: Mapping[int, int]) -> None:
        """One submission for each Edge TPU operator, in order; a new model where memory holds other bytes."""
        before = self._device.changes
        found = {
            index: self._device.submit(package, self._found[index], requests=requests[index])
            for index, package in self._plan.packages.items()
        }
        if any(there.data is not self._found[index].data for index, there in found.items()):
            self._replace(self._plan.content({index: there.data for index, there in found.items()}))
        self._found = found
        self._quiet = before if before == self._device.changes else -1

    def _replace(self, content: bytes) -> None:
        """The same interpreter for another model: shapes and values of the inputs stay, variables start afresh."""
        if content == self._content:
            raise refuse(
                "multipliers, helper matrices or padding in the parameter memory were overwritten, and nothing else",
                "the simulated device does not compute with those, so its answer would be right by accident",
            )
        made, old = self._make(content), self._native
        new = made._interpreter  # noqa: SLF001 one native interpreter takes another's place
        for tensor in old.InputIndices():
            new.ResizeInputTensor(tensor, old.TensorSize(tensor, 0), False)
        new.AllocateTensors()
        for tensor in old.InputIndices():
            new.SetTensor(tensor, old.GetTensor(tensor, 0))
        self._native, self._content = new, content

    def _batch(self, index: int) -> int:
        """How many requests an operator makes for the inputs that it has now."""
        package = self._plan.packages[index]
        counts = set()
        for tensor, size, layer in zip(
            self._plan.ends[index], self._plan.sizes[index], package.main.inputs, strict=False
        ):
            now = prod(self._native.TensorSize(tensor, 0)) * np.dtype(self._native.TensorType(tensor, 0)).itemsize
            if now % size:
                raise refuse(f'Unexpected input size for "{layer.name}". Expected {size} or {layer.size}, got {now}')
            counts.add(now // size)
        if len(counts) > 1:
            raise refuse("all inputs of an Edge TPU operator must have the same batch size")
        return -(-max(counts, default=1) // package.main.batch_size)


def _content(path: str | os.PathLike[str] | None, content: bytes | None) -> tuple[bytes, str]:
    if (path is None) == (content is None):
        raise ValueError("`model_path` or `model_content` must be specified, and not both")
    if path is None:
        return bytes(content or b""), "model"
    try:
        return Path(path).read_bytes(), os.fspath(path)
    except OSError:
        raise ValueError(f"Could not open '{os.fspath(path)}'.") from None


def _opened(content: bytes, label: str) -> Model | None:
    """A compiled file's model; None for any other model, which is LiteRT's business. ValueError if it is damaged."""
    if content[4:8] == IDENTIFIER and not any(code.encode() in content for code in TARGETS):
        return None
    with _as_litert_s():
        return read(content, label=label)


def _device(
    model: Model | None, device: Device | str | None, delegates: Sequence[Any]
) -> tuple[Device | Silicon, list[Any]]:
    """What runs the file, and the delegates that LiteRT needs for it. The file says whether it was made for silicon."""
    codes = {operator.custom_code for operator in model.main.operators} if model else set()
    real = [d for d in delegates if not isinstance(d, Delegate)]
    if any(TARGETS.get(code) == "edgetpu" for code in codes):
        if isinstance(device, Device):
            raise refuse("the file was compiled for silicon, which a simulated device cannot run", SIMULATED)
        return Silicon(device or ""), real or [delegate(device or "")]
    named = next((d.device for d in delegates if isinstance(d, Delegate)), None)
    return devices.find(device or named), real


def _planned(model: Model, label: str, device: Device) -> _Plan | None:
    """The file registered with a simulated device; None where no operator is for one."""
    with _as_litert_s():
        packages = {
            index: register(operator.custom_options or NOTHING, runtime_version=device.runtime_version, label=label)
            for index, operator in enumerate(model.main.operators)
            if operator.custom_code == CUSTOM_OPERATOR
        }
        return _Plan(model, packages) if packages else None


@contextmanager
def _as_litert_s() -> Iterator[None]:
    """Makes our errors those that an application of LiteRT expects."""
    try:
        yield
    except (ValueError, RuntimeError):
        raise
    except EdgeTpuBuildError as problem:
        raise ModelError(*problem.diagnostics) from problem

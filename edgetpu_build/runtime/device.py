"""A simulated Edge TPU: its memory, its options, and what the runtime decides before each inference.

The manual's figure 1, completed from libedgetpu's driver (driver/driver.cc). T is the caching token of what is on the
chip (0: nothing), S the packages whose parameters were loaded. For every request:

    A  the token of the package's main executable is 0 or not T: T := 0, S := {}           (a wipe, if T was not 0)
    B  it has cached parameters and is not in S: they must be loaded
    C  if so: T := their token, S += package, and their bytes are written at their address
    D  inference: cached parameters are what stands at the address, the others are sent along

A package that caches nothing therefore wipes what others left, unless it carries their token. Silicon does not look
whether a load hits bytes that another package believes its own (segments of one model do, as they share a token): the
simulated device counts and tells it, and loads again before anybody computes with the wrong bytes.
"""

from __future__ import annotations

import threading
import warnings
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from edgetpu_build.compiler.package import Executable
from edgetpu_build.runtime.memory import Contents, Memory
from edgetpu_build.runtime.package import Package
from edgetpu_build.runtime.refusal import refuse
from edgetpu_build.units import parse_size

Link = Literal["pcie", "usb3", "usb2"]
Clock = Literal["max", "std"]
SRAM = 8 << 20
RUNTIME_VERSION = 14
COUNTS = ("parameter_loads", "parameter_bytes_sent", "streamed_bytes", "wipes", "overlaps")


class OverlapWarning(RuntimeWarning):
    """Two packages with one caching token use the same on-chip memory."""


class Stats(dict[str, Any]):
    """What a device did so far, as a dict whose keys are attributes, too.

    ``token``: 16 hex digits, None while nothing is loaded. ``parameter_loads``: how often cached parameters were
    written; ``parameter_bytes_sent``: their bytes. ``streamed_bytes``: parameters sent along with inferences.
    ``wipes``: how often loaded parameters were given up; ``overlaps``: how often a load hit those of another package.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One request: a load of the package's cached parameters, if ``loaded``, then its inference.

    ``wiped``: other parameters were given up before; ``overlaps``: packages whose bytes the load hit. The properties
    are the bytes that cross the link for it.
    """

    package: Package
    loaded: bool = False
    wiped: bool = False
    overlaps: int = 0

    @property
    def loaded_bytes(self) -> int:
        return self.package.cached_size if self.loaded else 0

    @property
    def streamed_bytes(self) -> int:
        return len(self.package.main.parameters)

    @property
    def input_bytes(self) -> int:
        return sum(layer.size for layer in self.package.main.inputs)

    @property
    def output_bytes(self) -> int:
        return sum(layer.size for layer in self.package.main.outputs)


class Device:
    """One Edge TPU. Safe to share between threads and interpreters; each submission is one step.

    ``sram``: bytes of parameter memory, or "8 MiB". ``link`` and ``clock`` are for whoever predicts latency.
    ``observers`` are called with every ``Event``, in order, while the device is held.
    """

    def __init__(
        self,
        *,
        link: Link = "usb3",
        clock: Clock = "max",
        sram: int | str = SRAM,
        runtime_version: int = RUNTIME_VERSION,
        path: str = "",
    ) -> None:
        if link not in get_args(Link) or clock not in get_args(Clock):
            raise ValueError(f"found link `{link}` and clock `{clock}`, allowed: {get_args(Link)}, {get_args(Clock)}")
        self.link: Link = link
        self.clock: Clock = clock
        self.memory = Memory(parse_size(sram) if isinstance(sram, str) else sram)
        self.runtime_version = runtime_version
        self.path = path
        self.observers: list[Callable[[Event], None]] = []
        self._lock = threading.RLock()
        self._token = 0
        self._loaded: weakref.WeakSet[Package] = weakref.WeakSet()
        self._counts = dict.fromkeys(COUNTS, 0)
        self._changes = 0

    @property
    def type(self) -> Literal["pci", "usb"]:
        return "pci" if self.link == "pcie" else "usb"

    def stats(self) -> Stats:
        with self._lock:
            return Stats(token=f"{self._token:016x}" if self._token else None, **self._counts)

    def reset(self) -> None:
        """Close and open again: the runtime forgets what it loaded, and the next inference loads its own."""
        with self._lock:
            self._forget()

    close = reset

    @property
    def changes(self) -> int:
        """Grows whenever something is loaded, given up, or written into the memory.

        Packages whose submission changed nothing need none again until this is another number: ``stream`` is enough.
        """
        return self._changes + self.memory.generation

    def stream(self, size: int) -> None:
        """Counts the streamed parameters of an inference that needed no decision."""
        with self._lock:
            self._counts["streamed_bytes"] += size

    def submit(self, package: Package, last: Contents, *, requests: int = 1) -> Contents:
        """Steps A to D, ``requests`` times; gives what the package finds in its part of the memory.

        ``last``: what it found the time before. RuntimeError where parameters do not fit.
        """
        with self._lock:
            overlaps = sum([self._step(package) for _ in range(requests)])
            found = self.memory.contents(package.address, package.cached_size, last)
        if overlaps:
            warnings.warn(
                f"`{package.label}` and another file of its caching token use the same on-chip memory of one Edge TPU: "
                "each is loaded again and again; give every segment a device of its own",
                OverlapWarning,
                stacklevel=2,
            )
        return found

    def _step(self, package: Package) -> int:
        """One request; how many packages it hurt. Quick where there is nothing to decide, as nearly always."""
        token, cache, counts = package.main.token, package.cache, self._counts
        wiped = token != self._token != 0
        if token != self._token:
            self._forget()
            counts["wipes"] += wiped
        overlaps = 0
        load = cache is not None and package not in self._loaded
        if cache is not None and load:
            overlaps = self._load(package, cache)
            counts["parameter_loads"] += 1
            counts["parameter_bytes_sent"] += package.cached_size
            counts["overlaps"] += overlaps
        counts["streamed_bytes"] += len(package.main.parameters)
        if self.observers:
            event = Event(package=package, loaded=load, wiped=wiped, overlaps=overlaps)
            for observer in self.observers:
                observer(event)
        return overlaps

    def _load(self, package: Package, cache: Executable) -> int:
        """Step C; how many packages lost bytes by it."""
        if not cache.token:
            raise refuse("Parameter caching tag is not set.")
        data = memoryview(cache.parameters)
        hit = [other for other in self._loaded if self._harmed(other, package.address, data)]
        self.memory.write(package.address, data)
        self._token = cache.token
        self._changes += 1
        for other in hit:
            self._loaded.discard(other)
        self._loaded.add(package)
        return len(hit)

    def _harmed(self, other: Package, address: int, data: memoryview) -> bool:
        """Whether writing would change bytes of ``other``: the same file twice does not."""
        low, high = max(address, other.address), min(address + len(data), other.address + other.cached_size)
        return low < high and not self.memory.holds(low, data[low - address : high - address])

    def _forget(self) -> None:
        self._changes += self._token != 0
        self._token = 0
        self._loaded.clear()

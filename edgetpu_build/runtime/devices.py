"""Which Edge TPUs there are, and what their names mean: ``":N"``, ``"usb"``, ``"usb:N"``, ``"pci"``, ``"pci:N"``.

Names are libedgetpu's. A process has simulated devices plugged in from the start, eight on USB and eight on PCIe, as
many as a pipeline has segments; ``plug`` gives it others. They cost nothing until they are used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from edgetpu_build.runtime.device import SRAM, Clock, Device, Link
from edgetpu_build.runtime.refusal import not_loaded

PLUGGED = 8
LIBRARY = "libedgetpu.so.1"
_NAME = re.compile(r"(usb|pci|):(\d+)|(usb|pci|)")
_devices: list[Device] = []


def plug(devices: Iterable[Device]) -> None:
    """Makes these the devices of the process, in this order; interpreters that exist keep theirs."""
    _devices[:] = devices


def plugged() -> tuple[Device, ...]:
    """The simulated devices of the process."""
    return tuple(_devices)


def find(name: str | Device | None = None) -> Device:
    """The device of that name, the first if there is none. ValueError, as libedgetpu's loader has it, if unknown."""
    if isinstance(name, Device):
        return name
    found = _NAME.fullmatch(name or "")
    if found:
        kind, number = found[1] or found[3] or "", int(found[2] or 0)
        fitting = [device for device in _devices if kind in ("", device.type)]
        if number < len(fitting):
            return fitting[number]
    known = ", ".join(f"`:{number}` ({device.type})" for number, device in enumerate(_devices)) or "none"
    raise not_loaded(LIBRARY, f"no simulated Edge TPU is called `{name}`", f"there are {known}", code="ETB214")


def simulated(
    *, link: Link = "usb3", clock: Clock = "max", sram: int | str = SRAM, count: int = PLUGGED
) -> list[Device]:
    """Fresh devices, eight or ``count`` on ``link`` and then eight on the other bus."""
    other: Link = "usb3" if link == "pcie" else "pcie"
    return [
        Device(link=bus, clock=clock, sram=sram, path=f"/dev/simulated_{bus}_{number}")
        for bus, many in ((link, max(count, PLUGGED)), (other, PLUGGED))
        for number in range(many)
    ]


plug(simulated())

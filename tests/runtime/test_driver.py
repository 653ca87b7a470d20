"""Any order of submissions against the driver's rules, written a second time: tokens, loads, wipes, and the bytes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.compiler import package
from edgetpu_build.runtime import Device
from edgetpu_build.runtime.memory import Contents, Memory
from edgetpu_build.runtime.package import Package, register
from tests.runtime import made
from tests.support import models


def options_of(artifact: bytes) -> memoryview:
    return next(op.custom_options for op in made.read(artifact).main.operators if op.custom_options)


FIRST, SECOND = map(options_of, made.compiled_together(models.dense_net(1, 16, 16), models.dense_net(1, 32, 16)))
NOTHING = options_of(made.compiled(models.chain_net(2)))


def registered(kind: int, token: int) -> Package:
    """``kind``: two that lie side by side, one in the place of the first with other bytes, one that caches nothing."""
    found = package.decode([FIRST, SECOND, FIRST, NOTHING][kind])
    executables = [replace(executable, token=token) for executable in found.executables]
    if kind == 2:
        executables[1] = replace(executables[1], parameters=bytes(b ^ 0xFF for b in executables[1].parameters))
    made_options = package.encode(replace(found, executables=tuple(executables)))
    return register(memoryview(made_options), runtime_version=14, label=f"{kind}:{token}")


class Oracle:
    """The driver by the book, with the extra care that overlaps ask for."""

    def __init__(self) -> None:
        self.token = 0
        self.loaded: list[Package] = []
        self.counts = dict.fromkeys(
            ("parameter_loads", "parameter_bytes_sent", "streamed_bytes", "wipes", "overlaps"), 0
        )

    def run(self, package: Package) -> None:
        counts, token = self.counts, package.main.token
        if not token or token != self.token:
            counts["wipes"] += self.token != 0
            self.token, self.loaded = 0, []
        if package.cache and package not in self.loaded:
            new = place(package)
            hurt = [
                other for other in self.loaded if any(place(other).get(at, byte) != byte for at, byte in new.items())
            ]
            counts["overlaps"] += len(hurt)
            counts["parameter_loads"] += 1
            counts["parameter_bytes_sent"] += len(package.cache.parameters)
            self.loaded = [other for other in self.loaded if other not in hurt] + [package]
            self.token = package.cache.token
        counts["streamed_bytes"] += len(package.main.parameters)


def place(package: Package) -> dict[int, int]:
    return {package.address + offset: byte for offset, byte in enumerate(bytes(package.cached))}


PACKAGES = st.tuples(st.integers(0, 3), st.sampled_from([1, 2]) | st.just(0)).filter(lambda p: p[0] == 3 or p[1])


@pytest.mark.filterwarnings("ignore::edgetpu_build.runtime.OverlapWarning")
@given(
    files=st.lists(PACKAGES, min_size=1, max_size=4),
    order=st.lists(st.integers(0, 3), max_size=12),
    resets=st.sets(st.integers(0, 11), max_size=2),
)
def test_a_device_does_what_the_driver_would(files: list[tuple[int, int]], order: list[int], resets: set[int]) -> None:
    packages = [registered(*file) for file in files]
    device, oracle = Device(sram="64 KiB"), Oracle()
    for number, choice in enumerate(order):
        if number in resets:
            device.reset()
            oracle.token, oracle.loaded = 0, []
        package = packages[choice % len(packages)]
        found = device.submit(package, Contents(generation=-1, data=package.cached))
        oracle.run(package)
        assert bytes(found.data) == bytes(package.cached)
        told = device.stats()
        assert told == {"token": f"{oracle.token:016x}" if oracle.token else None, **oracle.counts}


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=64)), max_size=8))
def test_memory_holds_what_was_written_last(writes: list[tuple[int, bytes]]) -> None:
    memory, expected = Memory(256), bytearray(256)
    last = memory.contents(16, 64, Contents(generation=-1, data=b""))
    for address, data in writes:
        if address + len(data) > 256:
            with pytest.raises(RuntimeError, match="do not fit"):
                memory.write(address, data)
            continue
        memory.write(address, data)
        expected[address : address + len(data)] = data
        now = memory.contents(16, 64, last)
        assert bytes(now.data) == expected[16:80]
        assert (now.data is last.data) == (bytes(now.data) == bytes(last.data))
        assert memory.contents(16, 64, now) is now
        last = now
    assert memory.read(0, 256) == bytes(expected)

"""The path to a real device, against a library that says it has two: what is asked of it, and how it may fail."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgetpu_build import runtime
from edgetpu_build.runtime import silicon
from tests.support import models

SOURCE = r"""
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
struct edgetpu_device { int type; const char* path; };
static struct edgetpu_device two[] = {{0, "/dev/apex_0"}, {1, "/sys/bus/usb/devices/2-1"}};
static int freed = 0, level = -1;
struct edgetpu_device* edgetpu_list_devices(size_t* count) { *count = 2; return two; }
void edgetpu_free_devices(struct edgetpu_device* devices) { freed += devices == two; }
const char* edgetpu_version(void) { return "BuildLabel(test), RuntimeVersion(14)"; }
void edgetpu_verbosity(int verbosity) { level = verbosity; }
int test_freed(void) { return freed; }
int test_level(void) { return level; }
void* tflite_plugin_create_delegate(char** keys, char** values, size_t count, void (*error)(const char*)) {
  return NULL; /* as for a device that is not there */
}
void tflite_plugin_destroy_delegate(void* delegate) {}
"""


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler is installed")
    source, made = tmp_path / "fake.c", tmp_path / "libedgetpu.so.1"
    source.write_text(SOURCE)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(made), str(source)], check=True)
    monkeypatch.setattr(silicon, "LIBRARY", str(made))
    yield made
    silicon._loaded.cache_clear()


def compiled_for_silicon() -> bytes:
    net = models.Net()
    return net.build([net.custom([net.input((1, 4))], (1, 4), "edgetpu-custom-op")])


def test_devices_version_and_verbosity_are_the_library_s(library: Path) -> None:
    assert runtime.list_edge_tpus() == [
        {"type": "pci", "path": "/dev/apex_0"},
        {"type": "usb", "path": "/sys/bus/usb/devices/2-1"},
    ]
    assert silicon._library().test_freed() == 1
    assert runtime.get_runtime_version() == "BuildLabel(test), RuntimeVersion(14)"
    assert runtime.set_verbosity(7)
    assert silicon._library().test_level() == 7


@pytest.mark.parametrize(("name", "why"), [(":7", "no device is called `:7`"), (None, "no device is plugged in")])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # LiteRT's own, as it gives up
def test_a_device_that_is_not_there(library: Path, name: str | None, why: str) -> None:
    with pytest.raises(ValueError, match=f"Failed to load delegate from .*: {why}"):
        runtime.make_interpreter(compiled_for_silicon(), device=name)


def test_without_the_library_nothing_real_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silicon, "LIBRARY", "libedgetpu-that-is-not-here.so.1")
    assert silicon.devices() == []
    assert silicon.version() == ""
    assert runtime.set_verbosity(3)
    with pytest.raises(ValueError, match="the library is not installed"):
        runtime.make_interpreter(compiled_for_silicon())


def test_a_simulated_device_does_not_run_files_made_for_silicon() -> None:
    with pytest.raises(RuntimeError, match="compiled for silicon, which a simulated device cannot run"):
        runtime.make_interpreter(compiled_for_silicon(), device=runtime.Device())


def test_a_real_device_does_not_tell_what_it_holds() -> None:
    with pytest.raises(RuntimeError, match="does not tell"):
        silicon.Silicon("usb:0").stats()

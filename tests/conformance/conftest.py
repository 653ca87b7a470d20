"""The backends that the suite runs against: builtin, a recording of Google's, and Google's own where it can be reached.

Set EDGETPU_BUILD_COMMAND to reach the real program (as for the command itself); without it the suite says that it was
skipped. docs/how-to/google-compiler.md has the CI recipe.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from edgetpu_build.compiler.builtin import Builtin
from edgetpu_build.compiler.google.backend import Google
from edgetpu_build.compiler.interface import Backend
from edgetpu_build.tflite import reader, surgery
from tests.conformance.models import DENSE, NET, SEGMENTS
from tests.support.standin.recording import DONE, TIMER, V16, Recording, told

REAL = shlex.split(os.environ.get("EDGETPU_BUILD_COMMAND", ""))


@pytest.fixture(params=["builtin", "stand-in", "real"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    if request.param == "builtin":
        return Builtin()
    if request.param == "real":
        if not REAL:
            pytest.skip("EDGETPU_BUILD_COMMAND does not name Google's compiler")
        return Google(command=tuple(REAL))
    recording = Recording(tmp_path / "standin")
    record(recording)
    return Google(command=recording.command)


def record(recording: Recording) -> None:
    """What the suite asks for."""
    net, dense = told(NET), told(DENSE, 1)
    recording.good(net, arguments=[])
    recording.good(net, dense, arguments=[])
    recording.good(told(NET, runtime=13), arguments=["--min_runtime_version=13"])
    recording.good(told(NET), arguments=["--delegate_search_step=1", "--search_delegate"])
    recording.good(told(NET), arguments=["--enable_multiple_subgraphs"])
    first = reader.read(NET).main
    name = first.tensors[first.operators[1].outputs[0]].name
    recording.good(told(NET, on_cpu=range(2, 6)), arguments=[f"--intermediate_tensors={name}"])
    files, text = {}, f"Edge TPU Compiler version {V16}\n"
    for number, part in enumerate(SEGMENTS):
        model = reader.read(NET)
        plain = surgery.extract(model, part, *surgery.boundary(model.main, part))
        stem = f"{{stem 0}}_segment_{number}_of_2"
        one = told(plain, name=stem, source=f"{stem}.tflite")
        files |= {f"{stem}.tflite": plain, f"{stem}_edgetpu.tflite": one.artifact}
        files[f"{stem}_edgetpu.log"] = one.log(V16).encode()
        text += f"{TIMER}\nModel compiled successfully in 9 ms.\n\n{one.block(V16)}{DONE}Compilation succeeded! \n"
    recording.answer(arguments=["--num_segments=2"], models=[NET], prints=[text], files=files)

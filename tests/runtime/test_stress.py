"""Many threads, many loads, hostile bytes: every answer right, nothing left behind."""

from __future__ import annotations

import gc
import random
import resource
import subprocess
import sys
import textwrap
import threading

import pytest

from edgetpu_build.runtime import Device
from tests.runtime import made
from tests.support import models
from tests.support.litert import random_inputs

NETS = [
    models.conv_net(2, 8, 8),
    models.dense_net(),
    models.conv_net(3, 16, 8, dtype="UINT8"),
    models.mobilenet_like(0.1, 32),
]


def hammer(threads: int, invocations: int) -> None:
    """Each thread runs all models in random order on one device, with tokens that come and go."""
    device = Device()
    inputs = [random_inputs(model) for model in NETS]
    answers = [made.run(made.original(model), values) for model, values in zip(NETS, inputs, strict=True)]
    together = made.compiled_together(*NETS)
    alone = [made.compiled(model) for model in NETS]
    wrong: list[int] = []

    def work(seed: int) -> None:
        rng = random.Random(seed)
        opened = []
        for number in range(len(NETS)):
            artifact = rng.choice([together[number], made.retoken(alone[number], rng.randrange(1, 5))])
            opened.append(made.opened(artifact, device=device))
        for _ in range(invocations // threads):
            number = rng.randrange(len(NETS))
            if not made.same(answers[number], made.run(opened[number], inputs[number])):
                wrong.append(number)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
    assert device.stats().wipes > 0


@pytest.mark.filterwarnings("ignore::edgetpu_build.runtime.OverlapWarning")
def test_a_few_threads_on_one_device_get_right_answers() -> None:
    hammer(4, 200)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::edgetpu_build.runtime.OverlapWarning")
def test_eight_threads_and_ten_thousand_invocations_get_right_answers() -> None:
    hammer(8, 10_000)


def resident() -> int:
    """The most memory that this process ever held, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.slow
def test_ten_thousand_loads_leave_nothing_behind() -> None:
    artifact, device = made.compiled(models.dense_net(1, 16, 16)), Device()

    def load(times: int) -> None:
        for _ in range(times):
            made.opened(artifact, device=device).invoke()

    load(500)
    gc.collect()
    before = resident()
    load(9_500)
    gc.collect()
    assert resident() - before < 8 << 10
    assert len(device._loaded) <= 1


def test_an_interpreter_is_gone_when_nobody_has_it() -> None:
    device = Device()
    gc.collect()
    gc.disable()
    try:
        made.opened(made.compiled(NETS[1]), device=device).invoke()
        assert len(device._loaded) == 0
    finally:
        gc.enable()


HOSTILE = """
    import random, sys, warnings
    from edgetpu_build.errors import EdgeTpuBuildError
    from edgetpu_build.runtime import Device, Interpreter
    warnings.simplefilter("ignore")
    data, device, told, ran = open(sys.argv[1], "rb").read(), Device(), 0, 0
    for seed in range({first}, {last}):
        rng, bad = random.Random(seed), bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 8))):
            bad[rng.randrange(len(bad))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
        if seed % 4 == 0:
            del bad[rng.randrange(len(bad)) :]
        try:
            interpreter = Interpreter(model_content=bytes(bad), device=device)
            interpreter.allocate_tensors()
            interpreter.invoke()
            ran += 1
        except (ValueError, RuntimeError) as problem:
            assert str(problem), seed
            told += 1
    print(told, ran)
"""


def hostile(folder: object, first: int, last: int) -> None:
    """In a process of its own: LiteRT computes whatever graph a file describes, and must survive it, too."""
    file = f"{folder}/model.tflite"
    with open(file, "wb") as written:
        written.write(made.compiled(models.conv_net(2, 8, 8)))
    code = textwrap.dedent(HOSTILE).format(first=first, last=last)
    done = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told, ran = map(int, done.stdout.split())
    assert told + ran == last - first
    assert told > 0


def test_hostile_files_end_in_errors(tmp_path: object) -> None:
    hostile(tmp_path, 0, 150)


@pytest.mark.slow
def test_many_hostile_files_end_in_errors(tmp_path: object) -> None:
    hostile(tmp_path, 150, 4000)

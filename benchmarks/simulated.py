"""The simulated device against LiteRT alone, in one process, taken in turns: kernels and threads are the same."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import numpy as np
import projects
from ai_edge_litert.interpreter import Interpreter as LiteRt

import edgetpu_build
from edgetpu_build.runtime import Device, Interpreter, PipelinedModelRunner
from tests.support import models
from tests.support.litert import random_inputs


def networks() -> dict[str, bytes]:
    """Models of a size at which an application would notice; 4 MB at most."""
    return {
        "MobileNet v2, 224 x 224": projects.mobilenet_v2(),
        "MobileNet v2 x 0.25, 96 x 96": models.mobilenet_like(0.25, 96),
        "convolutional net, 32 x 32": models.conv_net(),
    }


def medians(jobs: Mapping[str, Callable[[], object]], runs: int) -> dict[str, float]:
    """Seconds of each job, taken in turns; "ratio": of the first to the second, turn by turn."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(runs):
        for name, job in jobs.items():
            begun = time.perf_counter()
            job()
            times[name].append(time.perf_counter() - begun)
    found = {name: statistics.median(each) for name, each in times.items()}
    turns = zip(*times.values(), strict=True) if len(times) == 2 else ()
    return found | {"ratio": statistics.median([first / second for first, second in turns] or [1.0])}


def inference(model: bytes, runs: int) -> dict[str, float]:
    """Median seconds of one invoke: "simulated" and "litert"."""
    artifact = edgetpu_build.compile(model).members[0].artifact
    opened = {"simulated": Interpreter(model_content=artifact, device=Device()), "litert": LiteRt(model_content=model)}
    for interpreter in opened.values():
        interpreter.allocate_tensors()
        feed(interpreter, random_inputs(model))
        interpreter.invoke()
    return medians({name: interpreter.invoke for name, interpreter in opened.items()}, runs)


def load(model: bytes, runs: int) -> float:
    """Median seconds from a compiled file's bytes to an interpreter with its tensors allocated."""
    artifact = edgetpu_build.compile(model).members[0].artifact
    return medians({"load": lambda: Interpreter(model_content=artifact, device=Device()).allocate_tensors()}, runs)[
        "load"
    ]


def pipeline(model: bytes, count: int, inferences: int, runs: int) -> dict[str, float]:
    """Median seconds of so many inferences by ``count`` segments: "at once", and "in turn"."""
    segments = edgetpu_build.compile(model, segments=count).members[0].segments
    values = random_inputs(model)

    def opened() -> list[Interpreter]:
        chain = [Interpreter(model_content=segment.artifact, device=Device()) for segment in segments]
        for interpreter in chain:
            interpreter.allocate_tensors()
        return chain

    runner, chain = PipelinedModelRunner(opened()), opened()

    def at_once() -> None:
        for _ in range(inferences):
            runner.push(values)
        for _ in range(inferences):
            runner.pop()

    def in_turn() -> None:
        for _ in range(inferences):
            known = dict(values)
            for interpreter in chain:
                feed(interpreter, known)
                interpreter.invoke()
                known |= {d["name"]: interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()}

    at_once()
    in_turn()
    return medians({"at once": at_once, "in turn": in_turn}, runs)


def feed(interpreter: LiteRt, values: Mapping[str, np.ndarray]) -> None:
    for details in interpreter.get_input_details():
        interpreter.set_tensor(details["index"], values[details["name"]])

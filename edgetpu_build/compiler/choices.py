"""The ways in which models can share devices: apart or co-compiled, on one device or several, pipeline or replicas.

Each choice is what ``latency.workload`` needs to run a workload over it; times are predicted from forecasts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from edgetpu_build.compiler import balance, stages
from edgetpu_build.compiler.forecast import predict, predict_segment
from edgetpu_build.compiler.interface import Options
from edgetpu_build.compiler.order import best_order
from edgetpu_build.compiler.stages import Stage
from edgetpu_build.errors import EdgeTpuBuildError, error
from edgetpu_build.latency.constants import FITTED
from edgetpu_build.latency.model import Device
from edgetpu_build.latency.workload import Routes, Step, Task
from edgetpu_build.tflite.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """``off_chip``: bytes that stream at an inference, by model."""

    name: str
    devices: int
    routes: Routes
    off_chip: Mapping[str, int]


def choices(
    models: Mapping[str, Model], calls: Mapping[str, float], options: Options, device: Device, most: int
) -> tuple[Choice, ...]:
    """Every choice with up to ``most`` devices. ETB308 for a model of which nothing runs on the Edge TPU."""
    return tuple(_choices(models, calls, options, device, most))


def _choices(
    models: Mapping[str, Model], calls: Mapping[str, float], options: Options, device: Device, most: int
) -> Iterator[Choice]:
    alone = {name: _stage(model, name, options, device) for name, model in models.items()}
    apart = {name: _task(stage, number) for number, (name, stage) in enumerate(alone.items(), 1)}
    off_chip = {name: _streamed(stage) for name, stage in alone.items()}
    yield Choice(
        name="apart, one device" if len(models) > 1 else "one device",
        devices=1,
        routes=_everywhere(apart, 1),
        off_chip=off_chip,
    )
    if len(models) > 1:
        yield from _together(models, calls, options, device, most)
    for count in range(2, most + 1):
        what = "replicas" if len(models) == 1 else "apart, any device"
        yield Choice(
            name=f"{what}, {count} devices", devices=count, routes=_everywhere(apart, count), off_chip=off_chip
        )
        if len(models) > 1 and count == min(most, len(models)):
            yield _pinned(apart, alone, calls, count, off_chip)
        if len(models) == 1:
            yield from _pipeline(*next(iter(models.items())), replace(options, segments=count), device)


def _stage(model: Model, name: str, options: Options, device: Device) -> Stage:
    stage = stages.of_forecast(predict([model], options)[0], name, device)
    if not stage.latencies:
        raise error("ETB308", f"nothing of `{name}` runs on the Edge TPU", "`edgetpu-build inspect` says why")
    return stage


def _task(stage: Stage, token: int) -> Task:
    return Task(name=stage.name, run=stage.total, load=stage.load, token=token if stage.cached else 0)


def _streamed(stage: Stage) -> int:
    return sum(time.streamed for latency in stage.latencies for time in latency.operators)


def _everywhere(tasks: Mapping[str, Task], count: int) -> Routes:
    return {name: [[Step(device=k, task=task)] for k in range(count)] for name, task in tasks.items()}


def _together(
    models: Mapping[str, Model], calls: Mapping[str, float], options: Options, device: Device, most: int
) -> Iterator[Choice]:
    """Co-compiled, in the order given and, where it differs, in the best one."""
    names = list(models)
    best = best_order(list(models.values()), options, [calls.get(name, 0.0) for name in names])
    orders = {"co-compiled": tuple(range(len(names)))}
    if best != orders["co-compiled"]:
        orders[f"co-compiled as {', '.join(names[k] for k in best)}"] = best
    for what, order in orders.items():
        forecasts = predict([models[names[k]] for k in order], options)
        found = {names[k]: stages.of_forecast(one, names[k], device) for k, one in zip(order, forecasts, strict=True)}
        tasks = {name: _task(found[name], 1) for name in names}
        off_chip = {name: _streamed(found[name]) for name in names}
        for count in range(1, most + 1):
            where = "one device" if count == 1 else f"{count} devices"
            yield Choice(name=f"{what}, {where}", devices=count, routes=_everywhere(tasks, count), off_chip=off_chip)


def _pinned(
    tasks: Mapping[str, Task],
    alone: Mapping[str, Stage],
    calls: Mapping[str, float],
    count: int,
    off_chip: Mapping[str, int],
) -> Choice:
    """Each model on one device, the busiest first to the least loaded."""
    held = [0.0] * count
    routes: dict[str, list[list[Step]]] = {}
    for name in sorted(tasks, key=lambda name: -calls.get(name, 0.0) * alone[name].total):
        device = held.index(min(held))
        held[device] += calls.get(name, 0.0) * alone[name].total
        routes[name] = [[Step(device=device, task=tasks[name])]]
    return Choice(name=f"apart, each on its own, {count} devices", devices=count, routes=routes, off_chip=off_chip)


def _pipeline(name: str, model: Model, options: Options, device: Device) -> Iterator[Choice]:
    try:
        segments = balance.by_latency(model, options.segments, options)
    except EdgeTpuBuildError:
        return
    found = [
        stages.of_forecast(predict_segment(model, operators, options), f"{name} {number}", device)
        for number, operators in enumerate(segments)
    ]
    steps = [
        Step(device=k, task=_task(stage, 1), hand_over=FITTED.hop if k + 1 < len(found) else 0.0)
        for k, stage in enumerate(found)
    ]
    yield Choice(
        name=f"pipeline, {len(found)} devices",
        devices=len(found),
        routes={name: [steps]},
        off_chip={name: sum(map(_streamed, found))},
    )

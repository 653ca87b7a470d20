"""A small net that has most operators which reweighting covers, and what a second training makes of it."""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from typing import Any

from tests.support.models import Net, build


def facts(dtype: str = "INT8", *, per_channel: bool = False, name: str = "") -> dict[str, Any]:
    """Convolutions of all kinds, ADD, MUL and LOGISTIC, a pool, a mean, a dense layer and a softmax."""
    net = Net(dtype, per_channel=per_channel)
    x = net.input((1, 16, 16, 4))
    x = net.conv(x, 16, activation="NONE")
    x = _swish(net, x)
    y = net.conv(net.depthwise(x, activation="NONE"), 16, kernel=1, activation="NONE")
    x = net.max_pool(net.add(x, y))
    x = net.mean(net.conv(x, 72, activation="NONE"))
    made = net.finish([net.softmax(net.dense(x, 8))])
    for index, tensor in enumerate(made["tensors"]):
        if tensor.get("scale") and tensor["dtype"] == dtype and not tensor.get("const"):
            tensor["scale"] = tensor["scale"] * (1 + index / 100)
    _tie(made)
    for tensor in made["tensors"]:
        tensor["name"] += name
    return made


def bottlenecks(scales: Sequence[float], *, per_channel: bool = True) -> dict[str, Any]:
    """Inverted residuals whose RELU6 results have these scales: where they are equal, so are most words."""
    net = Net(per_channel=per_channel)
    x = net.input((1, 16, 16, 16))
    given = iter(scales)
    for block in range(len(scales) // 2):
        for make in (lambda x: net.conv(x, 64, kernel=1), net.depthwise):
            x = make(x)
            net.facts["tensors"][x] |= {"scale": next(given), "zp": -128}
        x = net.conv(x, 16, kernel=1, activation="NONE")
        net.facts["tensors"][x]["zp"] = block
    return net.finish([x])


def retrained(graph: dict[str, Any], seed: int, *, points: bool = True) -> dict[str, Any]:
    """The same architecture with other scales, and other zero points where ``points``."""
    made, rng = copy.deepcopy(graph), random.Random(seed)
    fixed = {t for op in made["ops"] if op["op"] in {"SOFTMAX", "LOGISTIC"} for t in op["outputs"]}
    for index, tensor in enumerate(made["tensors"]):
        if "scale" not in tensor or index in fixed:
            continue
        tensor["scale"] *= 1 + rng.random() / 3
        if points and not tensor.get("const"):
            tensor["zp"] = rng.randrange(-100, 100) + (128 if tensor["dtype"] == "UINT8" else 0)
    _tie(made)
    return made


def model(graph: dict[str, Any], seed: int = 0) -> bytes:
    """The file; other seeds give other weights."""
    return build(graph, seed)


def _swish(net: Net, x: int) -> int:
    gate = net.op("LOGISTIC", [x], [net.activation("gate", net.shape(x), 1 / 256, -128 if net.dtype == "INT8" else 0)])
    out = net.activation("swish", net.shape(x), 0.04)
    return net.op("MUL", [x, gate], [out], version=2, fused_activation_function="NONE")


def _tie(graph: dict[str, Any]) -> None:
    """Pools keep their input's scale; biases have that of input times weights."""
    tensors = graph["tensors"]
    for op in graph["ops"]:
        if op["op"] == "MAX_POOL_2D":
            source, result = tensors[op["inputs"][0]], tensors[op["outputs"][0]]
            result["scale"], result["zp"] = source["scale"], source["zp"]
        if op["op"] in {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"} and len(op["inputs"]) > 2:
            source, weights, bias = (tensors[t] for t in op["inputs"])
            bias["scale"] = source["scale"] * weights["scale"]

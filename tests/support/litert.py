"""Running models in LiteRT, tensors by name: the judge of whether surgery kept a model what it was."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

Tensors = dict[str, np.ndarray]


def interpreter(data: bytes) -> Interpreter:
    """Single thread, LiteRT's own kernels: no delegate that rewrites the graph."""
    made = Interpreter(
        model_content=data,
        num_threads=1,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    made.allocate_tensors()
    return made


def random_inputs(data: bytes, seed: int = 0) -> Tensors:
    """A value for every input: the whole range of integers, a normal distribution for floats."""
    rng = np.random.default_rng(seed)
    return {d["name"]: _random(rng, d["shape"], np.dtype(d["dtype"])) for d in interpreter(data).get_input_details()}


def _random(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    if dtype.kind == "f":
        return rng.normal(0, 1, shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, endpoint=True, dtype=dtype)


def run(data: bytes, values: Mapping[str, np.ndarray]) -> Tensors:
    """The model's outputs by name; ``values`` holds its inputs and may hold more."""
    made = interpreter(data)
    for detail in made.get_input_details():
        made.set_tensor(detail["index"], values[detail["name"]])
    made.invoke()
    return {detail["name"]: made.get_tensor(detail["index"]) for detail in made.get_output_details()}

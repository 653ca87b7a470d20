"""Compiled files for tests, and runs of them: outputs by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter as LiteRt
from ai_edge_litert.interpreter import OpResolverType

import edgetpu_build
from edgetpu_build.compiler import package
from edgetpu_build.compiler.artifact import CUSTOM_OPERATOR
from edgetpu_build.runtime import Interpreter
from edgetpu_build.tflite import flexbuffer, schema
from edgetpu_build.tflite.flatbuffer import Decoder
from edgetpu_build.tflite.reader import SCHEMA, read
from edgetpu_build.tflite.writer import Encoder

Tensors = dict[str, np.ndarray]
RESOLVERS = {"default": OpResolverType.AUTO, "reference": OpResolverType.BUILTIN_REF}


def compiled(model: bytes, **options: Any) -> bytes:
    return edgetpu_build.compile(model, **options).members[0].artifact


def compiled_together(*models: bytes) -> list[bytes]:
    return [member.artifact for member in edgetpu_build.compile(list(models)).members]


def segments(model: bytes, count: int) -> list[bytes]:
    return [segment.artifact for segment in edgetpu_build.compile(model, segments=count).members[0].segments]


def cut(model: bytes, operator: int) -> list[bytes]:
    """Two segments, the first of which ends with the result of that operator and all that it needs."""
    main = read(model).main
    name = main.tensors[main.operators[operator].outputs[0]].name
    return [s.artifact for s in edgetpu_build.compile(model, cuts=[name]).members[0].segments]


def opened(artifact: bytes, **options: Any) -> Interpreter:
    made = Interpreter(model_content=artifact, **options)
    made.allocate_tensors()
    return made


def original(model: bytes, kernels: str = "default") -> LiteRt:
    made = LiteRt(model_content=model, experimental_op_resolver_type=RESOLVERS[kernels])
    made.allocate_tensors()
    return made


def run(interpreter: LiteRt, values: Mapping[str, np.ndarray]) -> Tensors:
    """``values`` holds the inputs by name and may hold more."""
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], values[detail["name"]])
    interpreter.invoke()
    return {detail["name"]: interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()}


def run_chain(interpreters: Sequence[LiteRt], values: Mapping[str, np.ndarray]) -> Tensors:
    """Segment after segment; everything that any of them took or gave."""
    known = dict(values)
    for interpreter in interpreters:
        known |= run(interpreter, known)
    return known


def same(expected: Mapping[str, np.ndarray], got: Mapping[str, np.ndarray]) -> bool:
    """Whether ``got`` holds all that is expected, bit for bit."""
    return all(
        got[name].dtype == value.dtype and got[name].shape == value.shape and got[name].tobytes() == value.tobytes()
        for name, value in expected.items()
    )


def repackaged(artifact: bytes, change: Any) -> bytes:
    """The file with another package in its (only) Edge TPU operator: ``change`` takes and gives the Package value."""
    return with_options(artifact, lambda options: package.encode(change(package.decode(options))))


def retoken(artifact: bytes, token: int) -> bytes:
    """The file as if another compile had made it."""
    return repackaged(artifact, lambda p: replace(p, executables=tuple(replace(e, token=token) for e in p.executables)))


def raw_package(artifact: bytes, table: str, change: Any) -> bytes:
    """The file with ``change`` made to the raw flatbuffer table "Package" or "MultiExecutable" of its package."""

    def changed(options: memoryview) -> bytes:
        raw = package.package_bytes(options)
        tree = Decoder(package.SCHEMA, raw, "test").root("Package")
        if table == "Package":
            change(tree)
        else:
            inner = Decoder(package.SCHEMA, tree["serialized_multi_executable"], "test").root(table)
            change(inner)
            tree["serialized_multi_executable"] = Encoder(package.SCHEMA, b"").finish(table, inner)
        made = Encoder(package.SCHEMA, package.IDENTIFIER).finish("Package", tree)
        return b"".join(map(bytes, flexbuffer.write_map({"1": 0, "4": [made], "5": -1})))

    return with_options(artifact, changed)


def with_options(artifact: bytes, change: Any) -> bytes:
    """The file with other custom options in its Edge TPU operators."""
    model = read(artifact)
    tree = dict(model.tree)
    main = dict(tree["subgraphs"][0])
    main["operators"] = [
        {**table, "custom_options": change(table["custom_options"])}
        if operator.custom_code == CUSTOM_OPERATOR
        else table
        for table, operator in zip(main["operators"], model.main.operators, strict=True)
    ]
    tree["subgraphs"] = [main, *tree["subgraphs"][1:]]
    return Encoder(SCHEMA, schema.IDENTIFIER).finish("Model", tree)

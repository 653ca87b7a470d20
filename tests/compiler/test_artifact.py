"""Simulator artifacts: what they hold, that LiteRT refuses them by name, and that nothing of the model is lost."""

from __future__ import annotations

import io
import math
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from ai_edge_litert.interpreter import Interpreter

from edgetpu_build.compiler import package, parameters
from edgetpu_build.compiler.artifact import CUSTOM_OPERATOR, Part, Program, Relocation, build, program
from edgetpu_build.compiler.builtin import Builtin
from edgetpu_build.compiler.interface import Request, Source
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.tflite.model import Model, Tensor
from edgetpu_build.tflite.reader import read
from edgetpu_build.tflite.schema import ELEMENT_BITS
from edgetpu_build.tflite.surgery import boundary, delegate
from tests.support import corpus, models

NET = models.branching_net(signatures=["serve"], metadata=["note"], zip_appended=True)


def part_of(model: Model, operators: range) -> Part:
    """Large constants go to the blobs as they are, every second one streamed."""
    blobs = {"cached": b"", "streamed": b""}
    places = []
    used = {tensor for index in operators for tensor in model.main.operators[index].inputs if tensor >= 0}
    for number, tensor in enumerate(sorted(used)):
        data = model.main.tensors[tensor].data
        if data is None or len(data) <= 16:
            continue
        blob = "streamed" if number % 2 else "cached"
        place = Relocation(tensor=tensor, blob=blob, offset=len(blobs[blob]), size=len(data), layout=f"plain {tensor}")
        blobs[blob] += bytes(data)
        places.append(place)
    inputs, outputs = boundary(model.main, operators)
    return Part(operators=tuple(operators), inputs=inputs, outputs=outputs, relocations=tuple(places), **blobs)


def packages(data: bytes) -> list[package.Package]:
    operators = read(data).main.operators
    return [package.decode(op.custom_options or b"") for op in operators if op.custom_code == CUSTOM_OPERATOR]


def whole(data: bytes, token: int = 5) -> bytes:
    model = read(data)
    return build(model, [part_of(model, range(len(model.main.operators)))], token=token, runtime_version=14)


def test_the_package_holds_the_blobs_the_token_and_the_boundary() -> None:
    model = read(NET)
    part = part_of(model, range(2, 6))
    (found,) = packages(build(model, [part], token=0xABCDEF, runtime_version=13))
    main, caching = found.executables
    assert (found.min_runtime_version, main.type, caching.type) == (13, "EXECUTION_ONLY", "PARAMETER_CACHING")
    assert (bytes(caching.parameters), bytes(main.parameters)) == (part.cached, part.streamed)
    assert main.token == caching.token == 0xABCDEF
    assert [layer.name for layer in main.inputs] == [model.main.tensors[i].name for i in part.inputs]
    assert [layer.name for layer in main.outputs] == [model.main.tensors[i].name for i in part.outputs]


def test_a_part_that_caches_nothing_stands_alone() -> None:
    model = read(NET)
    part = Part(operators=(1,), **dict(zip(("inputs", "outputs"), boundary(model.main, [1]), strict=True)))
    ((executable,),) = [found.executables for found in packages(build(model, [part], token=9, runtime_version=14))]
    assert (executable.type, executable.token, len(executable.parameters)) == ("STAND_ALONE", 9, 0)


def blobs_of(found: package.Package) -> tuple[package.Executable, dict[str, bytes]]:
    """The executable that computes, and the parameter memory."""
    main = next(e for e in found.executables if e.type != "PARAMETER_CACHING")
    cached = b"".join(e.parameters for e in found.executables if e.type == "PARAMETER_CACHING")
    return main, {"streamed": bytes(main.parameters), "cached": cached}


def restored(found: package.Package) -> tuple[Program, dict[str, bytes]]:
    """The program, and the constants that it finds in the blobs, by name."""
    main, blobs = blobs_of(found)
    ran = program(main.instructions[0])
    return ran, {
        ran.model.main.tensors[p.tensor].name: bytes(blobs[p.blob][p.offset : p.offset + p.size])
        for p in ran.relocations
    }


def test_every_constant_is_in_the_blobs_or_in_the_program_and_never_in_both() -> None:
    model = read(NET)
    operators = range(len(model.main.operators))
    (found,) = packages(build(model, [part_of(model, operators)], token=5, runtime_version=14))
    ran, constants = restored(found)
    assert [op.kind for op in ran.model.main.operators] == [op.kind for op in model.main.operators]
    assert [op.options for op in ran.model.main.operators] == [op.options for op in model.main.operators]
    originals = {tensor.name: tensor for tensor in model.main.tensors}
    for tensor in ran.model.main.tensors:
        data = originals[tensor.name].data
        kept = None if tensor.data is None else bytes(tensor.data)
        assert (kept or constants.get(tensor.name)) == (None if data is None else bytes(data))
        assert kept is None or tensor.name not in constants
    assert {place.layout.split()[0] for place in ran.relocations} == {"plain"}


def test_equal_inputs_give_equal_bytes_and_the_token_is_the_only_other_thing() -> None:
    assert whole(NET) == whole(NET)
    assert whole(NET, 5) != whole(NET, 6)
    assert package.mask_token(whole(NET, 5)) == package.mask_token(whole(NET, 6))


def test_an_ordinary_interpreter_refuses_it_by_name() -> None:
    with pytest.raises(RuntimeError, match=CUSTOM_OPERATOR):
        Interpreter(model_content=whole(NET)).allocate_tensors()


def test_what_the_compiler_has_no_business_with_stays() -> None:
    model, again = read(NET), read(whole(NET))
    assert [name for name, _ in again.metadata] == ["note"]
    assert len(again.signatures) == len(model.signatures) == 1
    assert again.description == model.description
    main, new = model.main, again.main
    assert [new.tensors[i].name for i in new.inputs] == [main.tensors[i].name for i in main.inputs]
    assert [new.tensors[i].name for i in new.outputs] == [main.tensors[i].name for i in main.outputs]
    assert all(new.tensors[i].quantization for i in (*new.inputs, *new.outputs))
    with zipfile.ZipFile(io.BytesIO(whole(NET))) as archive:
        assert archive.namelist() == ["labels.txt"]


def test_several_parts_become_several_operators() -> None:
    model = read(NET)
    data = build(model, [part_of(model, range(2)), part_of(model, range(4, 7))], token=5, runtime_version=14)
    assert len(packages(data)) == 2
    assert len(read(data).main.operators) == len(model.main.operators) - 3


def test_no_part_is_the_model_rewritten() -> None:
    model = read(NET)
    assert build(model, [], token=5, runtime_version=14) == delegate(model, [])


def test_silicon_s_instructions_are_told_from_a_program() -> None:
    with pytest.raises(EdgeTpuBuildError) as caught:
        program(b"\x80\x0f\0\xdc instructions")
    assert "no program" in caught.value.diagnostics[0].message
    (found,) = packages(whole(NET))
    with pytest.raises(EdgeTpuBuildError) as caught:
        program(found.executables[1].instructions[0])
    assert "only loads" in caught.value.diagnostics[0].message


def test_tensors_that_the_chip_cannot_hold_are_named() -> None:
    net = models.Net()
    x = net.input((1, 4, 4, 2))
    wide = net.tensor("wide", (1, 4, 4, 2), "INT64")
    model = read(net.build([net.op("CAST", [x], [wide], in_data_type="INT8", out_data_type="INT64")]))
    with pytest.raises(EdgeTpuBuildError) as caught:
        build(model, [part_of(model, range(1))], token=5, runtime_version=14)
    assert "`wide_1` of type INT64" in caught.value.diagnostics[0].message


@pytest.mark.parametrize("path", corpus.real("edgetpu.tflite")[::3], ids=lambda path: path.stem)
def test_layers_are_described_as_google_s_are(path: object) -> None:
    """The whole of Google's operator, taken by ours: the same sizes, types and zero points at its boundary."""
    model = read(path.read_bytes())  # type: ignore[attr-defined]
    for index, operator in enumerate(model.main.operators):
        if operator.custom_code != "edgetpu-custom-op":
            continue
        theirs = package.decode(operator.custom_options or b"").executables[0]
        part = Part(operators=(index,), inputs=operator.inputs, outputs=operator.outputs)
        (ours,) = packages(build(model, [part], token=5, runtime_version=14))
        pairs = [(theirs.inputs, ours.executables[0].inputs), (theirs.outputs, ours.executables[0].outputs)]
        for known, made in pairs:
            for a, b in zip(known, made, strict=False):
                assert (a.name, a.size, a.data_type, a.zero_point) == (b.name, b.size, b.data_type, b.zero_point)
                assert a.scale == b.scale


def placeholder(tensor: Tensor) -> memoryview:
    """Bytes of the right size for a constant that lies elsewhere; no two neighbours are equal, so no rule takes it for
    one that the compiler folds away."""
    size = (math.prod(tensor.shape) * ELEMENT_BITS[tensor.type] + 7) // 8
    if tensor.type == "INT32":
        return memoryview(struct.pack(f"<{size // 4}i", *range(1, size // 4 + 1)))
    return memoryview(bytes(index % 251 for index in range(size)))


def constants_of(found: package.Package) -> dict[str, bytes]:
    """Every relocated constant, by name, unpacked from the parameter memory alone, as a device has to."""
    main, blobs = blobs_of(found)
    ran = program(main.instructions[0])
    elsewhere = {place.tensor for place in ran.relocations}
    tensors = [
        replace(tensor, data=placeholder(tensor)) if index in elsewhere else tensor
        for index, tensor in enumerate(ran.model.main.tensors)
    ]
    subgraph = replace(ran.model.main, tensors=tuple(tensors))
    mapped = frozenset(range(len(subgraph.operators)))
    constants = {}
    for place in ran.relocations:
        generation, _, operator = place.layout.partition(":")
        layer = parameters.layout(subgraph, int(operator), generation=generation, mapped=mapped)
        assert layer is not None
        assert layer.size == place.size
        unpacked = layer.unpack(memoryview(blobs[place.blob])[place.offset : place.offset + place.size])
        constants[subgraph.tensors[place.tensor].name] = unpacked[place.tensor]
    return constants


def comes_back(data: bytes) -> bool:
    """Whether what builtin makes of the model holds every constant that it moved to the parameter memory."""
    request = Request(sources=(Source(label="model", data=data),))
    (member,) = Builtin().compile(request, timeout=60, progress=lambda _: None).members
    originals = {tensor.name: tensor.data for tensor in read(data).main.tensors}
    unpacked = [constants_of(found) for found in packages(member.artifact)]
    assert unpacked
    return all(originals[name] == value for constants in unpacked for name, value in constants.items())


@pytest.mark.parametrize("data", [models.mobilenet_like(0.1, 32), models.conv_net(dtype="UINT8"), NET])
def test_a_device_gets_every_constant_back_from_its_parameter_memory(data: bytes) -> None:
    assert comes_back(data)


@pytest.mark.slow
@pytest.mark.parametrize("path", corpus.real("original.tflite"), ids=lambda path: path.stem)
def test_a_device_gets_the_constants_of_real_models_back(path: Path) -> None:
    assert comes_back(path.read_bytes())

"""What the reader says of good models, and of everything that is none."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest
import tflite
from ai_edge_litert import schema_py_generated as litert

from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.tflite.reader import read
from tests.support import corpus, models, mutants


def code_of(data: bytes) -> str:
    with pytest.raises(EdgeTpuBuildError) as caught:
        read(data, label="m.tflite")
    (diagnostic,) = caught.value.diagnostics
    assert "m.tflite" in diagnostic.message
    return diagnostic.code


def message_of(data: bytes) -> str:
    with pytest.raises(EdgeTpuBuildError) as caught:
        read(data)
    return caught.value.diagnostics[0].message


def faulty(change: object, data: bytes | None = None) -> bytes:
    """The small net with a change made to LiteRT's object form of it."""
    model = models.unpack(data or models.conv_net(2, 8, 16))
    change(model)  # type: ignore[operator]
    return models.pack(model)


def test_values_are_what_was_built() -> None:
    net = models.Net()
    x = net.input((1, 8, 8, 3))
    data = net.build([net.conv(x, 4, 5, stride=2)], signatures=["serve"], metadata=["note"])
    model = read(data)
    (operator,) = model.main.operators
    assert (operator.kind, operator.version, operator.inputs, operator.outputs) == ("CONV_2D", 3, (0, 1, 2), (3,))
    assert operator.options == {
        "padding": "SAME",
        "stride_w": 2,
        "stride_h": 2,
        "fused_activation_function": "RELU6",
        "dilation_w_factor": 1,
        "dilation_h_factor": 1,
        "quantized_bias_type": "FLOAT32",
    }
    weights = model.main.tensors[1]
    assert (weights.name, weights.shape, weights.type) == ("filter_1", (4, 5, 5, 3), "INT8")
    assert weights.quantization is not None
    assert (len(weights.quantization.scale), weights.quantization.zero_point) == (4, (0,) * 4)
    assert weights.data is not None
    assert len(weights.data) == 300
    assert model.main.tensors[0].data is None
    assert model.signatures[0].inputs == (("input_0", 0),)
    assert [name for name, _ in model.metadata] == ["note"]
    assert (model.main.inputs, model.main.outputs, model.flatbuffer_size) == ((0,), (3,), len(data))


def test_options_left_out_have_the_schema_s_defaults() -> None:
    net = models.Net()
    x = net.input((1, 4, 4, 2))
    net.facts["ops"].append({"op": "RESHAPE", "inputs": [x], "outputs": [net.activation("flat", (1, 32))]})
    net.facts["ops"].append({"op": "SPLIT", "inputs": [x], "outputs": [], "options": {"num_splits": 3}})
    reshape, split = read(net.build([x])).main.operators
    assert reshape.options == {}
    assert split.options == {"num_splits": 3}


def test_an_appended_archive_begins_where_the_flatbuffer_ends() -> None:
    plain, labelled = models.conv_net(), models.conv_net(zip_appended=True)
    model = read(labelled)
    assert model.flatbuffer_size == len(plain)
    assert bytes(model.raw[model.flatbuffer_size :]).startswith(b"PK")


def test_agrees_with_both_generated_readers_on_real_and_made_models() -> None:
    made = [models.mobilenet_like(0.1, 32), models.branching_net(), models.float_net()]
    for data in made + [path.read_bytes() for path in corpus.real(".tflite")[::4]]:
        ours, theirs = read(data), tflite.Model.GetRootAs(data)
        main = theirs.Subgraphs(0)
        for index, tensor in enumerate(ours.main.tensors):
            other = main.Tensors(index)
            assert tensor.name == other.Name().decode()
            assert tensor.shape == tuple(other.ShapeAsNumpy() if other.ShapeLength() else ())
            assert getattr(litert.TensorType, tensor.type) == other.Type()
            length = theirs.Buffers(other.Buffer()).DataLength()
            assert length == (0 if tensor.data is None else len(tensor.data))
        for index, operator in enumerate(ours.main.operators):
            other = main.Operators(index)
            assert operator.inputs == tuple(other.InputsAsNumpy() if other.InputsLength() else ())
            assert operator.outputs == tuple(other.OutputsAsNumpy() if other.OutputsLength() else ())
            code = theirs.OperatorCodes(other.OpcodeIndex())
            number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
            assert getattr(litert.BuiltinOperator, operator.kind) == number
            assert operator.version == code.Version()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "ETB301"),
        (b"T", "ETB301"),
        (b"hello, this is no model at all", "ETB301"),
        (b"<!DOCTYPE html><html>", "ETB301"),
        (b"PK\3\4 and so on", "ETB301"),
        (b"\x89HDF\r\n\x1a\n", "ETB301"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "ETB303"),
        (b"\0\0\0\0TFL3", "ETB302"),
        (b"\xff\xff\xff\xffTFL3", "ETB302"),
        (b"\x08\0\0\0TFL3", "ETB302"),
    ],
)
def test_what_is_no_model_is_named(data: bytes, code: str) -> None:
    assert code_of(data) == code


def test_a_pointer_says_what_to_run() -> None:
    with pytest.raises(EdgeTpuBuildError) as caught:
        read(b"version https://git-lfs.github.com/spec/v1\n")
    assert "git lfs pull" in caught.value.diagnostics[0].hint


def test_random_bytes_are_no_model() -> None:
    rng = random.Random(5)
    for size in (1, 8, 9, 100, 5000):
        assert code_of(rng.randbytes(size)) == "ETB301"
        assert code_of(b"\x10\0\0\0TFL3" + rng.randbytes(size)) == "ETB302"


@pytest.mark.parametrize("data", [models.conv_net(2, 8, 16), models.branching_net(zip_appended=True)])
def test_every_truncation_is_refused(data: bytes) -> None:
    end = read(data).flatbuffer_size
    for part in mutants.truncated(data[:end]):
        assert code_of(part) in {"ETB301", "ETB302"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: setattr(m.subgraphs[0].tensors[0], "shape", [1, -7, 16, 3]), "shape [1, -7, 16, 3]"),
        (lambda m: setattr(m.subgraphs[0].tensors[0], "shape", [1 << 16, 1 << 16, 1, 3]), "more than 2 GiB"),
        (lambda m: setattr(m.subgraphs[0].tensors[1], "shape", [8, 3, 3, 4]), "ask for 288"),
        (lambda m: setattr(m.subgraphs[0].tensors[1], "buffer", 4711), "buffer 4711 is out of range"),
        (lambda m: setattr(m.subgraphs[0].tensors[1].quantization, "scale", [1.0, 2.0]), "2 scales and 8 zero points"),
        (lambda m: setattr(m.subgraphs[0].tensors[1].quantization, "quantizedDimension", 7), "along dimension 7, of 4"),
        (lambda m: setattr(m.subgraphs[0].tensors[1].quantization, "quantizedDimension", 1), "8 scales for 3 channels"),
        (lambda m: setattr(m.subgraphs[0].tensors[0].quantization, "zeroPoint", [999]), "zero point 999"),
        (lambda m: setattr(m.subgraphs[0].operators[0], "opcodeIndex", 99), "opcode index 99 is out of range"),
        (lambda m: setattr(m.subgraphs[0].operators[0], "inputs", [0, 1, 999]), "tensor 999 is out of range"),
        (lambda m: setattr(m.subgraphs[0].operators[0], "inputs", [-2, 1, 2]), "tensor -2 is out of range"),
        (lambda m: setattr(m.subgraphs[0].operators[0], "outputs", [-1]), "tensor -1 is out of range"),
        (lambda m: setattr(m.subgraphs[0].operators[0], "inputs", [3, 1, 2]), "its own output"),
        (lambda m: setattr(m.subgraphs[0].operators[0], "inputs", [6, 1, 2]), "operator 1's output"),
        (lambda m: setattr(m.subgraphs[0].operators[1], "outputs", [3]), "written by operator 0 as well"),
        (lambda m: setattr(m.subgraphs[0].operators[1], "outputs", [0]), "is an input of the model"),
        (lambda m: setattr(m.subgraphs[0].operators[1], "outputs", [1]), "writes the constant tensor 1"),
        (lambda m: setattr(m.subgraphs[0], "inputs", [-1]), "input -1 is out of range"),
        (lambda m: setattr(m.subgraphs[0], "outputs", [12345]), "output 12345 is out of range"),
        (lambda m: setattr(m, "subgraphs", []), "no subgraph"),
        (lambda m: m.subgraphs[0].operators.reverse(), "output"),
    ],
)
def test_contradictions_are_named(change: object, said: str) -> None:
    assert said in message_of(faulty(change))


def test_a_signature_or_metadata_that_points_nowhere_is_refused() -> None:
    data = models.conv_net(2, 8, 16, signatures=["serve"], metadata=["note"])
    assert "signature `serve`" in message_of(
        faulty(lambda m: setattr(m.signatureDefs[0].inputs[0], "tensorIndex", 999), data)
    )
    assert "subgraph 3" in message_of(faulty(lambda m: setattr(m.signatureDefs[0], "subgraphIndex", 3), data))
    assert "buffer 999" in message_of(faulty(lambda m: setattr(m.metadata[0], "buffer", 999), data))


def test_minus_one_in_a_shape_is_dynamic_but_in_the_signature_fine() -> None:
    dynamic = faulty(lambda m: setattr(m.subgraphs[0].tensors[0], "shape", [-1, 16, 16, 3]))
    assert code_of(dynamic) == "ETB307"
    assert read(models.dynamic_net()).main.tensors[0].shape_signature == (-1, 8, 8, 4)


def test_several_subgraphs_are_read() -> None:
    model = read(faulty(lambda m: m.subgraphs.append(m.subgraphs[0])))
    assert len(model.subgraphs) == 2
    assert model.subgraphs[1].operators[0].kind == "CONV_2D"


def test_constants_behind_the_flatbuffer_are_found() -> None:
    whole = read(models.conv_net(2, 8, 16))
    weights = bytes(whole.main.tensors[1].data or b"")
    number = whole.main.tensors[1].buffer

    def moved(offset: int, size: int) -> bytes:
        def change(model: object) -> None:
            buffer = model.buffers[number]  # type: ignore[attr-defined]
            buffer.data, buffer.offset, buffer.size = None, offset, size

        return faulty(change)

    start = len(moved(1 << 30, len(weights)))
    model = read(moved(start, len(weights)) + weights)
    assert bytes(model.main.tensors[1].data or b"") == weights
    assert model.flatbuffer_size == start + len(weights)
    assert "behind the end" in message_of(moved(start, len(weights)) + weights[:-1])


def test_overlapping_constants_are_refused_but_shared_ones_are_not() -> None:
    data = bytearray(models.conv_net(2, 8, 16))
    first, second = _buffer_fields(data, 1), _buffer_fields(data, 4)
    target = first + struct.unpack_from("<I", data, first)[0]
    struct.pack_into("<I", data, second, target + 4 - second)
    assert code_of(bytes(data)) == "ETB302"


def _buffer_fields(data: bytearray, number: int) -> int:
    """Where buffer ``number`` refers to its bytes."""
    table = tflite.Model.GetRootAs(data).Buffers(number)._tab
    return int(table.Pos + table.Offset(4))


def test_tables_shared_a_million_times_end_in_an_error() -> None:
    """A vector of subgraphs whose entries are all one subgraph with a vector of tensors that are all one tensor."""
    model = models.unpack(models.chain_net(300))
    data = bytearray(models.pack(model))
    tensors = tflite.Model.GetRootAs(data).Subgraphs(0)._tab
    vector = tensors.Vector(tensors.Offset(4))
    first = vector + struct.unpack_from("<I", data, vector)[0]
    many = 200_000
    struct.pack_into("<I", data, tensors.Offset(4) + tensors.Pos, len(data) - (tensors.Offset(4) + tensors.Pos))
    at = len(data) + 4
    # offsets are unsigned: the vector stands behind, so the tensor is copied to the end
    last = at + 4 * many
    data += struct.pack("<I", many) + np.arange(last - at, last - at - 4 * many, -4, dtype="<u4").tobytes()
    vtable = first - struct.unpack_from("<i", data, first)[0]
    data += struct.pack("<i", last - vtable) + data[first + 4 : first + 64]
    assert code_of(bytes(data)) == "ETB302"


@pytest.mark.parametrize("path", corpus.real(".tflite"), ids=lambda path: path.stem)
def test_real_models_are_read(path: object) -> None:
    model = read(path.read_bytes())  # type: ignore[attr-defined]
    assert model.main.operators
    assert not model.unknown


@pytest.mark.slow
@pytest.mark.skipif(not corpus.graphs(), reason="no corpus beside the repository")
def test_models_made_from_real_graphs_are_read() -> None:
    import json

    for path in corpus.graphs()[::5]:
        facts = json.loads(path.read_text())
        model = read(models.build(facts))
        assert [operator.kind for operator in model.main.operators] == [op["op"] for op in facts["ops"]]

"""Cut or delegated, a model computes what it did and holds what it held."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.tflite import schema
from edgetpu_build.tflite.flatbuffer import Schema
from edgetpu_build.tflite.model import Model
from edgetpu_build.tflite.reader import SCHEMA, read
from edgetpu_build.tflite.surgery import Part, boundary, delegate, extract, program
from edgetpu_build.tflite.writer import Encoder
from tests.support import corpus, litert, models

RICH = {"signatures": ["serve"], "metadata": ["min_runtime_version", "note"], "zip_appended": True}
NETS = {
    "conv": models.conv_net(3, 8, 16, **RICH),
    "branching": models.branching_net(**RICH),
    "residual": models.mobilenet_like(0.1, 32, **RICH),
    "float": models.float_net(**RICH),
    "dense": models.dense_net(4, 16, 16),
}


@pytest.fixture(scope="module", params=NETS)
def net(request: pytest.FixtureRequest) -> bytes:
    return NETS[request.param]


def chained(model: Model, cuts: list[int]) -> Iterator[bytes]:
    """The plain segments between the cuts."""
    for first, last in pairwise([0, *cuts, len(model.main.operators)]):
        yield extract(model, range(first, last), *boundary(model.main, range(first, last)))


def same_in_pieces(data: bytes, cuts: list[int], seed: int = 0) -> bool:
    """The segments, run one after another, give bit for bit what the whole does."""
    known = litert.random_inputs(data, seed)
    whole = litert.run(data, known)
    for segment in chained(read(data), cuts):
        known |= litert.run(segment, known)
    return all(known[name].tobytes() == value.tobytes() for name, value in whole.items())


def as_part(model: Model, operators: Any, code: str = "some-op", options: bytes = b"options") -> Part:
    inputs, outputs = boundary(model.main, operators)
    return Part(operators=tuple(operators), inputs=inputs, outputs=outputs, custom_code=code, custom_options=options)


def names(model: Model, indices: tuple[int, ...]) -> list[str]:
    return [model.main.tensors[index].name for index in indices]


def test_every_cut_in_two_computes_the_same(net: bytes) -> None:
    count = len(read(net).main.operators)
    for cut in range(1, count, max(1, count // 12)):
        assert same_in_pieces(net, [cut], seed=cut)


def test_one_operator_a_segment_computes_the_same(net: bytes) -> None:
    assert same_in_pieces(net, list(range(1, len(read(net).main.operators))))


@pytest.mark.parametrize("path", corpus.real("original.tflite"), ids=lambda path: path.stem)
def test_real_models_cut_in_two_compute_the_same(path: Path) -> None:
    data = path.read_bytes()
    model = read(data)
    if any(operator.kind == "CUSTOM" for operator in model.main.operators):
        pytest.skip("holds an operator that LiteRT does not have")
    count = len(model.main.operators)
    for cut in random.Random(count).sample(range(1, count), min(2, count - 1)):
        assert same_in_pieces(data, [cut], seed=cut)


@pytest.mark.slow
@pytest.mark.skipif(not corpus.graphs(), reason="no corpus beside the repository")
@pytest.mark.parametrize("share", range(4))
def test_models_made_from_real_graphs_cut_in_two_compute_the_same(share: int) -> None:
    for path in corpus.graphs()[share * 7 :: 28]:
        facts = json.loads(path.read_text())
        if any(op["op"] == "CUSTOM" for op in facts["ops"]):
            continue
        data = models.build(facts)
        for cut in random.Random(path.name).sample(range(1, len(facts["ops"])), min(2, len(facts["ops"]) - 1)):
            assert same_in_pieces(data, [cut], seed=cut), f"{path.name} at {cut}"


def test_boundaries_of_a_net_with_everything() -> None:
    model = read(NETS["branching"])
    kinds = [operator.kind for operator in model.main.operators]
    add, concat = kinds.index("ADD"), kinds.index("CONCATENATION")
    inputs, outputs = boundary(model.main, range(add))
    assert names(model, inputs) == ["input_0"]  # the second input is only used later
    assert names(model, outputs) == [f"conv_{outputs[0]}", f"concatenation_{outputs[1]}"]
    assert outputs[0] in model.main.outputs  # consumed inside, and an output of the model
    inputs, outputs = boundary(model.main, range(add, len(kinds)))
    assert names(model, inputs)[0] == "input_1"  # the model's own come first
    assert [index for index in model.main.outputs if index in outputs] == list(outputs)
    inputs, _ = boundary(model.main, [concat])
    assert len(inputs) == 2  # the second half of the split, and the convolution of the first
    whole = boundary(model.main, range(len(kinds)))
    assert whole == (model.main.inputs, model.main.outputs)


def test_optional_inputs_stay_left_out() -> None:
    model = read(NETS["branching"])
    dense = next(i for i, operator in enumerate(model.main.operators) if operator.kind == "FULLY_CONNECTED")
    assert model.main.operators[dense].inputs[2] == -1
    segment = read(extract(model, [dense], *boundary(model.main, [dense])))
    assert segment.main.operators[0].inputs[2] == -1


def test_nothing_is_lost_when_nothing_is_replaced(net: bytes) -> None:
    model = read(net)
    again = read(delegate(model, []))
    assert [vars_of(t) for t in again.main.tensors] == [vars_of(t) for t in model.main.tensors]
    assert [o.options for o in again.main.operators] == [o.options for o in model.main.operators]
    assert [o.version for o in again.main.operators] == [o.version for o in model.main.operators]
    assert (again.signatures != ()) == (model.signatures != ())
    assert metadata(again) == metadata(model)
    assert delegate(again, []) == bytes(again.raw)


def vars_of(tensor: Any) -> tuple[Any, ...]:
    quantization = tensor.quantization
    numbers = (quantization.scale, quantization.zero_point, quantization.axis) if quantization else None
    constant = None if tensor.data is None else bytes(tensor.data)
    return tensor.name, tensor.shape, tensor.shape_signature, tensor.type, numbers, tensor.is_variable, constant


def metadata(model: Model) -> dict[str, bytes]:
    return {name: bytes(model.tree["buffers"][buffer]["data"]) for name, buffer in model.metadata}


def test_a_delegated_part_becomes_one_operator_and_the_rest_stays() -> None:
    model = read(NETS["residual"])
    operators = range(2, 20)
    data = delegate(model, [as_part(model, operators)])
    again = read(data)
    assert [o.custom_code or o.kind for o in again.main.operators] == [
        *[o.kind for o in model.main.operators[:2]],
        "some-op",
        *[o.kind for o in model.main.operators[20:]],
    ]
    custom = again.main.operators[2]
    assert bytes(custom.custom_options or b"") == b"options"
    inputs, outputs = boundary(model.main, operators)
    assert names(again, custom.inputs) == names(model, inputs)
    assert names(again, custom.outputs) == names(model, outputs)
    before = {tensor.name: vars_of(tensor) for tensor in model.main.tensors}
    assert all(vars_of(tensor) == before[tensor.name] for tensor in again.main.tensors)
    inner = {t for i in operators for t in (*model.main.operators[i].inputs, *model.main.operators[i].outputs)}
    gone = {model.main.tensors[t].name for t in inner} - set(names(model, inputs)) - set(names(model, outputs))
    assert gone.isdisjoint(tensor.name for tensor in again.main.tensors)
    assert metadata(again) == metadata(model)
    assert again.signatures[0].inputs == (("input_0", again.main.inputs[0]),)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.read("labels.txt") == b"cat\ndog\n"
    removed = sum(len(model.main.tensors[t].data or b"") for t in inner)
    assert len(data) < len(model.raw) - removed


def test_the_custom_operator_waits_for_its_inputs_and_nobody_waits_in_vain() -> None:
    """The part's first operator stands before, its last one behind an operator that stays and lies between them."""
    net = models.Net()
    x = net.input((1, 8, 8, 4))
    a, b = net.conv(x, 4), net.max_pool(x, 1)
    data = net.build([net.add(net.conv(a, 4), b)])
    model = read(data)
    kinds = [operator.kind for operator in model.main.operators]
    assert kinds == ["CONV_2D", "MAX_POOL_2D", "CONV_2D", "ADD"]
    again = read(delegate(model, [as_part(model, [0, 2, 3])]))
    assert [o.custom_code or o.kind for o in again.main.operators] == ["MAX_POOL_2D", "some-op"]


def test_a_part_that_depends_on_itself_is_refused() -> None:
    model = read(models.conv_net(3, 4, 8))
    with pytest.raises(EdgeTpuBuildError) as caught:
        delegate(model, [as_part(model, [0, 2])])
    assert caught.value.diagnostics[0].code == "ETB701"


def test_constants_that_others_use_stay() -> None:
    net = models.Net()
    x = net.input((1, 4, 4, 2))
    shape = net.int32("shape", [1, 32])
    first = net.like("RESHAPE", x, shape, shape=(1, 32))
    data = net.build([net.like("RESHAPE", first, shape, shape=(1, 32))])
    model = read(data)
    again = read(delegate(model, [as_part(model, [0])]))
    assert [t.name for t in again.main.tensors if t.data is not None] == [f"shape_{shape}"]


def test_buffers_shared_between_tensors_stay_shared() -> None:
    tree = models.unpack(models.dense_net(3, 16, 16))
    weights = [t for t in tree.subgraphs[0].tensors if t.name.startswith(b"dense_filter")]
    for tensor in weights:
        tensor.buffer = weights[0].buffer
    model = read(models.pack(tree))
    again = read(delegate(model, [as_part(model, [0])]))
    shared = [tensor.buffer for tensor in again.main.tensors if tensor.name.startswith("dense_filter")]
    assert len(shared) == 2
    assert len(set(shared)) == 1


def test_every_field_of_the_schema_survives() -> None:
    """Sparsity, intermediates, variables, variant types, block-wise quantisation, debug indices, stablehlo options."""
    tree = dict(read(models.conv_net(2, 8, 16)).tree)
    main = dict(tree["subgraphs"][0])
    tensors = list(main["tensors"])
    tensors[3] = {
        **tensors[3],
        "is_variable": 1,
        "has_rank": 1,
        "sparsity": {"dim_metadata": [{"format": 1, "array_segments_type": 2, "array_segments": {"values": b"\1\0"}}]},
        "variant_tensors": [{"type": 9, "has_rank": 1}],
    }
    operators = list(main["operators"])
    operators[0] = {**operators[0], "debug_metadata_index": 5, "mutating_variable_inputs": b"\0\1\0"}
    operators[1] = {
        **{k: v for k, v in operators[1].items() if not k.startswith("builtin_options")},
        "builtin_options_2_type": SCHEMA.members("BuiltinOptions2").index("StablehloTransposeOptions"),
        "builtin_options_2": {"permutation": b"\7" * 16},
        "intermediates": (6).to_bytes(4, "little"),
    }
    tree["subgraphs"] = [{**main, "tensors": tensors, "operators": operators, "debug_metadata_index": 3}]
    model = read(Encoder(SCHEMA, b"TFL3").finish("Model", tree))
    again = read(delegate(model, [as_part(model, [3])])).tree["subgraphs"][0]
    assert again["debug_metadata_index"] == 3
    (variable,) = [t for t in again["tensors"] if t.get("is_variable")]
    assert variable["sparsity"]["dim_metadata"][0]["array_segments"]["values"] == b"\1\0"
    assert variable["variant_tensors"] == [{"type": 9, "has_rank": 1}]
    assert again["operators"][0]["debug_metadata_index"] == 5
    assert again["operators"][0]["mutating_variable_inputs"] == b"\0\1\0"
    assert again["operators"][1]["builtin_options_2"]["permutation"] == b"\7" * 16
    assert again["operators"][1]["intermediates"] == (6).to_bytes(4, "little")


def test_scales_that_stand_in_tensors_of_their_own_come_along() -> None:
    tree = dict(read(models.dense_net(2, 16, 16)).tree)
    main = dict(tree["subgraphs"][0])
    tensors = list(main["tensors"])
    blockwise = SCHEMA.members("QuantizationDetails").index("BlockwiseQuantization")
    scales = len(tensors)
    details = {"details_type": blockwise, "details": {"scales": scales, "zero_points": scales + 1, "block_size": 8}}
    tensors[4] = {**tensors[4], "quantization": details}
    tensors += [{"name": b"scales", "shape": b"", "type": 0}, {"name": b"zeros", "shape": b"", "type": 0}]
    tree["subgraphs"] = [{**main, "tensors": tensors}]
    model = read(Encoder(SCHEMA, b"TFL3").finish("Model", tree))
    for data in (delegate(model, [as_part(model, [0])]), extract(model, [1], *boundary(model.main, [1]))):
        stored = read(data).tree["subgraphs"][0]["tensors"]
        (found,) = [t["quantization"]["details"] for t in stored if "details" in t.get("quantization", {})]
        assert (stored[found["scales"]]["name"], stored[found["zero_points"]]["name"]) == (b"scales", b"zeros")
    details["details"]["scales"] = 999
    with pytest.raises(EdgeTpuBuildError):
        read(Encoder(SCHEMA, b"TFL3").finish("Model", tree))


def test_the_old_list_of_metadata_buffers_is_renumbered() -> None:
    tree = dict(read(models.dense_net(2, 16, 16)).tree)
    tree["buffers"] = [*tree["buffers"], {"data": b"old-style metadata"}]
    tree["metadata_buffer"] = (len(tree["buffers"]) - 1).to_bytes(4, "little")
    model = read(Encoder(SCHEMA, b"TFL3").finish("Model", tree))
    again = read(delegate(model, [as_part(model, [0])])).tree
    assert len(again["buffers"]) < len(tree["buffers"])
    assert again["buffers"][int.from_bytes(again["metadata_buffer"], "little")]["data"] == b"old-style metadata"
    tree["metadata_buffer"] = b"\xff\xff\0\0"
    with pytest.raises(EdgeTpuBuildError):
        read(Encoder(SCHEMA, b"TFL3").finish("Model", tree))


def test_fields_that_only_a_newer_schema_knows_are_not_dropped_in_silence() -> None:
    newer = Schema({**schema.TABLES, "Tensor": schema.TABLES["Tensor"] + " mood:u32"}, schema.ENUMS, schema.UNIONS)
    tree = dict(read(models.dense_net()).tree)
    main = dict(tree["subgraphs"][0])
    main["tensors"] = [{**tensor, "mood": 7} for tensor in main["tensors"]]
    model = read(Encoder(newer, b"TFL3").finish("Model", tree | {"subgraphs": [main]}))
    assert len(model.main.operators) == 2
    with pytest.raises(EdgeTpuBuildError) as caught:
        delegate(model, [])
    assert caught.value.diagnostics[0].code == "ETB320"
    assert "Tensor slot 11" in caught.value.diagnostics[0].message


def test_a_segment_keeps_a_signature_only_if_it_covers_it() -> None:
    model = read(NETS["conv"])
    count = len(model.main.operators)
    first, whole = range(2), range(count)
    assert read(extract(model, first, *boundary(model.main, first))).signatures == ()
    (signature,) = read(extract(model, whole, *boundary(model.main, whole))).signatures
    assert [name for name, _ in signature.outputs] == ["output_0"]


def test_a_model_without_operators_is_rewritten_as_it_is() -> None:
    tree = models.unpack(models.dense_net())
    tree.subgraphs[0].operators, tree.operatorCodes, tree.subgraphs[0].outputs = None, None, tree.subgraphs[0].inputs
    model = read(models.pack(tree))
    assert boundary(model.main, []) == ((), ())
    assert read(delegate(model, [])).main.operators == ()
    assert read(extract(model, [], model.main.inputs, model.main.outputs)).main.outputs == (0,)


def test_a_segment_gives_its_outputs_in_the_order_asked_for() -> None:
    model = read(NETS["branching"])
    operators = range(len(model.main.operators))
    segment = read(extract(model, operators, model.main.inputs, model.main.outputs[::-1]))
    assert names(segment, segment.main.outputs) == names(model, model.main.outputs[::-1])


def test_a_program_has_no_bytes_for_what_lies_elsewhere() -> None:
    model = read(NETS["conv"])
    weights = [i for i, tensor in enumerate(model.main.tensors) if tensor.data is not None and len(tensor.data) > 16]
    operators = range(len(model.main.operators))
    data, places = program(model, operators, model.main.inputs, model.main.outputs, weights)
    bare = read(b"".join(data))
    for old, new in places.items():
        kept, was = bare.main.tensors[new], model.main.tensors[old]
        assert (kept.name, kept.shape, kept.type) == (was.name, was.shape, was.type)
        assert (kept.data is None) == (was.data is None or old in weights)
    assert (bare.metadata, bare.signatures) == ((), ())


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(NETS)), st.data())
def test_any_contiguous_parts_can_be_delegated(name: str, data: st.DataObject) -> None:
    model = read(NETS[name])
    count = len(model.main.operators)
    edges = sorted(data.draw(st.sets(st.integers(0, count), min_size=2, max_size=4)))
    parts = [as_part(model, range(a, b), f"op-{a}") for a, b in pairwise(edges)]
    first = delegate(model, parts)
    again = read(first)
    assert len(again.main.operators) == count - (edges[-1] - edges[0]) + len(parts)
    assert names(again, again.main.inputs) == names(model, model.main.inputs)
    assert names(again, again.main.outputs) == names(model, model.main.outputs)
    models.unpack(first)
    assert delegate(read(NETS[name]), parts) == first


def test_long_chains_and_wide_joints_are_no_trouble() -> None:
    for data in (models.chain_net(3000), models.wide_concat_net(1000)):
        model = read(data)
        half = range(len(model.main.operators) // 2)
        assert (
            len(read(delegate(model, [as_part(model, half)])).main.operators)
            == len(model.main.operators) - len(half) + 1
        )

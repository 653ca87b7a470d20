"""What each kind of operator takes, by its surroundings."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgetpu_build.compiler import parameters
from edgetpu_build.compiler.parameters import site
from edgetpu_build.tflite.model import Subgraph
from edgetpu_build.tflite.reader import read
from tests.compiler.parameters.made import Made
from tests.support import models

# --- convolutions ----------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 130),
    st.integers(1, 20),
    st.sampled_from([1, 2, 3]),
    st.booleans(),
    st.sampled_from(sorted(parameters.GENERATIONS)),
)
def test_convolutions_come_back(outputs, depth, kernel, per_channel, generation) -> None:
    made = Made()
    scale = [0.001 * (1 + k % 7) for k in range(outputs)] if per_channel else [0.01]
    made.conv(made.tensor(1, 9, 9, depth), outputs, kernel, scale=scale)
    layer = made.layout(generation=generation)
    made.check(layer)
    assert layer.absent == ()
    lanes = 4 if outputs <= 4 else 64 if outputs >= 64 else -(-outputs // 16) * 16
    many = per_channel and outputs > 1
    head = 4 + 4 * many + 4 * (many and len(set(scale)) > 1)
    size = -(-outputs // lanes) * lanes * (head + kernel * kernel * -(-depth // 4) * 4)
    assert layer.size == -(-size // 64) * 64


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 70), st.sampled_from([1, 3]), st.booleans(), st.booleans(), st.integers(0, 99))
def test_depthwise_convolutions_come_back(count, kernel, single, signed, seed) -> None:
    made = Made(seed)
    x = made.tensor(1, 8, 8, 1 if single else count)
    weights = made.constant(1, kernel, kernel, count, dtype="INT8" if signed else "UINT8", zero=0 if signed else 77)
    made.op("DEPTHWISE_CONV_2D", x, weights, made.integers(*range(1, count + 1)), shape=(1, 8, 8, count))
    layer = made.layout()
    made.check(layer)
    assert layer.absent == ()
    if not single:
        assert layer.size == -(-(-(-count // 4) * 4 * (4 + 4 * kernel * kernel)) // 64) * 64


def test_what_no_compile_shows_is_estimated() -> None:
    made = Made()
    made.op("DEPTHWISE_CONV_2D", made.tensor(1, 8, 8, 4), made.constant(1, 3, 3, 8), shape=(1, 8, 8, 8))
    made.op("CONV_2D", made.tensor(1, 8, 8, 8), made.constant(8, 1, 1, 4), shape=(1, 8, 8, 8))
    same = {"padding": "SAME", "stride_h": 2, "stride_w": 2}
    made.op("DEPTHWISE_CONV_2D", made.tensor(1, 2, 2, 4), made.constant(1, 3, 3, 4), shape=(1, 1, 1, 4), **same)
    made.op("MAXIMUM", made.tensor(1, 8, 8, 8), made.constant(8), shape=(1, 8, 8, 8))
    begins, sizes = made.integers(0, 0, 0, 2), made.integers(1, 8, 8, 2)
    made.op("SLICE", made.tensor(1, 8, 8, 8), begins, sizes, shape=(1, 8, 8, 2))
    for index in range(5):
        layer = made.layout(index)
        made.check(layer)
        assert (layer.confidence, layer.size > 0) == ("estimated", True)


def test_a_folded_bias_is_named_as_absent() -> None:
    made = Made()
    made.conv(made.tensor(1, 8, 8, 8), 16, bias=[0] * 16)
    layer = made.layout()
    made.check(layer)
    assert layer.absent == (made.operators[0].inputs[2],)
    assert made.layout(generation="2.0").absent == ()
    assert made.layout(generation="15.0").confidence == "estimated"  # no file of 15.0 shows it


def test_taps_that_only_meet_padding_are_dropped_and_come_back_as_zero_points() -> None:
    made = Made()
    x = made.tensor(1, 2, 2, 4)
    weights = made.constant(16, 3, 3, 4)
    made.op("CONV_2D", x, weights, shape=(1, 1, 1, 16), padding="SAME", stride_h=2, stride_w=2)
    layer = made.layout()
    assert layer.size == 16 * 4 * 4  # 2 x 2 of the 3 x 3 taps
    given_back, whole = layer.unpack(layer.blob())[weights], bytes(made.tensors[weights].data or b"")
    for tap in range(9):
        kept = tap // 3 < 2 and tap % 3 < 2
        for row in range(16):
            at = (row * 9 + tap) * 4
            assert given_back[at : at + 4] == (whole[at : at + 4] if kept else bytes(4))


@pytest.mark.parametrize(("mapped", "lanes"), [([0, 1], 3 * 88), ([0], 320)])
def test_a_reshape_that_splits_channels_spreads_the_lanes_if_it_is_mapped(mapped: list[int], lanes: int) -> None:
    made = Made()
    x = made.conv(made.tensor(1, 4, 4, 8), 255)
    made.op("RESHAPE", x, made.integers(1, 48, 85), shape=(1, 48, 85))
    layer = made.layout(mapped=mapped)
    made.check(layer)
    chunks = -(-3 * 88 // 64) if 1 in mapped else 4
    assert layer.size == chunks * 64 * (4 + 8)
    assert lanes >= 255


# --- dense layers ----------------------------------------------------------------------------------------------------


def dense(made: Made, x: int, depth: int, units: int) -> int:
    return made.op("FULLY_CONNECTED", x, made.constant(units, depth), shape=(1, units))


def test_a_flattened_map_keeps_its_gaps() -> None:
    made = Made()
    x = made.op("RESHAPE", made.tensor(1, 5, 5, 6), made.integers(1, 150), shape=(1, 150))
    dense(made, x, 150, 20)
    layer = made.layout(1)
    made.check(layer)
    assert layer.size == 32 * 25 * 8
    assert made.layout(1, mapped=[1]).size == 32 * 152  # the RESHAPE is on the CPU


def test_a_dense_layer_reads_the_gaps_of_a_concatenation() -> None:
    made = Made()
    x = made.op("CONCATENATION", made.tensor(1, 3), made.tensor(1, 6), shape=(1, 9))
    dense(made, x, 9, 16)
    assert made.layout(0) is None
    layer = made.layout(1)
    made.check(layer)
    assert layer.size == 16 * 12


@pytest.mark.parametrize(
    ("count", "depth", "size"), [(1, 8, 64), (128, 2, 256), (1920, 16, 30720), (204, 16, 3264), (201, 8, 1664)]
)
def test_a_constant_against_weights_from_outside_is_streamed_as_it_is(count: int, depth: int, size: int) -> None:
    made = Made()
    made.op("FULLY_CONNECTED", made.constant(count, depth), made.tensor(1, depth), -1, shape=(count, 1))
    layer = made.layout()
    made.check(layer)
    assert (layer.size, layer.always_streamed, layer.confidence) == (size, True, "estimated")


@pytest.mark.parametrize(
    ("count", "depth", "size"), [(4, 3, 128), (12, 11, 640), (15, 14, 1088), (45, 44, 8512), (202, 201, 169792)]
)
def test_a_constant_against_computed_weights_takes_16_bytes_for_four_channels(
    count: int, depth: int, size: int
) -> None:
    made = Made()
    weights = made.op("RESHAPE", made.tensor(1, depth, 1), made.integers(1, depth), shape=(1, depth))
    made.op("FULLY_CONNECTED", made.constant(count, depth), weights, -1, shape=(count, 1))
    layer = made.layout(1)
    made.check(layer)
    assert (layer.size, layer.always_streamed) == (size, False)


# --- softmax ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("generation", "classes", "size"),
    [
        ("16.0", 10, 576),
        ("15.0", 10, 384),
        ("14.1", 10, 0),
        ("16.0", 12, 0),
        ("16.0", 1001, 192 * 251),
        ("16.0", 7, 512),
    ],
)
def test_a_table_stands_for_classes_that_are_no_multiple_of_four(generation: str, classes: int, size: int) -> None:
    made = Made()
    made.op("SOFTMAX", made.tensor(1, classes), shape=(1, classes))
    layer = made.layout(generation=generation)
    assert (layer.size if layer else 0) == size
    if layer:
        made.check(layer)


# --- constants of element-wise operators -----------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["MUL", "PRELU"]), st.integers(2, 40), st.integers(-20, 20), st.integers(0, 99))
def test_multipliers_per_channel_come_back(kind, count, zero, seed) -> None:
    made = Made(seed)
    made.op(
        kind, made.tensor(1, 4, 4, count), made.constant(1, 1, count, zero=zero, scale=[0.03]), shape=(1, 4, 4, count)
    )
    layer = made.layout()
    made.check(layer)
    assert (layer.size, layer.always_streamed, layer.absent) == (16 * -(-count // 4) * 4, True, ())


@pytest.mark.parametrize("kind", ["ADD", "SUB"])
def test_offsets_per_channel_are_rounded_and_hence_absent(kind: str) -> None:
    made = Made()
    constant = made.constant(8, scale=[0.25])
    made.op(kind, made.tensor(1, 4, 4, 8), constant, shape=(1, 4, 4, 8))
    layer = made.layout()
    made.check(layer)
    assert (layer.size, layer.absent) == (128, (constant,))


def test_additions_that_vanish_and_single_values_take_nothing() -> None:
    made = Made()
    x = made.tensor(1, 4, 4, 8)
    made.op("ADD", x, made.constant(8, scale=[1e-9]), shape=(1, 4, 4, 8))
    made.op("MUL", x, made.constant(1), shape=(1, 4, 4, 8))
    made.op("MUL", x, made.tensor(1, 4, 4, 8), shape=(1, 4, 4, 8))
    assert [made.layout(index) for index in range(3)] == [None, None, None]


@given(st.booleans(), st.booleans(), st.integers(0, 99))
def test_anything_else_is_broadcast_to_the_result(rows, columns, seed) -> None:
    made = Made(seed)
    shape = (1, 3 if rows else 1, 5 if columns else 1, 7)
    made.op("MUL", made.tensor(1, 3, 5, 7), made.constant(*shape), shape=(1, 3, 5, 7))
    layer = made.layout()
    made.check(layer)
    assert layer.size == 128  # 105 elements, or 8 channels of 16 bytes
    assert layer.always_streamed


# --- movement --------------------------------------------------------------------------------------------------------


def test_a_transpose_to_channels_first_takes_three_matrices_and_a_fourth_to_flatten() -> None:
    made = Made()
    x = made.op("LOGISTIC", made.tensor(1, 10, 10, 144), shape=(1, 10, 10, 144))
    y = made.op("TRANSPOSE", x, made.integers(0, 3, 1, 2), shape=(1, 144, 10, 10))
    made.op("RESHAPE", y, made.integers(1, 144, 100), shape=(1, 144, 100))
    layer = made.layout(1)
    made.check(layer)
    assert [(piece.what, piece.size) for piece in layer.pieces] == [
        ("spread", 64),
        ("collect", 1920),
        ("pack", 640),
        ("flatten", 15872),
    ]


def test_a_narrow_convolution_spreads_its_own_channels() -> None:
    made = Made()
    x = made.conv(made.tensor(1, 20, 20, 8), 64)
    made.op("TRANSPOSE", x, made.integers(0, 3, 1, 2), shape=(1, 64, 20, 20))
    assert made.layout(0).size == 4 * 64 * (4 + 8)
    assert [piece.what for piece in made.layout(1).pieces] == ["collect", "pack"]


@pytest.mark.parametrize(
    ("parts", "size"), [((4, 8), 0), ((2, 2), 64), ((8, 2, 2), 64), ((3, 5), 256), ((2, 2, 8), 64), ((2, 3, 8), 320)]
)
def test_a_concatenation_joins_what_is_off_the_grid(parts: tuple[int, ...], size: int) -> None:
    made = Made()
    made.op("CONCATENATION", *(made.tensor(1, 6, 6, part) for part in parts), shape=(1, 6, 6, sum(parts)))
    layer = made.layout()
    assert (layer.size if layer else 0) == size
    if layer:
        made.check(layer)


@pytest.mark.parametrize(("begin", "size"), [(0, 0), (4, 0), (2, 64), (-2, 64)])
def test_a_slice_that_begins_inside_a_group_is_shifted(begin: int, size: int) -> None:
    made = Made()
    x, last = made.tensor(1, 6, 6, 8), begin if begin >= 0 else begin + 8
    begins, ends, steps = made.integers(0, 0, 0, begin), made.integers(1, 6, 6, 8), made.integers(1, 1, 1, 1)
    made.op("STRIDED_SLICE", x, begins, ends, steps, shape=(1, 6, 6, min(2, 8 - last)))
    layer = made.layout()
    assert (layer.size if layer else 0) == size


def test_a_convolution_behind_a_slice_selects_by_itself() -> None:
    made = Made()
    begins, ends, steps = made.integers(0, 0, 0, 2), made.integers(1, 6, 6, 4), made.integers(1, 1, 1, 1)
    made.conv(made.op("STRIDED_SLICE", made.tensor(1, 6, 6, 8), begins, ends, steps, shape=(1, 6, 6, 2)), 8)
    assert made.layout(0) is None
    assert made.layout(0, mapped=[0]).size == 64


def test_padding_of_channels_and_of_space() -> None:
    made = Made()
    made.op("PAD", made.tensor(1, 6, 6, 16), made.integers(0, 0, 0, 0, 0, 0, 0, 16), shape=(1, 6, 6, 32))
    made.op("PAD", made.tensor(1, 6, 6, 16), made.integers(0, 0, 1, 1, 1, 1, 0, 0), shape=(1, 8, 8, 16))
    assert made.layout(0).size == 640
    assert made.layout(1) is None


# --- the rest --------------------------------------------------------------------------------------------------------


def test_a_transposed_convolution_has_a_header_for_each_phase() -> None:
    made = Made()
    weights = made.constant(32, 3, 3, 64, scale=[0.01 * (1 + k) for k in range(32)])
    x = made.tensor(1, 64, 64, 64)
    made.op(
        "TRANSPOSE_CONV", made.integers(1, 128, 128, 32), weights, x, shape=(1, 128, 128, 32), stride_h=2, stride_w=2
    )
    layer = made.layout(generation="2.0")
    assert (layer.size, layer.confidence) == (32 * (4 * 8 + 9 * 64), "estimated")
    assert layer.unpack(layer.blob())[weights] == bytes(made.tensors[weights].data or b"")


def test_a_recurrent_layer_unrolls_its_sequence() -> None:
    made = Made()
    x = made.tensor(1, 28, 28)
    gates = [made.constant(20, 28) for _ in range(4)] + [made.constant(20, 20) for _ in range(4)]
    biases = [made.integers(*range(1, 21)) for _ in range(4)]
    made.op("UNIDIRECTIONAL_SEQUENCE_LSTM", x, *gates, -1, -1, -1, *biases, -1, -1, shape=(1, 28, 20))
    layer = made.layout()
    made.check(layer)
    assert (layer.size, layer.absent) == (34368, ())
    cached, state = parameters.layers(made.subgraph(), generation="16.0", mapped=frozenset({0}))
    assert (cached, state.size, state.always_streamed) == (layer, 576, True)
    assert len(state.blob()) == 576


def test_operators_without_constants_have_no_parameters() -> None:
    made = Made()
    made.op("ADD", made.tensor(1, 8), made.tensor(1, 8), shape=(1, 8))
    made.op("MAX_POOL_2D", made.tensor(1, 4, 4, 8), shape=(1, 2, 2, 8))
    whole = {"padding": "VALID", "filter_height": 4, "filter_width": 4}
    made.op("AVERAGE_POOL_2D", made.tensor(1, 4, 4, 8), shape=(1, 1, 1, 8), **whole)
    made.op("TRANSPOSE", made.tensor(1, 1, 9, 8), made.integers(1, 2, 0, 3), shape=(1, 9, 1, 8))
    assert [made.layout(index) for index in range(4)] == [None] * 4


def test_what_is_not_known_is_counted_as_nothing_and_estimated() -> None:
    made = Made()
    window = {"padding": "SAME", "filter_height": 3, "filter_width": 3, "stride_h": 1, "stride_w": 1}
    made.op("AVERAGE_POOL_2D", made.tensor(1, 4, 4, 8), shape=(1, 4, 4, 8), **window)
    made.op("TRANSPOSE", made.tensor(1, 9, 8), made.integers(0, 2, 1), shape=(1, 8, 9))
    made.op("FULLY_CONNECTED", made.tensor(1, 8), made.tensor(4, 8), -1, shape=(1, 4))
    made.op("BATCH_MATMUL", made.tensor(2, 8, 8), made.tensor(2, 8, 8), shape=(2, 8, 8))
    for index in range(4):
        layer = made.layout(index)
        assert (layer.size, layer.confidence, layer.blob()) == (0, "estimated", b"")


def test_a_whole_model_gives_every_constant_back() -> None:
    subgraph = read(models.mobilenet_like()).main
    mapped = frozenset(range(len(subgraph.operators)))
    found = parameters.layers(subgraph, generation="16.0", mapped=mapped)
    assert [layer.index for layer in found] == sorted(layer.index for layer in found)
    for layer in found:
        assert layer == parameters.layout(subgraph, layer.index, generation="16.0", mapped=mapped)
        blob = layer.blob()
        assert len(blob) == layer.size
        held = layer.unpack(blob)
        for tensor, data in held.items():
            assert data == bytes(subgraph.tensors[tensor].data)
        constants = {t for t in subgraph.operators[layer.index].inputs if t >= 0 and subgraph.tensors[t].data}
        assert constants == set(held) | set(layer.absent)


def test_a_graph_is_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether layers or single layouts are asked for: a chain of n operators must not cost n * n."""
    subgraph, looks = read(models.chain_net(300)).main, []

    def counted(graph: Subgraph) -> site.Wiring:
        looks.append(graph)
        return site.wiring_of(graph)

    monkeypatch.setattr(parameters, "wiring_of", counted)
    monkeypatch.setattr(parameters, "_wiring", lru_cache(maxsize=1)(counted))
    mapped = frozenset(range(len(subgraph.operators)))
    found = parameters.layers(subgraph, generation="16.0", mapped=mapped)
    again = [parameters.layout(subgraph, index, generation="16.0", mapped=mapped) for index in sorted(mapped)]
    assert list(found) == [layer for layer in again if layer]
    assert len(looks) == 2


@pytest.mark.parametrize("generation", sorted(parameters.GENERATIONS))
@pytest.mark.parametrize("model", [models.mobilenet_like(), models.branching_net(), models.dense_net()], ids=len)
def test_an_artifact_finds_its_constants_again_without_having_them(model: bytes, generation: str) -> None:
    subgraph = read(model).main
    mapped = frozenset(range(len(subgraph.operators)))
    written = parameters.layers(subgraph, generation=generation, mapped=mapped)
    blobs = {layer.index: layer.blob() for layer in written}
    held = {t for layer in written for t in subgraph.operators[layer.index].inputs if t >= 0}
    held -= {t for layer in written for t in layer.absent} | {t for t in held if subgraph.tensors[t].data is None}
    emptied = [replace(t, data=None) if i in held else t for i, t in enumerate(subgraph.tensors)]
    again = parameters.stand_in(replace(subgraph, tensors=tuple(emptied)), frozenset(held))
    found: dict[int, bytes] = {}
    for layer in parameters.layers(again, generation=generation, mapped=mapped):
        found |= layer.unpack(blobs[layer.index])
    assert found == {t: bytes(subgraph.tensors[t].data) for t in held}

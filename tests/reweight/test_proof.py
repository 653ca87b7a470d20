"""Whole files: made by the tests' own compiler, reweighted, and compared with what it makes of the new model."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgetpu_build.compiler.package import decode, mask_token
from edgetpu_build.compiler.reweight import prove
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.tflite.reader import read
from tests.reweight import nets
from tests.support import silicon
from tests.support.models import Net

KINDS = [("INT8", False), ("INT8", True), ("UINT8", False)]


def reweighted(old: bytes, compiled: bytes, new: bytes) -> bytes:
    return prove(read(old), read(compiled), read(new)).data


def refusal(old: bytes, compiled: bytes, new: bytes) -> str:
    with pytest.raises(EdgeTpuBuildError) as caught:
        reweighted(old, compiled, new)
    assert {d.code for d in caught.value.diagnostics} <= {"ETB302", "ETB322", "ETB323"}
    return caught.value.diagnostics[0].message


@pytest.mark.parametrize(("dtype", "per_channel"), KINDS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_gives_what_a_compile_gives(dtype: str, per_channel: bool, seed: int) -> None:
    graph = nets.facts(dtype, per_channel=per_channel)
    old, new = nets.model(graph), nets.model(nets.retrained(graph, seed), seed)
    found = prove(read(old), read(silicon.compiled(old)), read(new))
    assert found.data == silicon.compiled(new, token=found.token)
    assert found.generation == "16.0"


def test_the_token_is_fresh_and_follows_from_the_content() -> None:
    graph = nets.facts()
    old, new = nets.model(graph), nets.model(graph, 1)
    compiled = silicon.compiled(old)
    first, again = (prove(read(old), read(compiled), read(new)) for _ in range(2))
    other = prove(read(old), read(compiled), read(nets.model(graph, 2)))
    assert first.token == again.token != other.token
    assert first.token not in {0, 0x1122334455667788}
    assert mask_token(first.data) != mask_token(other.data)


@pytest.mark.parametrize("name", ["-a", "-much-longer"])
def test_names_become_the_new_models(name: str) -> None:
    """As long as before: in place; else the file is laid out anew."""
    graph = nets.facts(name="-b")
    old = nets.model(graph)
    new = nets.model(nets.retrained(nets.facts(name=name), 1), 4)
    made, want = read(reweighted(old, silicon.compiled(old), new)), read(silicon.compiled(new))
    assert [t.name for t in made.main.tensors] == [t.name for t in want.main.tensors]
    mine, theirs = (decode(m.main.operators[0].custom_options or b"") for m in (made, want))
    for one, other in zip(mine.executables, theirs.executables, strict=True):
        assert bytes(one.parameters) == bytes(other.parameters)
        assert [*map(bytes, one.instructions)] == [*map(bytes, other.instructions)]
        assert (one.inputs, one.outputs) == (other.inputs, other.outputs)


def test_an_artifact_of_another_model_is_refused() -> None:
    graph = nets.facts()
    old, new = nets.model(graph), nets.model(graph, 1)
    assert "was it made of this model" in refusal(old, silicon.compiled(new), new)
    scales = nets.model(nets.retrained(graph, 1))
    assert refusal(old, silicon.compiled(scales), new)


def test_what_changes_the_layout_is_refused() -> None:
    graph = nets.facts()
    flat = nets.facts()
    bias = flat["tensors"][flat["ops"][0]["inputs"][2]]
    bias |= {"values": [0] * 16}
    old, new = nets.model(graph), nets.model(flat)
    assert "change the layout" in refusal(old, silicon.compiled(old), new)


def test_a_layout_that_two_compilers_may_have_made_is_refused_where_they_part() -> None:
    """Both store this bias of a depthwise convolution; of zeros, 16.0 would store none."""
    graph, flat = nets.facts(), nets.facts()
    depthwise = next(op for op in flat["ops"] if op["op"] == "DEPTHWISE_CONV_2D")
    flat["tensors"][depthwise["inputs"][2]] |= {"values": [0] * 16}
    old, new = nets.model(graph), nets.model(flat)
    assert "lay out the new model apart" in refusal(old, silicon.compiled(old, generation="15.0", runtime=12), new)


def test_two_operators_with_equal_constants_that_part_are_refused() -> None:
    """Nothing but value tells the two products apart, and they run side by side."""
    graph = _twins()
    parted = _twins(scales=(0.05, 0.07))
    old, new = nets.model(graph), nets.model(parted)
    assert "which now differ" in refusal(old, silicon.compiled(old), new)
    same = nets.model(_twins(scales=(0.07, 0.07)))
    assert reweighted(old, silicon.compiled(old), same)


def test_convolutions_with_equal_constants_are_told_apart_by_their_order() -> None:
    graph, parted = _chain((0.05, 0.05)), _chain((0.06, 0.09))
    old, new = nets.model(graph), nets.model(parted, 1)
    found = prove(read(old), read(silicon.compiled(old)), read(new))
    assert found.data == silicon.compiled(new, token=found.token)


@pytest.mark.parametrize("per_channel", [True, False])
def test_bottlenecks_whose_words_are_alike(per_channel: bool) -> None:
    """RELU6 gives nearly all results one scale: order alone tells whose word is whose."""
    graph = nets.bottlenecks([6 / 255] * 8, per_channel=per_channel)
    other = nets.bottlenecks([0.02, 0.021, 6 / 255, 0.019, 0.022, 6 / 255, 0.018, 0.017], per_channel=per_channel)
    old, new = nets.model(graph), nets.model(other, 1)
    found = prove(read(old), read(silicon.compiled(old)), read(new))
    assert found.data == silicon.compiled(new, token=found.token)


def test_padding_with_zero_that_becomes_another_is_refused() -> None:
    graph, moved = nets.facts("UINT8"), nets.facts("UINT8")
    source = graph["inputs"][0]
    graph["tensors"][source]["zp"], moved["tensors"][source]["zp"] = 0, 5
    old, new = nets.model(graph), nets.model(moved)
    assert "pads with zero point 0" in refusal(old, silicon.compiled(old), new)
    assert reweighted(new, silicon.compiled(new), old)


def test_no_byte_of_what_is_rewritten_can_change_unseen() -> None:
    graph = nets.facts(per_channel=True)
    old, new = nets.model(graph), nets.model(nets.retrained(graph, 1), 1)
    compiled = silicon.compiled(old)
    _tamper(old, compiled, new, tries=120, seed=5)


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "per_channel"), KINDS)
def test_no_byte_of_what_is_rewritten_can_change_unseen_in_2000_tries(dtype: str, per_channel: bool) -> None:
    graph = nets.facts(dtype, per_channel=per_channel)
    old, new = nets.model(graph), nets.model(nets.retrained(graph, 1), 1)
    _tamper(old, silicon.compiled(old), new, tries=2000, seed=11)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_hostile_files_end_in_messages(data: st.DataObject) -> None:
    graph = nets.facts()
    old, new = nets.model(graph), nets.model(graph, 1)
    files = [old, silicon.compiled(old), new]
    at = data.draw(st.integers(0, 2))
    damaged = bytearray(files[at])
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    files[at] = bytes(damaged[: data.draw(st.integers(1, len(damaged)))])
    codes = set()
    try:
        prove(*map(read, files))
    except EdgeTpuBuildError as problem:
        codes = {d.exit_code for d in problem.diagnostics}
    assert codes <= {3}


def _tamper(old: bytes, compiled: bytes, new: bytes, *, tries: int, seed: int) -> None:
    """Random bytes changed: refused, or the byte is carried over and nothing else is any different."""
    base, rng = reweighted(old, compiled, new), random.Random(seed)
    carried = 0
    for _ in range(tries):
        at = rng.randrange(len(compiled))
        damaged = bytearray(compiled)
        damaged[at] ^= rng.randrange(1, 256)
        try:
            made = reweighted(old, bytes(damaged), new)
        except EdgeTpuBuildError:
            continue
        expected = bytearray(base)
        assert compiled[at] == base[at], f"byte {at} is rewritten"
        expected[at] = damaged[at]
        assert made == expected, f"byte {at}"
        carried += 1
    assert 0 < carried < tries


def _twins(scales: tuple[float, float] = (0.05, 0.05)) -> dict[str, Any]:
    """Two products of one input, that only their results' scales tell apart."""
    net = Net(per_channel=False)
    x = net.input((1, 8, 8, 4))
    outs = []
    for scale in scales:
        gate = net.input((1, 8, 8, 4))
        out = net.activation("product", (1, 8, 8, 4), scale)
        outs.append(net.op("MUL", [x, gate], [out], version=2, fused_activation_function="NONE"))
    return net.finish(outs)


def _chain(scales: tuple[float, float]) -> dict[str, Any]:
    """Two convolutions with multipliers a channel, in a row, whose words are the same where their scales are."""
    net = Net(per_channel=True)
    x = net.input((1, 8, 8, 16))
    for scale in scales:
        x = net.conv(x, 16, kernel=1, activation="NONE")
        facts = net.facts["tensors"][x]
        facts["scale"], facts["zp"] = scale, round(scale * 100)
    made = net.finish([x])
    made["tensors"][made["inputs"][0]] |= {"scale": scales[0], "zp": round(scales[0] * 100)}
    return made

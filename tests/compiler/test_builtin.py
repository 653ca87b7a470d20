"""The builtin compiler as a backend: requests in, artifacts, logs and figures out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edgetpu_build.compiler import artifact
from edgetpu_build.compiler.builtin import Builtin, token
from edgetpu_build.compiler.forecast import predict, predict_segments
from edgetpu_build.compiler.interface import Options, Request, Result, Source
from edgetpu_build.compiler.package import Package, decode
from edgetpu_build.compiler.parameters import layout
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.tflite.model import Model, Subgraph
from edgetpu_build.tflite.reader import read
from tests.support.models import Net, conv_net, dense_net, mobilenet_like


def compiled(*data: bytes, names: tuple[str, ...] = (), **options: Any) -> Result:
    sources = tuple(Source(label=f"m{k}.tflite", data=d, intermediate_tensors=names) for k, d in enumerate(data))
    request = Request(sources=sources, options=Options(**options))
    return Builtin().compile(request, timeout=10, progress=lambda _: None)


def packages(data: bytes) -> list[Package]:
    operators = read(data).main.operators
    return [decode(op.custom_options or b"") for op in operators if op.custom_code == artifact.CUSTOM_OPERATOR]


def tokens(data: bytes) -> set[int]:
    return {executable.token for package in packages(data) for executable in package.executables}


def code(*data: bytes, **options: Any) -> str:
    with pytest.raises(EdgeTpuBuildError) as caught:
        compiled(*data, **options)
    return caught.value.diagnostics[0].code


def residual() -> bytes:
    """Two branches behind a convolution, joined by an ADD, then a dense head."""
    net = Net()
    x = net.conv(net.input((1, 16, 16, 3)), 8)
    y = net.add(net.conv(x, 8), net.conv(x, 8, kernel=1))
    return net.build([net.softmax(net.dense(net.mean(y), 10))])


def interrupted() -> bytes:
    """A convolution, a custom operator that only the CPU runs, and a convolution behind it."""
    net = Net()
    x = net.conv(net.input((1, 16, 16, 3)), 8)
    x = net.custom([x], (1, 16, 16, 8), "TFLite_Detection_PostProcess")
    return net.build([net.conv(x, 8)])


def test_a_plain_network_becomes_one_operator_with_all_parameters_cached() -> None:
    result = compiled(conv_net())
    (member,) = result.members
    (package,) = packages(member.artifact)
    assert member.figures.cached_bytes.value == package.cached_bytes > 0
    assert member.figures.streamed_bytes.value == package.streamed_bytes == 0
    assert member.figures.cached_bytes.confidence == "exact"
    assert member.figures.subgraphs.value == 1
    assert package.min_runtime_version == member.figures.runtime_version.value == 14
    assert {layer.placement for layer in member.layers} == {"cached"}
    assert result.compiler.target == "simulator"


def test_the_log_is_a_table_of_operators_with_slots_for_the_paths() -> None:
    (member,) = compiled(conv_net()).members
    assert member.log.startswith("edgetpu-build ")
    assert "\nInput: {input}\nOutput: {output}\n" in member.log
    assert "CONV_2D" in member.log
    assert "Mapped to Edge TPU" in member.log


def test_equal_requests_give_equal_bytes_whatever_the_label() -> None:
    data = conv_net()
    first = compiled(data).members[0]
    source = Source(label="another name", data=data)
    again = Builtin().compile(Request(sources=(source,)), timeout=1, progress=lambda _: None).members[0]
    assert first.artifact == again.artifact
    assert first.log == again.log


def test_the_token_follows_from_content_and_options_alone() -> None:
    base = Request(sources=(Source(label="a", data=b"model"),))
    assert token(base) == token(Request(sources=(Source(label="b", data=b"model"),)))
    others = [
        Request(sources=(Source(label="a", data=b"model2"),)),
        Request(sources=(Source(label="a", data=b"model", intermediate_tensors=("x",)),)),
        Request(sources=(Source(label="a", data=b"mod"), Source(label="a", data=b"el"))),
        replace(base, options=Options(min_runtime_version=13)),
    ]
    assert len({token(base), *map(token, others)}) == 1 + len(others)


def test_members_of_a_group_share_a_token_that_is_not_their_own() -> None:
    first, second = conv_net(), dense_net()
    group = compiled(first, second)
    (shared,) = tokens(group.members[0].artifact) | tokens(group.members[1].artifact)
    assert shared not in tokens(compiled(first).members[0].artifact)


@pytest.mark.parametrize("data", [conv_net(), mobilenet_like(), residual(), conv_net(dtype="UINT8"), dense_net()])
def test_every_constant_is_found_again_in_the_artifact(data: bytes) -> None:
    """What a device reads from the blobs and the program is what the model held."""
    original = read(data)
    held = {bytes(t.data) for t in original.main.tensors if t.data is not None and len(t.data) > 8}
    (member,) = compiled(data).members
    (package,) = packages(member.artifact)
    execution = next(e for e in package.executables if e.type != "PARAMETER_CACHING")
    caching = [e.parameters for e in package.executables if e.type == "PARAMETER_CACHING"]
    blobs = {"streamed": execution.parameters, "cached": b"".join(caching)}
    program = artifact.program(execution.instructions[0])
    filled = with_fillers(program)
    found = {bytes(t.data) for t in program.model.main.tensors if t.data is not None}
    for place in program.relocations:
        generation, index = place.layout.split(":")
        layer = layout(filled, int(index), generation=generation, mapped=frozenset(range(len(filled.operators))))
        assert layer is not None
        assert layer.size == place.size
        found.add(layer.unpack(blobs[place.blob][place.offset : place.offset + place.size])[place.tensor])
    assert held <= found


def with_fillers(program: artifact.Program) -> Subgraph:
    """The program's graph with made-up bytes where constants lie in a blob: sizes alone decide the layout."""
    graph = program.model.main
    sizes = {"INT8": 1, "UINT8": 1, "INT32": 4}
    tensors = list(graph.tensors)
    for place in program.relocations:
        tensor = tensors[place.tensor]
        count = sizes[tensor.type]
        for size in tensor.shape:
            count *= size
        tensors[place.tensor] = replace(tensor, data=memoryview(bytes(k % 251 for k in range(count))))
    return replace(graph, tensors=tuple(tensors))


def test_a_model_that_maps_nothing_stays_as_it_is_with_figures_of_zero_and_a_reason() -> None:
    net = Net()
    data = net.build([net.custom([net.input((1, 8, 8, 4))], (1, 8), "TFLite_Detection_PostProcess")])
    (member,) = compiled(data).members
    assert member.artifact == data
    assert member.figures.edgetpu_operators.value == member.figures.subgraphs.value == 0
    assert member.figures.on_chip_available.value == member.figures.cached_bytes.value == 0
    assert "ETB308" in {warning.code for warning in member.warnings}
    assert member.operators[0].reason


def test_operators_behind_one_on_the_cpu_follow_it_unless_several_subgraphs_are_allowed() -> None:
    (alone,) = compiled(interrupted()).members
    assert [op.target for op in alone.operators] == ["edgetpu", "cpu", "cpu"]
    (several,) = compiled(interrupted(), multiple_subgraphs=True).members
    assert [op.target for op in several.operators] == ["edgetpu", "cpu", "edgetpu"]
    assert len(packages(several.artifact)) == several.figures.subgraphs.value == 2
    assert len(tokens(several.artifact)) == 1
    assert sum(p.cached_bytes for p in packages(several.artifact)) == several.figures.cached_bytes.value


def test_segments_are_files_of_their_own_whose_tensors_connect() -> None:
    data = mobilenet_like(0.5)
    result = compiled(data, segments=3)
    (member,) = result.members
    original = read(data).main
    assert not member.artifact
    assert [segment.index for segment in member.segments] == [0, 1, 2]
    positions = sorted(k for segment in member.segments for k in segment.operators)
    assert positions == list(range(len(original.operators)))
    known = {original.tensors[index].name for index in original.inputs}
    for segment in member.segments:
        assert set(segment.inputs) <= known
        known |= set(segment.outputs)
        (package,) = packages(segment.artifact)
        assert package.cached_bytes == segment.figures.cached_bytes.value
        assert [op.kind for op in read(segment.plain).main.operators] == [
            original.operators[k].kind for k in segment.operators
        ]
    assert {name for index in original.outputs for name in [original.tensors[index].name]} <= known
    assert len({one for segment in member.segments for one in tokens(segment.artifact)}) == 1
    assert [op.index for op in member.operators] == positions


def test_what_is_predicted_of_segments_is_what_becomes_of_them() -> None:
    data = mobilenet_like(0.5)
    segments = compiled(data, segments=3).members[0].segments
    predicted = predict_segments(read(data), 3, Options())
    assert [(s.operators, s.figures) for s in segments] == [(ops, f.figures) for ops, f in predicted]


def test_operators_of_segments_are_called_as_in_the_original() -> None:
    net = Net()
    x = net.conv(net.conv(net.input((1, 16, 16, 3)), 8), 8)
    x = net.conv(net.custom([x], (1, 16, 16, 8), "TFLite_Detection_PostProcess"), 8)
    (member,) = compiled(net.build([x]), cuts=("conv_3",)).members
    follower = member.operators[3]
    assert (follower.index, follower.follows) == (3, 2)
    assert "operator 2 (CUSTOM)" in follower.reason


def test_a_model_is_cut_where_the_user_says() -> None:
    data = residual()
    graph = read(data).main
    name = graph.tensors[graph.operators[0].outputs[0]].name
    segments = compiled(data, cuts=(name,)).members[0].segments
    assert [segment.operators for segment in segments] == [(0,), (1, 2, 3, 4, 5, 6)]
    assert segments[0].outputs == segments[1].inputs == (name,)


def test_auto_takes_one_segment_where_everything_fits() -> None:
    result = compiled(conv_net(), segments=0)
    assert result.options.segments == 1
    assert not result.members[0].segments


def test_auto_takes_as_many_segments_as_it_needs() -> None:
    data = dense_net(layers=6, units=1600, inputs=1600)
    result = compiled(data, segments=0)
    assert result.options.segments == len(result.members[0].segments) > 1
    assert result.members[0].figures.off_chip.value == 0
    assert compiled(data).members[0].figures.off_chip.value


def test_auto_says_when_the_bound_does_not_help() -> None:
    result = compiled(dense_net(layers=6, units=1600, inputs=1600), segments=0, max_segments=1)
    assert result.members[0].figures.off_chip.value
    assert [warning.key for warning in result.warnings] == ["max-segments"]


def test_intermediate_tensors_end_the_operator() -> None:
    data = conv_net()
    graph = read(data).main
    name = graph.tensors[graph.operators[0].outputs[0]].name
    (member,) = compiled(data, names=(name,)).members
    assert [op.target for op in member.operators][:2] == ["edgetpu", "cpu"]
    with pytest.raises(EdgeTpuBuildError):
        compiled(data, names=("nowhere",))


def test_the_delegate_search_shows_its_tries() -> None:
    result = compiled(conv_net(), delegate_step=2)
    assert [(attempt.operators, attempt.failed) for attempt in result.attempts] == [(6, False)]
    assert result.members[0].artifact == compiled(conv_net(), delegate_step=2).members[0].artifact


def test_the_delegate_search_steps_back_from_what_would_likely_fail() -> None:
    net = Net()
    x = net.conv(net.input((1, 512, 512, 3)), 16)
    y = net.conv(net.conv(x, 16, kernel=1), 16, kernel=1)
    result = compiled(net.build([net.add(x, y)]), delegate_step=1)
    assert [attempt.failed for attempt in result.attempts][:1] == [True]
    assert not result.attempts[-1].failed
    assert result.members[0].figures.cpu_operators.value


def test_an_older_runtime_is_written_where_it_is_asked_for() -> None:
    (member,) = compiled(conv_net(), min_runtime_version=13).members
    assert packages(member.artifact)[0].min_runtime_version == member.figures.runtime_version.value == 13


def test_an_older_compiler_is_predicted_where_it_is_asked_for() -> None:
    (member,) = compiled(conv_net(dtype="UINT8"), generation="1.0").members
    assert packages(member.artifact)[0].min_runtime_version == 10
    assert "1.0.249710469" in member.log


def test_what_cannot_be_done_is_refused_by_name() -> None:
    data = conv_net()
    assert code(data, data, segments=2) == code(data, data, delegate_step=1) == "ETB207"
    assert code(data, segments=50) == "ETB311"
    assert code(b"not a model") == "ETB301"
    assert code(compiled(data).members[0].artifact) == "ETB304"


def test_predicting_alone_gives_the_figures_of_the_compile() -> None:
    data = mobilenet_like()
    (forecast,) = predict([read(data)], Options())
    (member,) = compiled(data).members
    assert forecast.figures == member.figures
    assert forecast.layers == member.layers
    assert isinstance(forecast.model, Model)

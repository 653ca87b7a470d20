"""What holds of every compiler behind the interface: one suite for builtin, the stand-in and the real program."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from edgetpu_build.compiler import package
from edgetpu_build.compiler.google import transcript
from edgetpu_build.compiler.inspection import TARGETS, Inspection, inspect
from edgetpu_build.compiler.interface import Backend, MemberResult, Options, Request, Result, Source
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.tflite import reader
from tests.conformance.models import DENSE, NET, SEGMENTS


def compiled(backend: Backend, *data: bytes, label: str = "m", names: tuple[str, ...] = (), **options: Any) -> Result:
    sources = tuple(
        Source(label=f"{label}{number}.tflite", data=content, intermediate_tensors=names)
        for number, content in enumerate(data)
    )
    return backend.compile(
        Request(sources=sources, options=Options(**options)), timeout=180, progress=lambda _text: None
    )


def only(result: Result) -> MemberResult:
    (member,) = result.members
    return member


def opened(artifact: bytes) -> Inspection:
    return inspect(artifact)


def tokens(result: Result) -> set[int]:
    artifacts = [m.artifact for m in result.members if m.artifact]
    artifacts += [segment.artifact for m in result.members for segment in m.segments]
    packages = [compiled.package for artifact in artifacts for compiled in opened(artifact).compiled]
    return {e.token for p in packages for e in p.executables if e.type == "PARAMETER_CACHING"}


def test_it_says_who_it_is(backend: Backend) -> None:
    identity = backend.identify()
    assert identity == backend.identify()
    assert identity.version
    assert identity.identity
    assert identity.target == {"builtin": "simulator", "google": "edgetpu"}[identity.name]


def test_it_pickles(backend: Backend) -> None:
    result = compiled(backend, NET)
    assert pickle.loads(pickle.dumps(backend)) == backend or type(backend).__name__ == "Builtin"
    assert pickle.loads(pickle.dumps(result)) == result


def test_the_artifact_is_of_its_target(backend: Backend) -> None:
    result = compiled(backend, NET)
    found = opened(only(result).artifact)
    assert found.target == result.compiler.target == backend.identify().target
    assert {compiled.custom_code for compiled in found.compiled} <= set(TARGETS)


def test_the_ends_of_the_model_stay(backend: Backend) -> None:
    before, after = reader.read(NET).main, opened(only(compiled(backend, NET)).artifact).model.main

    def ends(graph: Any) -> list[tuple[str, tuple[int, ...], str]]:
        found = (graph.tensors[index] for index in (*graph.inputs, *graph.outputs))
        return [(tensor.name, tensor.shape, tensor.type) for tensor in found]

    assert ends(after) == ends(before)


def test_figures_and_operators_agree_with_each_other_and_the_file(backend: Backend) -> None:
    member = only(compiled(backend, NET))
    mapped = [op for op in member.operators if op.target == "edgetpu"]
    figures, found = member.figures, opened(member.artifact)
    assert [op.index for op in member.operators] == list(range(len(reader.read(NET).main.operators)))
    assert figures.edgetpu_operators.value == len(mapped) > 0
    assert figures.cpu_operators.value == len(member.operators) - len(mapped)
    for name in ("subgraphs", "cached_bytes", "streamed_bytes", "runtime_version"):
        assert getattr(figures, name).value == getattr(found.figures, name).value, name
    assert all(op.status for op in member.operators)
    assert all(op.reason for op in member.operators if op.target == "cpu")


def test_the_log_is_google_s_layout_with_slots(backend: Backend) -> None:
    member = only(compiled(backend, NET))
    assert "\nInput: {input}\nOutput: {output}\n" in member.log
    (run,) = transcript.read(member.log)
    (block,) = run.blocks
    assert sum(row.count for row in block.rows) == len(member.operators)


def test_several_models_come_back_in_order_with_one_token(backend: Backend) -> None:
    result = compiled(backend, NET, DENSE)
    assert [member.label for member in result.members] == ["m0.tflite", "m1.tflite"]
    assert [len(member.operators) for member in result.members] == [6, 2]
    assert len(tokens(result)) == 1


def test_segments_hold_every_operator_once(backend: Backend) -> None:
    result = compiled(backend, NET, segments=2)
    member = only(result)
    assert [segment.operators for segment in member.segments] == list(SEGMENTS)
    assert member.artifact == b""
    assert len(tokens(result)) == 1
    for segment in member.segments:
        ends = opened(segment.artifact).model.main
        assert [ends.tensors[index].name for index in ends.inputs] == list(segment.inputs)
        assert sorted(ends.tensors[index].name for index in ends.outputs) == sorted(segment.outputs)
        assert reader.read(segment.plain).main.operators


def test_an_older_runtime_is_respected(backend: Backend) -> None:
    member = only(compiled(backend, NET, min_runtime_version=13))
    assert member.figures.runtime_version.value in (12, 13)


@pytest.mark.parametrize("options", [{"delegate_step": 1}, {"multiple_subgraphs": True}])
def test_options_that_change_nothing_here_are_taken(backend: Backend, options: dict[str, Any]) -> None:
    assert only(compiled(backend, NET, **options)).figures.cpu_operators.value == 0


def test_what_follows_an_intermediate_tensor_is_on_the_cpu(backend: Backend) -> None:
    graph = reader.read(NET).main
    name = graph.tensors[graph.operators[1].outputs[0]].name
    member = only(compiled(backend, NET, names=(name,)))
    assert [op.target for op in member.operators] == ["edgetpu"] * 2 + ["cpu"] * 4


def test_equal_requests_give_equal_bytes_but_for_the_token(backend: Backend) -> None:
    one, other = (only(compiled(backend, NET)).artifact for _ in range(2))
    assert package.mask_token(one) == package.mask_token(other)


@pytest.mark.parametrize("label", ["-o out", "a b", "ä;$(x)[1]{input}"])
def test_labels_change_no_byte(backend: Backend, label: str) -> None:
    one, other = (only(compiled(backend, NET, label=word)) for word in ("m", label))
    assert package.mask_token(one.artifact) == package.mask_token(other.artifact)
    assert one.figures == other.figures
    assert other.label == f"{label}0.tflite"


@pytest.mark.parametrize("data", [b"", b"no model at all", NET[: len(NET) // 2]])
def test_what_is_no_model_is_refused_as_one(backend: Backend, data: bytes) -> None:
    with pytest.raises(EdgeTpuBuildError) as raised:
        compiled(backend, data)
    assert raised.value.exit_code == 3

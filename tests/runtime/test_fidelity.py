"""What comes out of a compiled file on the simulated device, against LiteRT on the original: bit for bit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.runtime import Device, PipelinedModelRunner
from tests.runtime import made
from tests.support import corpus, models
from tests.support.litert import random_inputs

NETS = {
    "conv": models.conv_net(),
    "uint8": models.conv_net(dtype="UINT8"),
    "mobilenet": models.mobilenet_like(0.1, 32),
    "dense": models.dense_net(),
    "branching": models.branching_net(),
    "chain": models.chain_net(20),
    "concat": models.wide_concat_net(9),
    "labelled": models.conv_net(zip_appended=True, signatures=["serving_default"], metadata=["TFLITE_METADATA"]),
}
KERNELS = ("default", "reference")


def check(model: bytes, artifact: bytes, kernels: str, seeds: int = 3) -> None:
    """LiteRT cannot run every model with all of its kernels: then there is nothing to compare with."""
    try:
        expected = made.original(model, kernels)
        answers = [made.run(expected, random_inputs(model, seed)) for seed in range(seeds)]
    except (RuntimeError, ValueError) as problem:
        pytest.skip(f"LiteRT itself: {problem}")
    interpreter = made.opened(artifact, device=Device(), kernels=kernels)
    for seed, answer in enumerate(answers):
        assert made.same(answer, made.run(interpreter, random_inputs(model, seed)))


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", NETS)
def test_a_compiled_model_answers_as_the_original(name: str, kernels: str) -> None:
    check(NETS[name], made.compiled(NETS[name]), kernels)


@pytest.mark.parametrize("name", ["mobilenet", "branching"])
def test_operators_left_on_the_cpu_take_part(name: str) -> None:
    model = NETS[name]
    stop = models.unpack(model).subgraphs[0].tensors[models.unpack(model).subgraphs[0].operators[2].outputs[0]].name
    artifact = made.compiled(model, intermediate_tensors=[stop.decode()])
    check(model, artifact, "default")


@pytest.mark.parametrize(("name", "count"), [("conv", 2), ("mobilenet", 2), ("mobilenet", 3)])
def test_segments_in_a_row_answer_as_the_whole(name: str, count: int) -> None:
    model = NETS[name]
    chain = [made.opened(artifact, device=Device()) for artifact in made.segments(model, count)]
    values = random_inputs(model)
    assert made.same(made.run(made.original(model), values), made.run_chain(chain, values))


def test_models_compiled_together_answer_as_the_originals_in_any_order() -> None:
    sources = [NETS["conv"], NETS["mobilenet"], NETS["dense"]]
    device = Device()
    opened = [made.opened(artifact, device=device) for artifact in made.compiled_together(*sources)]
    originals = [made.original(model) for model in sources]
    for number in (0, 1, 2, 1, 0, 2, 2):
        values = random_inputs(sources[number], number)
        assert made.same(made.run(originals[number], values), made.run(opened[number], values))


def test_several_threads_of_litert_change_nothing() -> None:
    model = NETS["mobilenet"]
    values = random_inputs(model)
    two = made.opened(made.compiled(model), device=Device(), num_threads=2)
    assert made.same(made.run(made.original(model), values), made.run(two, values))


def test_a_batch_runs_as_on_the_original() -> None:
    model = NETS["dense"]
    results = []
    for interpreter in (made.original(model), made.opened(made.compiled(model), device=Device())):
        details = interpreter.get_input_details()[0]
        interpreter.resize_tensor_input(details["index"], (5, *details["shape"][1:]))
        interpreter.allocate_tensors()
        values = random_inputs(model)
        values = {name: value.repeat(5, axis=0) for name, value in values.items()}
        results.append(made.run(interpreter, values))
    assert made.same(*results)


def test_litert_s_default_delegate_is_there_and_not_with_reference_kernels() -> None:
    def kinds(interpreter: made.LiteRt) -> set[str]:
        return {details["op_name"] for details in interpreter._get_ops_details()}

    artifact = made.compiled(NETS["conv"])
    for kernels in KERNELS:
        assert kinds(made.opened(artifact, kernels=kernels)) == kinds(made.original(NETS["conv"], kernels))
    assert kinds(made.opened(artifact)) != kinds(made.opened(artifact, kernels="reference"))


@pytest.mark.slow
@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("every", [False, True], ids=["first", "all-subgraphs"])
@pytest.mark.parametrize("path", corpus.real("original.tflite"), ids=lambda path: path.stem)
def test_real_models_answer_as_the_originals(path: Path, every: bool, kernels: str) -> None:
    model = path.read_bytes()
    artifact = made.compiled(model, multiple_subgraphs=every)
    if artifact == model:
        pytest.skip("no operator of it is mapped")
    check(model, artifact, kernels, seeds=1)


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("path", corpus.real("original.tflite"), ids=lambda path: path.stem)
def test_real_models_in_segments_answer_as_the_originals(path: Path, count: int) -> None:
    model = path.read_bytes()
    try:
        expected = made.original(model)
        artifacts = made.segments(model, count)
    except (RuntimeError, ValueError, EdgeTpuBuildError) as problem:
        pytest.skip(str(problem))
    chain = [made.opened(artifact, device=Device()) for artifact in artifacts]
    values = random_inputs(model)
    assert made.same(made.run(expected, values), made.run_chain(chain, values))


@pytest.mark.slow
@pytest.mark.parametrize("path", corpus.graphs()[::12], ids=lambda path: path.stem)
def test_networks_of_real_architecture_answer_as_the_originals(path: Path) -> None:
    model = models.build(json.loads(path.read_text()))
    artifact = made.compiled(model, multiple_subgraphs=True)
    if artifact == model:
        pytest.skip("no operator of it is mapped")
    check(model, artifact, "default", seeds=1)


@pytest.mark.slow
def test_real_models_compiled_together_answer_as_the_originals() -> None:
    paths = corpus.real("original.tflite")
    sources = [path.read_bytes() for path in paths if "cocompiled" in path.stem or "mobilenet" in path.stem]
    if not sources:
        pytest.skip("the corpus is not here")
    device = Device()
    opened = [made.opened(artifact, device=device) for artifact in made.compiled_together(*sources)]
    for _ in range(2):
        for model, interpreter in zip(sources, opened, strict=True):
            values = random_inputs(model)
            assert made.same(made.run(made.original(model), values), made.run(interpreter, values))
    assert device.stats().wipes == device.stats().overlaps == 0
    assert device.stats().parameter_loads == len(sources)


def detector() -> bytes:
    """A head of boxes and one of classes, and LiteRT's custom operator behind them, which stays on the CPU."""
    from flatbuffers import flexbuffers

    builder = flexbuffers.Builder()
    with builder.Map():
        for key in ("max_detections", "max_classes_per_detection", "num_classes", "detections_per_class"):
            builder.Int(key, {"max_detections": 5, "num_classes": 2, "detections_per_class": 5}.get(key, 1))
        for key, value in {"x_scale": 10.0, "y_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0}.items():
            builder.Float(key, value)
        builder.Float("nms_score_threshold", 1e-8)
        builder.Float("nms_iou_threshold", 0.6)
        builder.Bool("use_regular_nms", value=False)
    net = models.Net()
    x = net.conv(net.input((1, 4, 4, 8)), 16)
    heads = []
    for channels in (4, 3):
        head = net.reshape(net.conv(x, channels, kernel=1, activation="NONE"), (1, 16, channels))
        heads.append(net.op("DEQUANTIZE", [head], [net.tensor("head", (1, 16, channels), "FLOAT32")], version=2))
    corners = [[0.1 * i, 0.1 * i, 0.5, 0.5] for i in range(16)]
    anchors = net.tensor("anchors", (16, 4), "FLOAT32", const=True, values=corners)
    outputs = [net.tensor("found", shape, "FLOAT32") for shape in ((1, 5, 4), (1, 5), (1, 5), (1,))]
    net.op("CUSTOM", [*heads, anchors], outputs, custom="TFLite_Detection_PostProcess", custom_options=builder.Finish())
    return net.build(outputs, signatures=["serving_default"])


@pytest.mark.parametrize("every", [False, True], ids=["first", "all-subgraphs"])
def test_a_detector_with_its_post_processing_on_the_cpu(every: bool) -> None:
    model = detector()
    check(model, made.compiled(model, multiple_subgraphs=every), "default")


def test_a_detector_in_segments_flows_through_a_pipeline() -> None:
    model = detector()
    chain = [made.opened(artifact, device=Device()) for artifact in made.cut(model, 0)]
    pipeline = PipelinedModelRunner(chain)
    expected = made.original(model)
    for seed in range(3):
        values = random_inputs(model, seed)
        pipeline.push(values)
        answer, result = made.run(expected, values), pipeline.pop()
        assert result is not None
        assert made.same(answer, result)
        assert set(answer) == set(result)

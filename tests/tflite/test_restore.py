from __future__ import annotations

import io
import zipfile

import pytest

from edgetpu_build.tflite.reader import read
from edgetpu_build.tflite.restore import restore
from tests.support import models
from tests.support.corpus import CORPUS, rows
from tests.support.standin.recording import compiled


def annotated(**more: object) -> bytes:
    net = models.Net()
    x = net.conv(net.input((1, 8, 8, 3)), 8)
    out = net.softmax(net.dense(net.mean(x), 4))
    net.facts |= {"metadata": ["TFLITE_METADATA", "min_runtime_version"], "signatures": ["serving_default"], **more}
    return net.build([out])


def test_puts_back_what_was_dropped() -> None:
    original = annotated(zip_appended=True)
    bare = compiled(original)
    assert read(bare).metadata == ()
    found = restore(read(bare), read(original))
    model = read(found.data)
    assert found.lost == ()
    assert [name for name, _ in model.metadata] == ["TFLITE_METADATA", "min_runtime_version"]
    (signature,) = model.signatures
    names = [model.main.tensors[index].name for _, index in (*signature.inputs, *signature.outputs)]
    source = read(original).main
    assert names == [source.tensors[index].name for index in (*source.inputs, *source.outputs)]
    with zipfile.ZipFile(io.BytesIO(found.data)) as archive:
        assert archive.read("labels.txt") == b"cat\ndog\n"


def test_the_edge_tpu_operator_stays_byte_for_byte() -> None:
    original = annotated()
    bare = compiled(original, on_cpu=(3,), cached=4096, streamed=64)
    before, after = read(bare), read(restore(read(bare), read(original)).data)
    assert [op.custom_options for op in after.main.operators] == [op.custom_options for op in before.main.operators]
    assert [bytes(t.data or b"") for t in after.main.tensors] == [bytes(t.data or b"") for t in before.main.tensors]


def test_a_signature_of_tensors_that_are_gone_is_named() -> None:
    original = models.unpack(annotated())
    inner = original.subgraphs[0].operators[0].outputs[0]
    original.signatureDefs[0].outputs[0].tensorIndex = int(inner)
    data = models.pack(original)
    found = restore(read(compiled(data)), read(data))
    assert found.lost == ("serving_default",)
    assert read(found.data).signatures == ()


def test_nothing_to_restore_changes_nothing_that_is_read() -> None:
    data = models.conv_net(layers=1, channels=8, size=8)
    bare = read(compiled(data))
    assert read(restore(bare, read(data)).data).tree == bare.tree


@pytest.mark.skipif(not rows(), reason="needs ../shared/reference/corpus")
@pytest.mark.parametrize("name", sorted(name for name, row in rows().items() if row.get("original")))
def test_real_pairs_get_their_metadata_back(name: str) -> None:
    original = read((CORPUS / "real" / rows()[name]["original"]).read_bytes())
    before = read((CORPUS / "real" / name).read_bytes())
    after = read(restore(before, original).data)
    assert {n for n, _ in after.metadata} == {n for n, _ in before.metadata} | {n for n, _ in original.metadata}
    assert [op.custom_options for op in after.main.operators] == [op.custom_options for op in before.main.operators]
    assert len(after.raw) - after.flatbuffer_size == max(
        len(m.raw) - m.flatbuffer_size for m in ([before] if len(before.raw) > before.flatbuffer_size else [original])
    )

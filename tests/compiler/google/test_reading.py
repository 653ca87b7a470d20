from __future__ import annotations

import json

import pytest

from edgetpu_build.compiler.google import reading, transcript
from edgetpu_build.tflite import reader
from tests.support import models
from tests.support.corpus import CORPUS, rows
from tests.support.standin.recording import compiled, told

PAIRS = sorted(name for name, row in rows().items() if row.get("original"))


def test_finds_what_stays_on_the_cpu_by_the_names_of_tensors() -> None:
    data = models.branching_net()
    original = reader.read(data)
    last = len(original.main.operators) - 1
    found = reading.compiled(compiled(data, on_cpu=(last,)), original, "m")
    assert found.on_cpu == {last}


def test_statuses_go_to_the_operators_that_we_would_give_them_to() -> None:
    net = models.Net()
    x = net.conv(net.input((1, 8, 8, 3)), 8)
    first = net.op("ELU", [x], [net.activation("elu", net.shape(x))])
    second = net.op("ELU", [first], [net.activation("elu", net.shape(x))])
    data = net.build([second])
    original = reader.read(data)
    one = told(data, on_cpu=(1, 2), statuses={1: "Operation not supported", 2: "Something new"})
    (block,) = transcript.read(one.log("16.0.1"))[0].blocks
    found = reading.operators(original, reading.compiled(one.artifact, original, "m"), block, ())
    assert sorted(op.status for op in found[1:]) == ["Operation not supported", "Something new"]
    assert all(op.reason for op in found[1:])


@pytest.mark.skipif(not PAIRS, reason="needs ../shared/reference/corpus")
def test_real_compiles_are_read_as_they_are_known_to_be() -> None:
    truth = {row["id"]: row for row in map(json.loads, (CORPUS / "truth.jsonl").read_text().splitlines())}
    for name in PAIRS:
        row = rows()[name]
        known, data = truth[row["id"]], (CORPUS / "real" / name).read_bytes()
        original = reader.read((CORPUS / "real" / row["original"]).read_bytes())
        found = reading.compiled(data, original, name)
        assert sorted(found.on_cpu) == known["cpu_ops"], name
        figures = found.cached_bytes, found.streamed_bytes, found.runtime_version
        assert figures == (known["cached"] or 0, known["streamed"] or 0, known["runtime"]), name
        log = CORPUS / "logs" / f"{row['id']}.log"
        if log.exists():
            (block,) = transcript.read(log.read_text())[0].blocks
            reading.check(original, found, block, name)
            placed = reading.operators(original, found, block, ())
            assert all(op.status for op in placed), name

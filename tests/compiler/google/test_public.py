"""The stand-in replays public compiles: the `.log` and the compiled file as their authors published them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from edgetpu_build.compiler.google.backend import Google
from edgetpu_build.compiler.interface import Options, Request, Source
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.tflite import reader
from tests.support import models
from tests.support.corpus import CORPUS, rows
from tests.support.standin.recording import Recording

pytestmark = pytest.mark.slow
PAIRS = sorted(name for name, row in rows().items() if row.get("original") and row["kind"] == "whole")
LOGS = CORPUS.parent / "logs"
FAILED = ("126-efficientdet-readme-md.txt", "127-efficientdet-log-md.txt", "281-smart-zoneminder-nasnetlarge-log.txt")


@cache
def truth() -> dict[str, Any]:
    """What is known of each public compile."""
    return {row["id"]: row for row in map(json.loads, (CORPUS / "truth.jsonl").read_text().splitlines())}


@pytest.mark.skipif(not PAIRS, reason="needs ../shared/reference/corpus")
@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("restored", [False, True], ids=["as it is", "with metadata"])
def test_a_public_compile(name: str, restored: bool, tmp_path: Path) -> None:
    row = rows()[name]
    known = truth()[row["id"]]
    data, made = (CORPUS / "real" / row["original"]).read_bytes(), (CORPUS / "real" / name).read_bytes()
    recording = Recording(tmp_path / "standin")
    log = CORPUS / "logs" / f"{row['id']}.log"
    files = {"{stem 0}_edgetpu.tflite": made}
    recording.answer(models=[data], files=files | ({"{stem 0}_edgetpu.log": log.read_bytes()} if log.exists() else {}))
    google = Google(command=recording.command)
    request = Request(sources=(Source(label="m.tflite", data=data),), options=Options(restore_metadata=restored))
    (member,) = google.compile(request, timeout=60, progress=lambda _text: None).members
    assert [op.index for op in member.operators if op.target == "cpu"] == known["cpu_ops"]
    assert member.figures.cached_bytes.value == (known["cached"] or 0)
    assert member.figures.streamed_bytes.value == (known["streamed"] or 0)
    assert member.figures.runtime_version.value == known["runtime"]
    if restored:
        assert dict(reader.read(member.artifact).metadata).keys() >= dict(reader.read(data).metadata).keys()
    else:
        assert member.artifact == made
    if log.exists():
        assert {op.status for op in member.operators} == {status for _, _, status in known["log"]["operators"]}


@pytest.mark.skipif(not LOGS.exists(), reason="needs ../shared/reference/logs")
@pytest.mark.parametrize("name", FAILED)
def test_a_public_failure(name: str, tmp_path: Path) -> None:
    recording = Recording(tmp_path / "standin")
    recording.answer(prints=[(LOGS / "transcripts" / name).read_text()], code=1)
    data = models.conv_net(layers=1, channels=8, size=8)
    request = Request(sources=(Source(label="m.tflite", data=data),))
    with pytest.raises(EdgeTpuBuildError) as raised:
        Google(command=recording.command).compile(request, timeout=60, progress=lambda _text: None)
    assert raised.value.exit_code == 3
    assert raised.value.diagnostics[0].message.startswith("Google's compiler failed on `m.tflite`: ")

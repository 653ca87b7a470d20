"""The page of `bench`."""

from __future__ import annotations

import json
import re

import pytest

from edgetpu_build.compiler import stages
from edgetpu_build.compiler.interface import Options
from edgetpu_build.latency.model import Device
from edgetpu_build.latency.timeline import Span
from edgetpu_build.report.bench import Bench
from edgetpu_build.report.html import latency
from tests.report.html.test_page import parsed
from tests.support import models, pages


def bench(data: bytes, name: str = "net", **options: object) -> Bench:
    found = stages.of_file(data, name, Options(**options), Device())  # type: ignore[arg-type]
    return Bench(name=name, device=Device(), stages=found)


@pytest.fixture(scope="module")
def page() -> str:
    return latency.render([bench(models.mobilenet_like(), segments=2)], 3)


def test_the_page_says_what_bench_says(page: str) -> None:
    text = "\n".join(parsed(page).text)
    assert "latency predicted for USB 3, full clock, x86 host" in text
    assert "3 inferences from nothing loaded" in text
    assert "device 1" in text
    data = json.loads(re.search(r'id="data">(.*?)</script>', page)[1])  # type: ignore[index]
    assert [len(one["stages"]) for one in data["latency"]] == [2]


def test_estimates_come_with_their_range(page: str) -> None:
    text = "\n".join(parsed(page).text)
    assert re.search(r"~[\d.]+ ms\n[\d.]+ ms to [\d.]+ ms\nestimated", text)


def test_equal_inputs_make_equal_pages(page: str) -> None:
    assert latency.render([bench(models.mobilenet_like(), segments=2)], 3) == page


def test_several_models_have_a_section_each_and_hostile_names_stay_text() -> None:
    page = latency.render([bench(models.conv_net(), pages.HOSTILE), bench(models.dense_net())], 1)
    found = parsed(page)
    assert [a["href"] for name, a in found.elements if name == "a"][1:] == ["#u0", "#u1"]
    assert [name for name, _ in found.elements].count("script") == 2
    assert "img" not in [name for name, _ in found.elements]


def test_short_operators_are_one_span() -> None:
    def span(start: float, length: float, inference: int = 0) -> Span:
        return Span(device=0, track="tiles", name="x", kind="array", start=start, length=length, inference=inference)

    found = list(latency._joined([span(0, 0.1), span(0.1, 0.1), span(0.2, 5.0), span(6, 5.0, 1), span(11, 4.0, 1)], 1))
    assert [(one.start, pytest.approx(one.length)) for one in found] == [(0, 5.2), (6, 5.0), (11, 4.0)]

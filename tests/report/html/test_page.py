from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.report.html import markup
from edgetpu_build.report.html.markup import embedded, escape, prose, tag
from edgetpu_build.report.html.page import MOST
from tests.support import models, pages

VOID = {"meta", "link", "br", "col"}


class Reader(HTMLParser):
    """Every element, and whether they nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parsed(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def data(page: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page)[1])


@pytest.fixture(scope="module")
def build() -> str:
    return pages.build()


@pytest.fixture(scope="module")
def hostile() -> str:
    net = models.Net()
    facts = net.finish([net.custom([net.conv(net.input((1, 8, 8, 3)), 8)], (1, 8), pages.HOSTILE.replace("\0", ""))])
    for tensor in facts["tensors"]:
        tensor["name"] = pages.HOSTILE
    return pages.page(pages.file(models.build(facts), f"{pages.HOSTILE}.tflite"))


def test_the_same_values_make_the_same_bytes(build: str) -> None:
    assert pages.build() == build
    script = "from tests.support import pages, models; print(hash(pages.build()) and pages.build())"
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert other.stdout.rstrip("\n") == build.rstrip("\n")


def test_it_needs_nothing_else(build: str) -> None:
    links = [a.get("href") or a.get("src") for _, a in parsed(build).elements if a.get("href") or a.get("src")]
    assert all(link.startswith(("#", "data:")) for link in links)
    assert "http" not in build.replace('http-equiv="', "")


def test_names_are_text_and_nothing_else(hostile: str) -> None:
    found = parsed(hostile)
    assert [name for name, _ in found.elements].count("script") == 2
    assert "img" not in [name for name, _ in found.elements]
    assert not any(key.startswith("on") for _, attributes in found.elements for key in attributes)
    assert "alert(1)" in "".join(found.text)
    assert "\u202e" not in hostile
    assert data(hostile)["units"][0]["members"][0]["tensors"][0].startswith("</script>")


def test_what_is_embedded_is_what_json_says(build: str) -> None:
    pair, cut, blocked, broken = data(build)["units"]
    assert [member["name"] for member in pair["members"]] == ["pair0", "pair1"]
    assert [segment["index"] for segment in cut["members"][0]["segments"]] == [0, 1]
    assert sum(layer["bytes"] for layer in cut["members"][0]["layers"]) == sum(
        cut["members"][0]["figures"][key]["value"] for key in ("cached_bytes", "streamed_bytes")
    )
    assert {o["target"] for o in blocked["members"][0]["operators"]} == {"edgetpu", "cpu"}
    assert broken["members"] == []


def test_a_screen_reader_finds_its_way(build: str) -> None:
    elements = parsed(build).elements
    names = [name for name, _ in elements]
    assert [names.count(name) for name in ("h1", "main", "header", "footer", "nav")] == [1] * 5
    levels = [int(name[1]) for name in names if re.fullmatch("h[1-6]", name)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    pictures = [attributes for name, attributes in elements if name == "svg" and attributes.get("role") == "img"]
    assert len(pictures) > 12
    assert all(attributes["aria-label"] for attributes in pictures)
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_every_figure_has_its_confidence(build: str) -> None:
    text = "\n".join(parsed(build).text)
    assert "~" in text
    assert text.count("exact") > 20
    assert re.search(r"[\d.]+ ms to [\d.]+ ms", text)


def test_the_first_blocker_is_explained(build: str) -> None:
    text = "".join(parsed(build).text)
    assert "First on the CPU: operator 2, ABS" in text
    assert "could be mapped, but for coming after it" in text


def test_what_got_worse_stands_beside_what_was(build: str) -> None:
    text = "\n".join(parsed(build).text)
    assert "cut0: what moved" in text
    assert "better" in text


def test_what_is_wrong_is_told(build: str) -> None:
    text = "".join(parsed(build).text)
    assert "raise off-chip, or split the model" in text
    assert "is a Git LFS pointer" in text


def test_two_files_side_by_side() -> None:
    page = pages.page(pages.file(models.conv_net(), "a.tflite"), pages.file(models.dense_net(), "b.tflite"))
    text = "".join(parsed(page).text)
    assert "Side by side" in text
    assert "operators CONV_2D" in text


def test_three_files_in_turn() -> None:
    page = pages.page(*(pages.file(models.dense_net(), f"{name}.tflite") for name in "abc"))
    assert [unit["name"] for unit in data(page)["units"]] == ["a", "b", "c"]


def test_a_compiled_file_shows_what_is_inside() -> None:
    page = pages.page(pages.file(pages.compiled(pages.blocked()), "net_edgetpu.tflite"))
    (member,) = data(page)["units"][0]["members"]
    names = [operator["name"] for operator in member["operators"]]
    assert names[:3] == ["CONV_2D", "CONV_2D", "ABS"]
    assert [operator["index"] for operator in member["operators"]] == list(range(len(names)))
    assert member["layers"]


@pytest.mark.parametrize("make", [models.float_net, models.dynamic_net, lambda: models.chain_net(3)])
def test_models_without_parameters_on_the_chip(make) -> None:
    parsed(pages.page(pages.file(make())))


@pytest.mark.slow
def test_large_graphs_stay_small() -> None:
    page = pages.page(pages.file(models.chain_net(7000)))
    assert len(page.encode()) < MOST
    assert "All 7000 operators" in page
    assert page.count("<circle") < 200
    assert "and 6000 more" in page
    assert data(page)["units"][0]["members"][0]["figures"]["operators"]["edgetpu"]["value"] == 7000


@pytest.mark.slow
def test_many_large_models_stay_below_a_megabyte() -> None:
    found = pages.file(models.mobilenet_like())
    page = pages.page(*[found] * 40)
    assert 500_000 < len(page.encode()) < MOST
    assert "would make this page too large" in page
    found = parsed(page).elements
    ids = {attributes["id"] for _, attributes in found if "id" in attributes}
    links = {attributes["href"] for name, attributes in found if name == "a"}
    assert {link.removeprefix("#") for link in links if link} <= ids


@given(st.text(), st.text())
def test_any_text_stays_text(name: str, value: str) -> None:
    reader = parsed(tag("p", name, tag("b", value), title=value, data_k=name))
    assert [element for element, _ in reader.elements] == ["p", "b"]
    assert reader.elements[0][1]["title"] == markup.printable(value)


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_embedded_json_ends_no_script(value) -> None:
    text = embedded(value)
    assert "<" not in text
    assert json.loads(text) == value


@given(st.text())
def test_prose_keeps_its_words(sentence: str) -> None:
    text = "".join(parsed(prose(sentence)).text)
    assert text in (markup.printable(sentence).replace("`", ""), markup.printable(sentence))


def test_markup_is_not_escaped_twice() -> None:
    assert escape(escape("<&>")) == "&lt;&amp;&gt;"


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (-0.0001, "0"), (1.25, "1.25"), (1 / 3, "0.333"), (100, "100")]
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert markup.number(value) == text


def test_nothing_of_it_is_imported_before_it_is_asked_for() -> None:
    script = (
        "import sys, edgetpu_build.cli.build, edgetpu_build.cli.inspect; print([m for m in sys.modules if 'html' in m])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

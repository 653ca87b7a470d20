"""What the pictures are made of: areas and lengths are the bytes that they stand for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.chip.facts import SRAM_BYTES
from edgetpu_build.compiler.interface import LayerResult
from edgetpu_build.figure import UNKNOWN, Figures, estimated, exact
from edgetpu_build.report.html import graph, marks, memory, timeline
from edgetpu_build.report.html.memory import Chip, Share
from edgetpu_build.report.html.treemap import squarified
from edgetpu_build.report.html.values import Drawn, Section, Segment
from tests.support import pages


@given(st.lists(st.integers(1, 1 << 24), min_size=1, max_size=60), st.floats(0.5, 4))
def test_a_treemap_fills_the_picture_to_scale(sizes: list[int], aspect: float) -> None:
    sizes.sort(reverse=True)
    boxes = squarified(sizes, aspect)
    assert len(boxes) == len(sizes)
    for box, size in zip(boxes, sizes, strict=True):
        assert box.width * box.height == pytest.approx(size / sum(sizes), rel=1e-6)
        assert -1e-9 <= box.x <= box.x + box.width <= 1 + 1e-9
        assert -1e-9 <= box.y <= box.y + box.height <= 1 + 1e-9


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=12))
def test_no_two_rectangles_of_a_treemap_overlap(sizes: list[int]) -> None:
    boxes = squarified(sorted(sizes, reverse=True), 2.0)
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            wide = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
            high = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
            assert min(wide, high) < 1e-9


def layer(size: int, placement: str = "cached", index: int = 0) -> LayerResult:
    return LayerResult(index=index, name="CONV_2D", bytes=size, placement=placement, reason="")  # type: ignore[arg-type]


@given(st.lists(st.integers(1, 3 << 20), min_size=1, max_size=20), st.sampled_from([1 << 10, 1 << 16, 1 << 20]))
def test_rows_of_the_map_hold_every_byte(sizes: list[int], row: int) -> None:
    regions = [memory._Region(size, "cached", "x") for size in sizes]
    drawn = "".join(memory._wrapped(regions, row, 0))
    widths = [float(part.split('%"')[0]) for part in drawn.split(' width="')[1:]]
    assert sum(widths) / 100 * row == pytest.approx(sum(sizes), rel=0.02, abs=row * 1e-3 * len(widths))
    assert max(widths) <= 100


def chip(*, used: float = 900, available: float | None = 7 << 20, layers: tuple[LayerResult, ...] = ()) -> Chip:
    room = UNKNOWN if available is None else estimated(available)
    return Chip("", (Share("m", "0.0", Figures(on_chip_used=exact(used), on_chip_available=room), layers),))


def test_a_chip_is_what_lies_in_it_and_what_is_left() -> None:
    found = chip(layers=(layer(600), layer(200), layer(50, "streamed")))
    assert found.padding == 100
    assert found.free == (7 << 20) - 900
    assert sum(region.size for region in memory._on_chip(found)) == SRAM_BYTES
    assert memory.summary(found) == "800 B of parameters on the chip, 50 B streamed, ~7.00 MiB free"


def test_what_is_free_is_not_made_up() -> None:
    found = chip(available=None)
    assert found.free is None
    assert "free" not in memory.summary(found)
    assert "not known" in memory.draw([found])


def test_models_of_a_group_share_one_chip_and_segments_do_not() -> None:
    page = pages.layered("cut", pages.models.mobilenet_like(), segments=3)[0]
    pieces = tuple(Segment(index=s.index, operators=s.operators, figures=s.figures) for s in page.result.segments)
    drawn = Drawn(name="m", source="m", figures=page.figures, layers=page.result.layers, segments=pieces)
    cut = memory.chips(Section(name="m", models=(drawn,)), "0")
    assert [c.title for c in cut] == ["segment 0", "segment 1", "segment 2"]
    assert sum(len(c.shares[0].layers) for c in cut) == len(drawn.layers)
    whole = Drawn(name="m", source="m", figures=page.figures, layers=page.result.layers)
    (shared,) = memory.chips(Section(name="g", models=(whole, whole)), "0")
    assert [share.key for share in shared.shares] == ["0.0", "0.1"]


def segments(*times: float | None) -> Drawn:
    def one(index: int, time: float | None) -> Segment:
        latency = UNKNOWN if time is None else estimated(time)
        figures = Figures(latency_ms=latency, cached_bytes=exact(100 * (index + 1)), streamed_bytes=exact(0))
        return Segment(index=index, operators=(index,), figures=figures)

    return Drawn(name="m", source="m", figures=Figures(), segments=tuple(map(one, range(len(times)), times)))


def test_the_slowest_segment_sets_the_pace() -> None:
    drawn = timeline.draw(segments(1.0, 3.0, 2.0))
    assert "a result comes every ~3.00 ms" in drawn
    assert "~6.00 ms from end to end" in drawn
    assert "3.00 ms an input, the slowest" in drawn


def test_without_latency_the_lengths_are_bytes_and_say_so() -> None:
    drawn = timeline.draw(segments(1.0, None))
    assert "not known: the lengths are bytes" in drawn


def test_one_piece_has_no_timeline() -> None:
    assert timeline.draw(segments(1.0)) == ""


def test_labels_stand_only_where_they_fit() -> None:
    assert marks.fitting(1.0, "12 CONV_2D") == "w1"
    assert marks.fitting(0.15, "12 CONV_2D") == "w2"
    assert marks.fitting(0.09, "12 CONV_2D") == "w3"
    assert marks.fitting(0.01, "12 CONV_2D") == ""
    assert 'class="w1 below-w2">12<' in marks.label(0.15, "12 CONV_2D", "12")


def test_runs_of_large_graphs_are_one_bead() -> None:
    found = pages.of_files([pages.file(pages.models.chain_net(300))]).sections[0].models[0]
    beads = list(graph._beads(found))
    assert len(beads) < 40
    assert [index for bead in beads for index in range(bead.start, bead.stop)] == list(range(300))


def test_every_operator_of_a_small_graph_has_its_bead() -> None:
    found = pages.of_files([pages.file(pages.blocked())]).sections[0].models[0]
    assert [bead.kind for bead in graph._beads(found)][:4] == ["edgetpu", "edgetpu", "blocker", "cpu"]
    assert (0, 4) in found.edges

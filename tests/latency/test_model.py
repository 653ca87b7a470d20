"""What must hold of every prediction, and the few that measurements pin down."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.latency import work
from edgetpu_build.latency.constants import CLOCKS_MHZ, FITTED
from edgetpu_build.latency.model import Device, Traffic, predict

SIZES = st.integers(1, 64)
KINDS = st.sampled_from(["CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "ADD", "FULLY_CONNECTED", "LOGISTIC"])
DEVICES = st.builds(
    Device,
    link=st.sampled_from(["pcie", "usb3", "usb2"]),
    clock=st.sampled_from(["max", "std"]),
    host=st.sampled_from(["x86", "arm"]),
)


@st.composite
def works(draw: st.DrawFn) -> work.Work:
    source, result = draw(st.tuples(SIZES, SIZES, SIZES)), draw(st.tuples(SIZES, SIZES, SIZES))
    return work.work(draw(KINDS), source, result, draw(st.sampled_from([(1, 1), (3, 3)])))


@given(found=st.lists(works(), min_size=1, max_size=6), device=DEVICES, sent=st.integers(0, 1 << 20), data=st.data())
def test_parts_add_up_and_nothing_is_negative(
    found: list[work.Work], device: Device, sent: int, data: st.DataObject
) -> None:
    streamed = [data.draw(st.integers(0, 1 << 20)) for _ in found]
    latency = predict(found, Traffic(inputs=sent, outputs=10), device, streamed=streamed, cached=1 << 20)
    parts = (
        latency.fixed,
        latency.inputs,
        latency.instructions,
        latency.outputs,
        *(o.total for o in latency.operators),
    )
    assert min(parts) >= 0
    assert latency.total == pytest.approx(sum(parts))
    assert latency.first > latency.total
    figure = latency.figure
    assert figure.confidence == "estimated"
    assert (figure.low or 0) < (figure.value or 0) < (figure.high or 0)


@given(found=works(), device=DEVICES, more=st.integers(1, 1 << 20))
def test_streaming_more_sending_more_or_a_slower_clock_never_helps(found: work.Work, device: Device, more: int) -> None:
    def total(device: Device = device, inputs: int = 0, streamed: int = 0) -> float:
        return predict([found], Traffic(inputs=inputs), device, streamed=[streamed], cached=0).total

    assert total(inputs=more) > total()
    assert total(streamed=more) >= total()
    assert total(replace(device, clock="std")) >= total(replace(device, clock="max"))


def test_an_operator_takes_the_longer_of_computing_and_streaming() -> None:
    conv = work.work("CONV_2D", (64, 64, 256), (64, 64, 256), (3, 3))
    hidden = predict([conv], Traffic(), Device(), streamed=[1000], cached=0).operators[0]
    shown = predict([conv], Traffic(), Device(), streamed=[50_000_000], cached=0).operators[0]
    assert (hidden.bound, hidden.total) == ("array", hidden.compute)
    assert (shown.bound, shown.total) == ("stream", shown.stream)


def test_weights_of_a_map_beyond_the_tiles_memory_are_sent_again() -> None:
    assert work.work("CONV_2D", (64, 64, 256), (64, 64, 256)).sends == 1
    assert work.work("CONV_2D", (64, 64, 448), (64, 64, 448)).sends == 4
    assert work.work("CONV_2D", (64, 64, 800), (64, 64, 800)).sends == 8


def test_a_deep_stack_of_7x7_convolutions_takes_what_was_measured_a_layer() -> None:
    """0.823 to 0.834 ms a layer, whatever the depth: github.com/iwatake2222/EdgeTPU_Analysis."""
    conv = work.work("CONV_2D", (128, 128, 32), (128, 128, 32), (7, 7))
    one = predict([conv], Traffic(), Device(), streamed=[0], cached=0).operators[0]
    assert one.total == pytest.approx(0.828, rel=0.05)


def test_short_predictions_say_that_they_are_weak() -> None:
    conv = work.work("CONV_2D", (8, 8, 8), (8, 8, 8))
    weak = predict([conv], Traffic(), Device(), streamed=[0], cached=0)
    assert weak.regime == "short"
    assert weak.notes


def test_an_operator_is_called_by_its_place_in_the_model() -> None:
    conv = work.work("CONV_2D", (8, 8, 8), (8, 8, 8))
    found = predict([conv, conv], Traffic(), Device(), streamed=[0, 0], cached=0, places=(4, 9))
    assert [one.index for one in found.operators] == [4, 9]


def test_every_link_and_clock_has_constants_and_every_regime_a_band() -> None:
    assert set(FITTED.bandwidth) == set(FITTED.fixed) == {"pcie", "usb3", "usb2"}
    assert set(CLOCKS_MHZ) == {"max", "std"}
    assert set(FITTED.bands) == {"compute", "streaming", "short", "output", "tiled"}
    assert all(low < 1 < high for low, high in FITTED.bands.values())

"""Which layers stay on the chip."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.chip.facts import TILES
from edgetpu_build.compiler.caching import ALWAYS_STREAMED, CHUNK_TOO_LARGE, Candidate, allocate, candidate_of
from edgetpu_build.compiler.parameters import Layer, layers
from edgetpu_build.figure import Figure, estimated, exact
from edgetpu_build.tflite.reader import read
from tests.support.models import Net

MIB = 1 << 20


def conv(size: int, index: int = 0, **more: Any) -> Candidate:
    return _candidate("CONV_2D", size, index, single=False, **more)


def depthwise(size: int, index: int = 0) -> Candidate:
    return _candidate("DEPTHWISE_CONV_2D", size, index, single=False)


def dense(chunk: int, chunks: int = 1, index: int = 0) -> Candidate:
    return _candidate("FULLY_CONNECTED", chunk * chunks, index, single=True, chunks=chunks, chunk_size=chunk)


def _candidate(kind: str, size: int, index: int, *, single: bool, **more: Any) -> Candidate:
    layer = Layer(index=index, kind=kind, size=size, tile_size=size, reason="made for a test", pieces=(), **more)
    return Candidate(layer=layer, single=single)


def cached(models: list[list[Candidate]], room: Figure, generation: str = "16.0") -> list[list[bool]]:
    return [[decision.cached for decision in mine] for mine in allocate(models, room, generation).decisions]


def test_everything_is_cached_where_it_fits() -> None:
    model = [conv(100), depthwise(100), dense(10, 4)]
    allocation = allocate([model], exact(MIB), "16.0")
    assert all(decision.cached and decision.sure for decision in allocation.decisions[0])


def test_constants_of_elementwise_operators_are_streamed_from_an_empty_chip() -> None:
    allocation = allocate([[conv(64, always_streamed=True)]], exact(MIB), "16.0")
    (decision,) = allocation.decisions[0]
    assert not decision.cached
    assert decision.reason == ALWAYS_STREAMED
    assert decision.hopeless


def test_depthwise_and_single_position_layers_come_before_larger_convolutions() -> None:
    assert cached([[conv(900), depthwise(100), dense(10, 4)]], exact(960)) == [[False, True, True]]


def test_large_convolutions_come_before_small_ones_and_small_ones_fill_the_rest() -> None:
    assert cached([[conv(100), conv(700), conv(600), conv(50)]], exact(1000)) == [[True, True, False, True]]


def test_of_equal_convolutions_the_first_in_the_file_is_cached() -> None:
    assert cached([[conv(600), conv(600)]], exact(1000)) == [[True, False]]


def test_a_single_position_layer_with_larger_chunks_is_served_first() -> None:
    """As in a public stack of dense layers 64 -> 2000 -> 2000 -> 2000: the first, small layer is the one left out."""
    small, large = dense(4096, 32), dense(128_000, 32)
    room = TILES * 518_150
    assert cached([[small, large, large, large]], exact(room)) == [[False, True, True, False]]


def test_a_chunk_that_no_tile_holds_is_streamed_however_empty_the_chip_is() -> None:
    allocation = allocate([[dense(600_000)]], exact(8 * MIB), "16.0")
    (decision,) = allocation.decisions[0]
    assert not decision.cached
    assert decision.reason.startswith(CHUNK_TOO_LARGE)


def test_chunks_fill_the_least_loaded_tile() -> None:
    room = TILES * 1000
    assert cached([[dense(600, 8), dense(500, 8)]], exact(room)) == [[True, True]]
    assert cached([[dense(600, 16), dense(500, 1)]], exact(room)) == [[True, False]]


def test_sixteen_pools_the_layers_of_all_models() -> None:
    first, second = [conv(400), conv(300)], [conv(500)]
    assert cached([first, second], exact(900)) == [[True, False], [True]]


def test_older_compilers_serve_models_in_order() -> None:
    first, second = [conv(400), conv(300)], [conv(500)]
    for generation in ("2.0", "14.1", "15.0"):
        assert cached([first, second], exact(900), generation) == [[True, True], [False]]


def test_the_first_compiler_leaves_dense_layers_of_all_models_for_last() -> None:
    assert cached([[dense(400, 2)], [conv(500)]], exact(1200), "1.0") == [[False], [True]]


def test_the_first_compiler_puts_chunk_k_into_tile_k() -> None:
    """78 of 100 equal dense layers in a public file: the first tile is full then."""
    model = [dense(6656, 2) for _ in range(100)]
    assert sum(cached([model], exact(8 * MIB), "1.0")[0]) == 78


def test_a_fate_that_depends_on_the_range_of_room_is_not_sure() -> None:
    allocation = allocate([[conv(500), conv(400)]], estimated(1000, 800, 1100), "16.0")
    assert [decision.sure for decision in allocation.decisions[0]] == [True, False]
    assert allocation.decisions[0][1].result().confidence == "estimated"


def test_a_pool_that_is_too_small_is_contested() -> None:
    assert allocate([[conv(500)], [conv(600)]], exact(1000), "16.0").contested
    assert not allocate([[conv(500)], [conv(400)]], exact(1000), "16.0").contested
    assert not allocate([[conv(500)], [conv(600)]], exact(1000), "15.0").contested


def test_what_remains_follows_the_fullest_tile() -> None:
    allocation = allocate([[dense(100, 4)]], exact(TILES * 1000), "16.0")
    assert allocation.remaining == (TILES * 900,)


def test_a_dense_layer_over_a_vector_is_single_and_a_convolution_over_a_map_is_not() -> None:
    net = Net()
    x = net.conv(net.input((1, 8, 8, 4)), 16)
    subgraph = read(net.build([net.dense(net.mean(x), 10)])).main
    found = layers(subgraph, generation="16.0", mapped=frozenset(range(len(subgraph.operators))))
    singles = {c.layer.kind: c.single for c in (candidate_of(subgraph, layer) for layer in found)}
    assert singles == {"CONV_2D": False, "FULLY_CONNECTED": True}


def test_a_softmax_table_takes_four_times_its_bytes() -> None:
    """A row has 16 lanes and takes the place of 64."""
    table = _candidate("SOFTMAX", 576, 0, single=False)
    assert table.room == 4 * 576
    assert cached([[table]], exact(4 * 576)) == [[True]]
    assert cached([[table]], exact(4 * 576 - 1)) == [[False]]


candidates = st.one_of(
    st.builds(conv, st.integers(1, 3000)),
    st.builds(depthwise, st.integers(1, 500)),
    st.builds(dense, st.integers(1, 500), st.integers(1, 40)),
    st.builds(conv, st.integers(1, 500), always_streamed=st.just(True)),
)


@given(
    st.lists(st.lists(candidates, max_size=8), min_size=1, max_size=3),
    st.integers(0, 20_000),
    st.sampled_from(["1.0", "2.1", "15.0", "16.0"]),
)
def test_what_is_cached_fits_and_what_would_fit_alone_never_leaves_a_chip_empty(
    models: list[list[Candidate]], room: int, generation: str
) -> None:
    allocation = allocate(models, exact(room), generation)
    taken = sum(d.candidate.layer.tile_size for mine in allocation.decisions for d in mine if d.cached)
    assert taken <= room
    assert all(left <= room - 0 for left in allocation.remaining)
    streamed = [d for mine in allocation.decisions for d in mine if not d.cached and not d.hopeless]
    spread = [d for d in streamed if not d.candidate.single]
    assert all(d.candidate.layer.tile_size > room - taken for d in spread)


def test_a_chunk_that_only_the_larger_end_of_the_range_holds_is_not_sure() -> None:
    allocation = allocate([[dense(1000)]], estimated(TILES * 1010, TILES * 990, TILES * 1020), "16.0")
    assert [(decision.cached, decision.sure) for decision in allocation.decisions[0]] == [(True, False)]


def test_what_remains_is_counted_in_bytes_before_sixteen() -> None:
    """A dense network of 15.0 printed 7.44 MiB left of 7.86, though one tile in 16 held most of it."""
    for generation in ("1.0", "15.0"):
        allocation = allocate([[dense(100, 4)], [conv(500)]], exact(TILES * 1000), generation)
        assert allocation.remaining == (TILES * 1000 - 400, TILES * 1000 - 900)

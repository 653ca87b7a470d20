from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.compiler.interface import Identity, Options
from edgetpu_build.engine.fingerprint import Ingredient, Input, changed, fingerprint, ingredients

BUILTIN = Identity(name="builtin", version="0.1.0", identity="1", target="simulator")
GOOGLE = Identity(name="google", version="16.0", identity="abc", target="edgetpu")
ONE, TWO = Input(sha256="1" * 64), Input(sha256="2" * 64)

FLIPPED = {
    "min_runtime_version": 13,
    "segments": 2,
    "max_segments": 4,
    "balance": "latency",
    "cuts": ("a",),
    "delegate_step": 1,
    "multiple_subgraphs": True,
    "generation": "15.0",
    "restore_metadata": True,
    "reweight": "auto",
    "link": "pcie",
    "clock": "std",
}


def key(identity: Identity = BUILTIN, options: Options | None = None, inputs: tuple[Input, ...] = (ONE,)) -> str:
    return fingerprint(ingredients(identity, options or Options(), inputs))


@pytest.mark.parametrize("name", [field.name for field in fields(Options)])
def test_every_option_counts(name: str) -> None:
    identity = GOOGLE if name in {"restore_metadata", "reweight"} else BUILTIN
    assert key(identity, replace(Options(), **{name: FLIPPED[name]})) != key(identity)


def test_what_is_assumed_of_the_device_is_no_ingredient_while_nobody_says_otherwise() -> None:
    assert not {"link", "clock", "reweight"} & {part.tag for part in ingredients(BUILTIN, Options(), (ONE,))}


def test_options_that_a_compiler_does_not_look_at_do_not_count() -> None:
    assert key(BUILTIN, Options(restore_metadata=True)) == key(BUILTIN)
    assert key(GOOGLE, Options(generation="15.0")) == key(GOOGLE)


@pytest.mark.parametrize(
    "other",
    [
        {"identity": GOOGLE},
        {"identity": replace(BUILTIN, identity="2")},
        {"inputs": (TWO,)},
        {"inputs": (ONE, ONE)},
        {"inputs": (ONE, TWO)},
        {"inputs": (TWO, ONE)},
        {"inputs": (ONE._replace(intermediate_tensors=("a",)),)},
        {"inputs": (ONE._replace(intermediate_tensors=("a", "b")),)},
        {"inputs": (ONE._replace(intermediate_tensors=("a,b",)),)},
        {"inputs": (ONE._replace(intermediate_tensors=("a",)), ONE)},
        {"inputs": (ONE, ONE._replace(intermediate_tensors=("a",)))},
        {"options": Options(cuts=("a", "b"))},
        {"options": Options(cuts=("a, b",))},
    ],
)
def test_what_decides_the_bytes_decides_the_fingerprint(other: dict[str, object]) -> None:
    assert key(**other) != key()  # type: ignore[arg-type]


def test_every_one_of_these_is_different() -> None:
    variants = [
        key(inputs=(ONE, TWO)),
        key(inputs=(TWO, ONE)),
        key(options=Options(cuts=("a", "b"))),
        key(options=Options(cuts=("a, b",))),
        key(inputs=(ONE._replace(intermediate_tensors=("a", "b")),)),
        key(inputs=(ONE._replace(intermediate_tensors=("a, b",)),)),
        key(inputs=(ONE._replace(intermediate_tensors=("a",)), ONE)),
        key(inputs=(ONE, ONE._replace(intermediate_tensors=("a",)))),
    ]
    assert len(set(variants)) == len(variants)


def test_the_version_that_is_shown_is_not_the_identity() -> None:
    assert key(replace(BUILTIN, version="9.9")) == key()


def test_googles_program_is_its_own_generation() -> None:
    assert key(GOOGLE, Options(generation="15.0")) == key(GOOGLE)


def test_it_is_the_same_in_every_release() -> None:
    """A change here means that every store in the world starts anew: raise SCHEMA on purpose, never by accident."""
    assert key() == "8822769a08c427037f59be3a3cb309a64659298b3d209f58640926230c76a5a2"


texts = st.text(st.characters(codec="utf-8"), max_size=6)
parts = st.lists(st.builds(Ingredient, texts, st.lists(texts, max_size=3).map(tuple)), max_size=4)


@given(parts, parts)
def test_different_ingredients_never_have_the_same_bytes(one: list[Ingredient], other: list[Ingredient]) -> None:
    assert (fingerprint(one) == fingerprint(other)) == (one == other)


def test_what_changed_is_told_by_tag() -> None:
    before = ingredients(BUILTIN, Options(), [ONE])
    after = ingredients(BUILTIN, Options(segments=3), [ONE, TWO])
    assert [(old.tag, old.text, new.text) for old, new in changed(before, after)] == [
        ("segments", "1", "3"),
        ("source 2", "", "2" * 64),
    ]

"""What a unit's bytes follow from, and nothing else, as one digest. Pure.

The digest is SHA-256 of the ingredients, each a tag and its parts, every one preceded by its length, so that no two
lists of ingredients have the same bytes::

    ingredient = tag count part ...        tag, part = length ":" bytes        count = number ":"

Names, paths, times, budgets and the environment are no ingredients: a renamed model is the same model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import fields
from functools import lru_cache
from typing import NamedTuple

from edgetpu_build.compiler.interface import Identity, Options

SCHEMA = 1
"""Raised whenever the same ingredients lead to other stored bytes or facts."""

DEFAULTS = Options()

ASSUMED = ("link", "clock", "reweight")
"""Options that came later and decide nothing while they have their defaults: no ingredients then."""

_ONLY = {"generation": "builtin", "restore_metadata": "google", "reweight": "google"}
"""Options that only one compiler looks at."""


class Ingredient(NamedTuple):
    """One fact that decides. ``tag`` is how people are told of it."""

    tag: str
    parts: tuple[str, ...]

    @property
    def text(self) -> str:
        return ", ".join(self.parts)


class Input(NamedTuple):
    """One source: SHA-256 of its bytes, and what is asked of it alone."""

    sha256: str
    intermediate_tensors: tuple[str, ...] = ()


def ingredients(identity: Identity, options: Options, inputs: Iterable[Input]) -> tuple[Ingredient, ...]:
    """In a fixed order; the order of the inputs counts."""
    return (*_settings(identity, options), *_inputs(inputs))


def fingerprint(parts: Iterable[Ingredient]) -> str:
    """64 hexadecimal digits."""
    return hashlib.sha256(b"".join(map(_encoded, parts))).hexdigest()


def changed(before: Iterable[Ingredient], after: Iterable[Ingredient]) -> tuple[tuple[Ingredient, Ingredient], ...]:
    """What differs, by tag; an ingredient that one side lacks has no parts there."""
    old, new = {i.tag: i for i in before}, {i.tag: i for i in after}
    pairs = ((old.get(tag, Ingredient(tag, ())), new.get(tag, Ingredient(tag, ()))) for tag in {**new, **old})
    return tuple((one, other) for one, other in pairs if one != other)


def tag_of(option: str) -> str:
    """`min_runtime_version` as people write it."""
    return option.replace("_", "-")


def matters(identity_name: str, option: str) -> bool:
    """Whether a compiler looks at an option: Google's program is its own generation, builtin drops no metadata."""
    return _ONLY.get(option, identity_name) == identity_name


@lru_cache(maxsize=64)  # thousands of models have the same
def _settings(identity: Identity, options: Options) -> tuple[Ingredient, ...]:
    return (
        Ingredient("schema", (str(SCHEMA),)),
        Ingredient("compiler", (identity.name,)),
        Ingredient("compiler identity", (identity.identity,)),
        *_options(identity, options),
    )


@lru_cache(maxsize=64)
def _encoded(ingredient: Ingredient) -> bytes:
    count = b"%d:" % len(ingredient.parts)
    return b"".join([_counted(ingredient.tag), count, *map(_counted, ingredient.parts)])


def _options(identity: Identity, options: Options) -> Iterator[Ingredient]:
    for field in fields(options):
        value = getattr(options, field.name)
        if matters(identity.name, field.name) and not (field.name in ASSUMED and value == field.default):
            yield Ingredient(tag_of(field.name), value if isinstance(value, tuple) else (str(value),))


def _inputs(inputs: Iterable[Input]) -> Iterator[Ingredient]:
    for position, source in enumerate(inputs, start=1):
        yield Ingredient(f"source {position}", (source.sha256,))
        if source.intermediate_tensors:
            yield Ingredient(f"intermediate-tensors {position}", source.intermediate_tensors)


def _counted(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return b"%d:%s" % (len(data), data)

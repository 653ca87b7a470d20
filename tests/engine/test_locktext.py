from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.engine import locktext

texts = st.text(st.characters(codec="utf-8"), max_size=12)
values = st.one_of(
    texts,
    st.integers(-(2**60), 2**60),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(texts, max_size=3),
    st.lists(st.integers(0, 99), max_size=4),
)
keys = st.sampled_from(["name", "size", "a-b", "c_d", "estimated"])
plain = st.dictionaries(keys, values, max_size=4)


@st.composite
def locks(draw: st.DrawFn) -> dict[str, Any]:
    def member() -> dict[str, Any]:
        found = draw(plain) | {"figures": draw(plain), "output": [draw(plain) for _ in range(draw(st.integers(1, 2)))]}
        if draw(st.booleans()):
            found["segment"] = [draw(plain) | {"figures": draw(plain)}]
        return found

    units = [draw(plain) | {"options": draw(plain), "member": [member()]} for _ in range(draw(st.integers(0, 2)))]
    return draw(plain) | ({"unit": units} if units else {})


@given(locks())
def test_what_is_written_is_toml_that_says_the_same(lock: dict[str, Any]) -> None:
    text = locktext.dumps(lock)
    assert locktext.slow(text) == lock
    assert locktext.quick(text) == lock
    assert locktext.dumps(locktext.loads(text)) == text


LINES = [
    "[[unit]]",
    "[unit.options]",
    "[[unit.member]]",
    "[unit.member.figures]",
    "[[unit.member.output]]",
    "[unit]",
    "[[unit.options]]",
    "[[other]]",
    'name = "a"',
    'name = "a',
    "name = 'a'",
    'name = "a\\n"',
    'name = "a" # said',
    "name='a'",
    "size = 01",
    "size = 1_0",
    "size = 0x10",
    "size = 1",
    "unit = 1",
    "unit.name = 1",
    "list = [1, 2]",
    "list = [1, [2]]",
    'list = ["a,b"]',
    'list = ["a, b"]',
    "list = [1, 2, ]",
    "list = [",
    "]",
    "options = 1",
    "x = true",
    "x = 1979-05-27",
    "x = 1.5",
    "x = -0.5e-7",
    "x = 1e+05",
    "x = -3",
    "x = -0",
    "x = 1.",
    "x = .5",
    "x = 01.5",
    "x = +1",
    "x = 1_0.5",
    "x = inf",
    "x = \u0661",
    "list = [1.5, -2]",
    'x = """',
    "# said",
    "",
    "  indented = 1",
    "<<<<<<< ours",
]


@given(st.lists(st.sampled_from(LINES), max_size=8))
def test_the_quick_reader_gives_up_rather_than_say_something_else(lines: list[str]) -> None:
    text = "\n".join(lines)
    found = locktext.quick(text)
    if found is not None:
        assert found == locktext.slow(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_as_we_write_it_needs_no_toml_reader(number: float) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(locktext, "slow", None)
        assert locktext.quick(f"x = {locktext.format_value(number)}\ny = [-7, 0]") == {"x": number, "y": [-7, 0]}


def test_what_a_person_made_of_it_is_read_too() -> None:
    assert locktext.loads("unit = [{name = 'a'}]") == {"unit": [{"name": "a"}]}


def test_what_is_no_toml_is_a_value_error() -> None:
    with pytest.raises(ValueError):
        locktext.loads("a = = 1")

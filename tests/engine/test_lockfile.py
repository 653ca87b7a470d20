from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgetpu_build.compiler.interface import Identity, Options
from edgetpu_build.engine import lockfile, locktext
from edgetpu_build.engine.lockfile import Lock, LockedMember, LockedSegment, LockedUnit, same_but_token
from edgetpu_build.engine.outcome import Output
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.figure import UNKNOWN, Figures, estimated, exact

names = st.text(st.characters(codec="utf-8", exclude_characters="/\\"), min_size=1, max_size=8).filter(
    lambda name: name not in (".", "..")
)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
outputs = st.builds(Output, path=names, sha256=digests, size=st.integers(0, 2**40), masked_sha256=digests | st.just(""))
numbers = st.integers(0, 2**40) | st.floats(0, 1e9)
figure = numbers.map(exact) | numbers.map(estimated) | st.just(UNKNOWN)
figures = st.builds(Figures, off_chip=figure, on_chip_used=figure, latency_ms=figure, cpu_operators=figure)
segments = st.lists(
    st.builds(
        LockedSegment, index=st.integers(0, 9), operators=st.lists(st.integers(0, 99)).map(tuple), figures=figures
    ),
    min_size=1,
    max_size=3,
)


@st.composite
def members(draw: st.DrawFn) -> LockedMember:
    pieces = draw(st.just(()) | segments.map(tuple))
    count = len(pieces) or 1
    return LockedMember(
        name=draw(names),
        source=draw(names),
        sha256=draw(digests),
        size=draw(st.integers(0, 2**40)),
        outputs=tuple(draw(st.lists(outputs, min_size=count, max_size=count))),
        figures=draw(figures),
        intermediate_tensors=tuple(draw(st.lists(names, max_size=2))),
        logs=tuple(draw(st.lists(outputs, max_size=1))),
        segments=pieces,
    )


units = st.builds(
    LockedUnit,
    name=names,
    kind=st.sampled_from(["model", "group", "segments"]),
    target=st.just("simulator"),
    compiler=st.builds(Identity, name=st.just("builtin"), version=names, identity=names, target=st.just("simulator")),
    fingerprint=digests,
    options=st.builds(
        Options,
        min_runtime_version=st.integers(10, 14),
        segments=st.integers(0, 9),
        cuts=st.lists(names, max_size=2).map(tuple),
        balance=st.sampled_from(["parameters", "latency"]),
        multiple_subgraphs=st.booleans(),
    ),
    members=st.lists(members(), min_size=1, max_size=2).map(tuple),
)
locks = st.lists(units, max_size=3).map(lambda found: Lock(units={unit.name: unit for unit in found}))


@settings(max_examples=40, deadline=None)
@given(locks)
def test_a_lock_survives_its_text(lock: Lock) -> None:
    text = lockfile.dumps(lock)
    assert lockfile.parse(text.encode()) == lock
    assert locktext.quick(text) == locktext.slow(text)


@settings(max_examples=25, deadline=None)
@given(st.lists(units, max_size=3, unique_by=lambda unit: unit.name))
def test_the_text_does_not_depend_on_the_order_of_the_units(found: list[LockedUnit]) -> None:
    forth = Lock(units={unit.name: unit for unit in found})
    back = Lock(units={unit.name: unit for unit in reversed(found)})
    assert lockfile.dumps(forth) == lockfile.dumps(back)


def unit(name: str = "a", **changes: object) -> LockedUnit:
    return LockedUnit(
        name=name,
        kind="model",
        target="simulator",
        compiler=Identity(name="builtin", version="1", identity="1", target="simulator"),
        fingerprint="f" * 64,
        options=Options(),
        members=(
            LockedMember(
                name=name,
                source=f"{name}.tflite",
                sha256="0" * 64,
                size=7,
                outputs=(Output(path=f"{name}_edgetpu.tflite", sha256=str(changes.get("sha256", "1" * 64)), size=9),),
                figures=Figures(),
            ),
        ),
    )


def parse(text: str) -> Lock:
    return lockfile.parse(text.encode())


def refused(text: str) -> tuple[str, int]:
    with pytest.raises(EdgeTpuBuildError) as caught:
        parse(text)
    (told,) = caught.value.diagnostics
    assert told.file == "edgetpu.lock"
    return told.code, told.line


def test_no_lock_is_none(tmp_path: Path) -> None:
    assert lockfile.read(tmp_path) is None


def test_writing_the_same_lock_leaves_the_file_alone(tmp_path: Path) -> None:
    assert lockfile.write(tmp_path, Lock(units={"a": unit()}))
    stamp = (tmp_path / "edgetpu.lock").stat()
    assert not lockfile.write(tmp_path, Lock(units={"a": unit()}))
    assert (tmp_path / "edgetpu.lock").stat() == stamp


def test_a_merge_conflict_has_its_own_message() -> None:
    text = lockfile.dumps(Lock(units={"a": unit()}))
    torn = text.replace('name = "a"', '<<<<<<< HEAD\nname = "a"\n=======\nname = "b"\n>>>>>>> topic', 1)
    assert refused(torn) == ("ETB504", text[: text.index('name = "a"')].count("\n") + 1)


def test_a_newer_lock_is_refused() -> None:
    assert refused("version = 2\n") == ("ETB503", 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no toml",
        "version = 0",
        'version = "1"',
        "version = 1\nunit = 3",
        'version = 1\n[[unit]]\nname = "a"',
        "version = 1\n[[unit]]\nname = 7",
    ],
)
def test_a_lock_that_makes_no_sense_is_told(text: str) -> None:
    assert refused(text)[0] == "ETB502"


@pytest.mark.parametrize(
    ("found", "other"),
    [
        ('path = "a_edgetpu.tflite"', 'path = "../a.tflite"'),
        ('path = "a_edgetpu.tflite"', 'path = "/etc/passwd"'),
        ('kind = "model"', 'kind = "mouse"'),
        ('compiler = "builtin"', 'compiler = "gcc"'),
        ("source-size = 7", 'source-size = "seven"'),
        ("min-runtime-version = 14", "min-runtime-version = 14\nspeed = 3"),
    ],
)
def test_an_edited_lock_cannot_mean_something_else(found: str, other: str) -> None:
    text = lockfile.dumps(Lock(units={"a": unit()}))
    assert found in text
    assert refused(text.replace(found, other))[0] == "ETB502"


def test_two_branches_that_add_different_models_merge_line_by_line() -> None:
    """Every value stands on a line of its own, every unit in a block of its own."""
    both = lockfile.dumps(Lock(units={"a": unit("a"), "b": unit("b")}))
    alone = lockfile.dumps(Lock(units={"a": unit("a")}))
    assert both.startswith(alone)


def test_updating_keeps_what_is_declared_and_drops_the_rest() -> None:
    old = Lock(units={"a": unit("a"), "b": unit("b"), "c": unit("c")})
    new = old.updated([unit("b", sha256="2" * 64), unit("d")], keep=["a", "b", "d"])
    assert sorted(new.units) == ["a", "b", "d"]
    assert new.units["b"].files[0].sha256 == "2" * 64


def test_only_tokens_may_differ() -> None:
    def with_digests(sha256: str, masked: str) -> LockedUnit:
        (member,) = unit().members
        output = Output(path="a_edgetpu.tflite", sha256=sha256, size=9, masked_sha256=masked)
        return LockedUnit(
            **{
                name: getattr(unit(), name) for name in ("name", "kind", "target", "compiler", "fingerprint", "options")
            },
            members=(
                LockedMember(
                    name="a", source="a.tflite", sha256=member.sha256, size=7, outputs=(output,), figures=Figures()
                ),
            ),
        )

    one = with_digests("1" * 64, "5" * 64)
    assert same_but_token(one, with_digests("2" * 64, "5" * 64))
    assert not same_but_token(one, with_digests("2" * 64, "6" * 64))
    assert not same_but_token(with_digests("1" * 64, ""), with_digests("2" * 64, ""))

"""The package, both ways: against Google's files, a walk with the flatbuffers library alone, and damage."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from flatbuffers import flexbuffers
from flatbuffers import number_types as types
from hypothesis import given, settings
from hypothesis import strategies as st

from edgetpu_build.compiler.package import (
    CUSTOM_OPERATORS,
    Executable,
    Layer,
    Package,
    decode,
    dimensions,
    encode,
    mask_token,
)
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.tflite.reader import read
from edgetpu_build.tflite.surgery import Part, delegate
from tests.support import corpus, models, mutants

text = st.text("abc/é:0", max_size=8)
layers = st.builds(
    Layer,
    name=text,
    shape=st.lists(st.integers(1, 500), min_size=1, max_size=4).map(tuple),
    size=st.integers(0, 1 << 30),
    data_type=st.sampled_from(["FIXED_POINT8", "SIGNED_FIXED_POINT8", "SIGNED_FIXED_POINT16"]),
    zero_point=st.integers(-128, 255),
    scale=st.floats(0, 10, width=32),
    executions=st.integers(1, 9),
)
executables = st.builds(
    Executable,
    type=st.sampled_from(["STAND_ALONE", "PARAMETER_CACHING", "EXECUTION_ONLY"]),
    parameters=st.binary(max_size=200),
    token=st.integers(0, (1 << 64) - 1),
    inputs=st.lists(layers, max_size=2).map(tuple),
    outputs=st.lists(layers, max_size=2).map(tuple),
    instructions=st.lists(st.binary(max_size=50), max_size=2).map(tuple),
    name=text,
    batch_size=st.integers(1, 4),
    scratch_size=st.integers(0, 1 << 20),
    narrow_memory=st.integers(0, 196608),
    estimated_cycles=st.integers(0, 1 << 40),
)
packages = st.builds(
    Package,
    min_runtime_version=st.integers(10, 14),
    executables=st.lists(executables, max_size=3).map(tuple),
    compiler_version=text,
    model_identifier=text,
)

SAMPLE = Package(
    min_runtime_version=14,
    compiler_version="test",
    executables=(
        Executable(
            type="EXECUTION_ONLY",
            name="model",
            token=0x1122334455667788,
            parameters=b"streamed" * 8,
            instructions=(b"do this",),
            narrow_memory=777,
            scratch_size=64,
            inputs=(Layer(name="in", shape=(1, 5, 6, 3), size=96, zero_point=128, scale=0.5),),
            outputs=(Layer(name="out", shape=(1, 10), size=16, data_type="SIGNED_FIXED_POINT8", scale=0.25),),
        ),
        Executable(type="PARAMETER_CACHING", token=0x1122334455667788, parameters=b"cached!!" * 100),
    ),
)


def compiled(package: Package, code: str = "edgetpu-custom-op") -> bytes:
    """A file whose only operator carries the package."""
    model = read(models.conv_net(2, 4, 8))
    operators = tuple(range(len(model.main.operators)))
    ends = {"inputs": model.main.inputs, "outputs": model.main.outputs}
    return delegate(model, [Part(operators=operators, custom_code=code, custom_options=encode(package), **ends)])


@settings(deadline=None)
@given(packages)
def test_what_is_encoded_is_decoded(package: Package) -> None:
    data = encode(package)
    assert decode(data) == package
    assert encode(package) == data


def table(raw: bytes, at: int = 0) -> flatbuffers.table.Table:
    return flatbuffers.table.Table(raw, at + flatbuffers.encode.Get(types.UOffsetTFlags.packer_type, raw, at))


def number(of: flatbuffers.table.Table, slot: int, flags: type) -> int | float:
    return of.Get(flags, of.Pos + of.Offset(4 + 2 * slot))


def vector(of: flatbuffers.table.Table, slot: int) -> bytes:
    offset = of.Offset(4 + 2 * slot)
    start = of.Vector(offset)
    return bytes(of.Bytes[start : start + of.VectorLen(offset)])


def test_a_reader_with_nothing_but_the_public_schema_finds_everything() -> None:
    """Slots as in libedgetpu's executable.fbs, read with the flatbuffers library."""
    options = encode(SAMPLE)
    start = options.index(b"DWN1") - 4
    package_bytes = options[start:]
    assert flatbuffers.util.BufferHasIdentifier(package_bytes, 0, b"DWN1")
    package = table(package_bytes)
    assert number(package, 0, types.Int32Flags) == 14
    assert vector(package, 4) == b"test"
    multi = table(vector(package, 1))
    offset = multi.Offset(4)
    assert multi.VectorLen(offset) == 2
    raw = [bytes(multi.String(multi.Vector(offset) + 4 * index)) for index in range(2)]
    main, caching = table(raw[0]), table(raw[1])
    assert (vector(main, 6), vector(caching, 6)) == (b"streamed" * 8, b"cached!!" * 100)
    assert [number(main, 13, types.Int16Flags), number(caching, 13, types.Int16Flags)] == [2, 1]
    assert number(main, 14, types.Uint64Flags) == number(caching, 14, types.Uint64Flags) == 0x1122334455667788
    assert number(main, 12, types.Int32Flags) == 777
    assert number(main, 4, types.Int32Flags) == 64
    assert number(main, 3, types.Int32Flags) == 1
    assert vector(main, 10) == b"beagle"
    layer = flatbuffers.table.Table(main.Bytes, main.Indirect(main.Vector(main.Offset(4 + 2 * 8))))
    assert vector(layer, 0) == b"in"
    assert [number(layer, slot, types.Int32Flags) for slot in (1, 2, 3, 4)] == [96, 5, 6, 3]
    numerics = flatbuffers.table.Table(layer.Bytes, layer.Indirect(layer.Pos + layer.Offset(4 + 2 * 5)))
    assert number(numerics, 0, types.Int32Flags) == 128
    assert number(numerics, 1, types.Float32Flags) == 0.5
    bitstream = flatbuffers.table.Table(main.Bytes, main.Indirect(main.Vector(main.Offset(4 + 2 * 5))))
    assert vector(bitstream, 0) == b"do this"


def test_parameters_are_aligned_in_the_package() -> None:
    options = encode(SAMPLE)
    start = options.index(b"DWN1") - 4
    assert (options.index(b"cached!!") - start) % 16 == 0
    assert (options.index(b"streamed") - start) % 16 == 0


def test_options_are_a_map_as_google_s_runtime_reads_it() -> None:
    found = flexbuffers.GetRoot(encode(SAMPLE)).AsMap
    assert (found["1"].AsInt, found["5"].AsInt) == (0, -1)
    assert found["4"].IsString


def test_the_package_alone_is_understood_as_well() -> None:
    options = encode(SAMPLE)
    assert decode(options[options.index(b"DWN1") - 4 :]) == SAMPLE


def test_sums_of_cached_and_streamed_bytes() -> None:
    assert (SAMPLE.cached_bytes, SAMPLE.streamed_bytes) == (800, 64)


@pytest.mark.parametrize("path", corpus.real("edgetpu.tflite"), ids=lambda path: path.stem)
def test_google_s_files_hold_what_is_known_of_them(path: Path) -> None:
    row = corpus.rows()[path.name]
    operators = read(path.read_bytes()).main.operators
    found = [decode(op.custom_options or b"") for op in operators if op.custom_code in CUSTOM_OPERATORS]
    assert {package.min_runtime_version for package in found} == {row["runtime"]}
    assert sum(package.cached_bytes for package in found) == (row["cached"] or 0)
    assert sum(package.streamed_bytes for package in found) == row["streamed"]
    assert all(executable.chip == "beagle" for package in found for executable in package.executables)
    assert [decode(encode(package)) for package in found] == found


@pytest.mark.parametrize("path", corpus.real("edgetpu.tflite"), ids=lambda path: path.stem)
def test_masking_google_s_files_changes_the_tokens_alone(path: Path) -> None:
    data = path.read_bytes()
    masked = mask_token(data)
    before, after = ([*map(decode, options(raw))] for raw in (data, masked))
    assert {e.token for package in after for e in package.executables} == {0}
    changed = np.count_nonzero(np.frombuffer(data, np.uint8) != np.frombuffer(masked, np.uint8))
    tokens = [e.token for package in before for e in package.executables]
    assert changed == sum(byte != 0 for token in tokens for byte in token.to_bytes(8, "little"))


def options(data: bytes) -> list[bytes]:
    return [bytes(op.custom_options or b"") for op in read(data).main.operators if op.custom_code in CUSTOM_OPERATORS]


@pytest.mark.parametrize("code", CUSTOM_OPERATORS)
def test_masking_makes_compiles_with_different_tokens_equal(code: str) -> None:
    def with_token(token: int) -> bytes:
        parts = tuple(
            Executable(type=e.type, parameters=e.parameters, token=token, inputs=e.inputs) for e in SAMPLE.executables
        )
        return compiled(Package(min_runtime_version=14, executables=parts), code)

    first, second = with_token(0x0102030405060708), with_token((1 << 64) - 1)
    assert first != second
    assert mask_token(first) == mask_token(second) == with_token(0)


def test_masking_leaves_other_models_alone() -> None:
    data = models.conv_net(zip_appended=True)
    assert mask_token(data) == data
    custom = compiled(SAMPLE, "somebody-s-op")
    assert mask_token(custom) == custom


@pytest.mark.parametrize("raw", [b"", b"x", b"no package", b"\0\0\0\0DWN1", b"\x08\0\0\0DWN1\0\0\0\0"])
def test_what_holds_no_package_is_refused(raw: bytes) -> None:
    with pytest.raises(EdgeTpuBuildError) as caught:
        decode(raw)
    assert caught.value.diagnostics[0].code == "ETB302"
    model = read(models.dense_net())
    ends = {"inputs": model.main.inputs, "outputs": model.main.outputs}
    file = delegate(model, [Part(operators=(0, 1), custom_code="edgetpu-custom-op", custom_options=raw, **ends)])
    with pytest.raises(EdgeTpuBuildError):
        mask_token(file)


def test_damaged_packages_are_refused_or_harmless() -> None:
    rng = random.Random(11)
    originals = [
        encode(SAMPLE),
        *(found for path in corpus.real("edgetpu.tflite")[::9] for found in options(path.read_bytes())),
    ]
    for _ in range(300):
        with contextlib.suppress(EdgeTpuBuildError):
            decode(mutants.scrambled(rng.choice(originals), rng))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((), (1, 1, 1)),
        ((10,), (1, 1, 10)),
        ((1, 10), (1, 1, 10)),
        ((128, 1), (1, 128, 1)),
        ((1, 5, 7), (1, 5, 7)),
        ((1, 4, 5, 7), (4, 5, 7)),
        ((1, 3, 4, 5, 7), (12, 5, 7)),
    ],
)
def test_dimensions(shape: tuple[int, ...], expected: tuple[int, int, int]) -> None:
    assert dimensions(shape) == expected

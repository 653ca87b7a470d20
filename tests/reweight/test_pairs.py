"""Against Google's compiler: of two models of one architecture, both compiled, the first's artifact must become the
second's. The files lie beside the repository; without them these tests are skipped.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from edgetpu_build.compiler.package import decode
from edgetpu_build.compiler.reweight import prove
from edgetpu_build.errors import EdgeTpuBuildError
from edgetpu_build.tflite.model import Model
from edgetpu_build.tflite.reader import read
from tests.support.corpus import CORPUS

PAIRS = CORPUS / "pairs"
PLACEMENT = 0xFFFF << 12 | 0x7FFF << 61 | 0xFFFF << 64  # where a chunk of parameters lies on the chip
pytestmark = pytest.mark.skipif(not PAIRS.exists(), reason="../shared/reference/corpus/pairs is not there")


def test_nine_of_ten_pairs_come_out_bit_for_bit_and_none_wrong() -> None:
    exact, refused = 0, []
    for old, compiled, new, wanted in pairs():
        try:
            made = read(prove(model(old), model(compiled), model(new)).data)
        except EdgeTpuBuildError as problem:
            refused.append(f"{compiled} to {new}: {problem}")
            continue
        assert differences(made, model(wanted)) == [], f"{compiled} to {new}"
        exact += 1
    assert exact >= 0.9 * (exact + len(refused)), refused


def test_a_whole_file_is_googles_but_for_its_token() -> None:
    rows = [row for row in index() if row["group"].startswith("libredgetpu_tracker")]
    for one, other in itertools.permutations(rows, 2):
        made = prove(model(one["original"]), model(one["compiled"]), model(other["original"])).data
        wanted = (PAIRS / other["compiled"]).read_bytes()
        assert len(made) == len(wanted)
        assert sum(a != b for a, b in zip(made, wanted, strict=True)) <= 16


@pytest.mark.slow
@pytest.mark.parametrize("group", ["bartvelp", "octogonapus", "libredgetpu_tracker", "s123600g"])
def test_changed_bytes_are_refused_or_not_touched(group: str) -> None:
    """2,000 tries a group: half anywhere, half among the bytes that are rewritten."""
    one, other = [row for row in index() if row["group"].startswith(group)][:2]
    old, new = model(one["original"]), model(other["original"])
    data, rng = (PAIRS / one["compiled"]).read_bytes(), random.Random(3)
    base = prove(old, read(data), new).data
    if len(base) != len(data):
        pytest.skip("laid out anew: bytes cannot be compared one by one")
    rewritten = [at for at in range(len(data)) if data[at] != base[at]]
    for number in range(2000):
        at = rng.choice(rewritten) if number % 2 else rng.randrange(len(data))
        damaged = bytearray(data)
        damaged[at] ^= rng.randrange(1, 256)
        try:
            made = prove(old, read(bytes(damaged)), new).data
        except EdgeTpuBuildError:
            continue
        expected = bytearray(base)
        assert data[at] == base[at], f"byte {at} is rewritten"
        expected[at] = damaged[at]
        assert made == expected, f"byte {at}"


def differences(made: Model, wanted: Model) -> list[str]:
    """What differs in parameters, instructions (placement aside) and quantisation."""
    found = []
    for mine, theirs in zip(packages(made), packages(wanted), strict=True):
        for one, other in zip(mine.executables, theirs.executables, strict=True):
            if bytes(one.parameters) != bytes(other.parameters):
                found.append(f"{one.type} parameters")
            if not same_words(b"".join(one.instructions), b"".join(other.instructions)):
                found.append(f"{one.type} instructions")
            for side in ("inputs", "outputs"):
                for a, b in zip(getattr(one, side), getattr(other, side), strict=True):
                    if (a.name, a.scale, a.zero_point) != (b.name, b.scale, b.zero_point):
                        found.append(f"{one.type} {side}")
    return found


def same_words(one: bytes, other: bytes) -> bool:
    if len(one) != len(other):
        return False
    for at in range(0, len(one), 16):
        a, b = (int.from_bytes(data[at : at + 16], "little") for data in (one, other))
        loads = a & 0xFFF == b & 0xFFF and a & 0xFFF in {0x400, 0x440, 0x500}
        if a != b and not (loads and (a ^ b) & ~PLACEMENT == 0):
            return False
    return True


def packages(compiled: Model) -> list:  # type: ignore[type-arg]
    operators = compiled.main.operators
    return [decode(o.custom_options or b"") for o in operators if o.custom_code == "edgetpu-custom-op"]


def pairs() -> Iterator[tuple[str, str, str, str]]:
    rows = sorted(index(), key=lambda row: row["group"])
    for _, group in itertools.groupby(rows, key=lambda row: row["group"]):
        for one, other in itertools.permutations(group, 2):
            yield one["original"], one["compiled"], other["original"], other["compiled"]


@cache
def index() -> list[dict[str, str]]:
    return [json.loads(line) for line in (PAIRS / "INDEX.jsonl").read_text().splitlines()]


@cache
def model(name: str) -> Model:
    return read(Path(PAIRS / name).read_bytes())

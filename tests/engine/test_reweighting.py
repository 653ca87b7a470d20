"""Units made from another training of their model: Google's compiler stands in, and its compiles are counted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from edgetpu_build.compiler.interface import MemberResult, Progress, Request, Result
from edgetpu_build.engine import lockfile
from edgetpu_build.engine.verify import verify
from edgetpu_build.figure import Figures, exact
from tests.reweight import nets
from tests.support import silicon
from tests.support.backend import StandIn
from tests.support.project import Yard, codes, states, unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Google(StandIn):
    """Writes what Google's compiler would, as far as numbers are concerned."""

    def compile(self, request: Request, *, timeout: float, progress: Progress) -> Result:
        with Path(self.log).open("a") as log:
            log.write(" ".join(source.label for source in request.sources) + "\n")
        figures = Figures(off_chip=exact(0), edgetpu_operators=exact(11), cpu_operators=exact(0))
        members = tuple(
            MemberResult(label=s.label, figures=figures, operators=(), artifact=silicon.compiled(s.data), log="")
            for s in request.sources
        )
        return Result(compiler=self.identify(), options=request.options, members=members)


def config(mode: str) -> str:
    return (
        f'[tool.edgetpu]\ncompiler = "google"\n[tool.edgetpu.models.net]\nsource = "net.tflite"\nreweight = "{mode}"\n'
    )


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """A model, compiled once."""
    root = tmp_path / "project"
    root.mkdir()
    made = Yard(root, Google(log=str(tmp_path / "compiles"), name="google"))
    made.config(config("auto"))
    made.write("net.tflite", nets.model(nets.facts()))
    assert states(made.build()) == {"net": "compiled"}
    assert len(made.compiles) == 1
    return made


def retrain(yard: Yard, seed: int = 1) -> bytes:
    data = nets.model(nets.retrained(nets.facts(), seed), seed)
    yard.write("net.tflite", data)
    return data


def test_a_retrained_model_is_not_compiled(yard: Yard) -> None:
    before = lockfile.parse(yard.read("edgetpu.lock")).units["net"].files[0].sha256
    data = retrain(yard)
    outcome = yard.build()
    assert (states(outcome), len(yard.compiles)) == ({"net": "compiled"}, 1)
    assert f"reweighted from {before[:12]}" in unit(outcome, "net").why
    locked = lockfile.parse(yard.read("edgetpu.lock")).units["net"]
    assert locked.reweighted_from == before
    assert b"reweighted-from" in yard.read("edgetpu.lock")
    made, want = yard.read("net_edgetpu.tflite"), silicon.compiled(data)
    assert len(made) == len(want)
    assert sum(a != b for a, b in zip(made, want, strict=True)) <= 16
    assert states(yard.build()) == {"net": "fresh"}
    assert yard.check().exit_code == 0


def test_what_cannot_be_proven_is_compiled_and_told(yard: Yard) -> None:
    flat = nets.facts()
    flat["tensors"][flat["ops"][0]["inputs"][2]] |= {"values": [0] * 16}
    yard.write("net.tflite", nets.model(flat))
    outcome = yard.build()
    assert len(yard.compiles) == 2
    assert any("not reweighted" in d.message for d in unit(outcome, "net").diagnostics)
    assert lockfile.parse(yard.read("edgetpu.lock")).units["net"].reweighted_from == ""


def test_only_never_compiles(yard: Yard) -> None:
    yard.config(config("only"))
    retrain(yard)
    assert (states(yard.build()), len(yard.compiles)) == ({"net": "compiled"}, 1)
    flat = nets.facts()
    flat["tensors"][flat["ops"][0]["inputs"][2]] |= {"values": [0] * 16}
    yard.write("net.tflite", nets.model(flat))
    outcome = yard.build()
    assert (outcome.exit_code, codes(outcome), len(yard.compiles)) == (3, ["ETB323"], 1)


def test_off_compiles(yard: Yard) -> None:
    yard.config(config("off"))
    retrain(yard)
    yard.build()
    assert len(yard.compiles) == 2


def test_a_reweighted_unit_is_never_the_base_of_another(yard: Yard) -> None:
    first = lockfile.parse(yard.read("edgetpu.lock")).units["net"].files[0].sha256
    for seed in (1, 2):
        retrain(yard, seed)
        yard.build()
        assert lockfile.parse(yard.read("edgetpu.lock")).units["net"].reweighted_from == first
    assert len(yard.compiles) == 1


def test_verify_compares_with_a_compile_and_force_replaces(yard: Yard) -> None:
    retrain(yard)
    yard.build()
    outcome = verify(yard.project(), recompile=1)
    assert (outcome.exit_code, len(yard.compiles)) == (0, 2)
    yard.build(force=True)
    assert len(yard.compiles) == 3
    assert lockfile.parse(yard.read("edgetpu.lock")).units["net"].reweighted_from == ""


def test_members_of_a_group_cannot_ask_for_it(yard: Yard) -> None:
    text = yard.read("pyproject.toml").decode()
    yard.write("b.tflite", nets.model(nets.facts(), 2))
    yard.config(text + '[tool.edgetpu.models.b]\nsource = "b.tflite"\n[tool.edgetpu.groups.g]\nmodels = ["net", "b"]\n')
    with pytest.raises(Exception, match="reweight"):
        yard.build()

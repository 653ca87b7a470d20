from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edgetpu_build.compiler.interface import OperatorResult, Options
from edgetpu_build.config.model import Budget
from edgetpu_build.engine.budget import judge, nothing_mapped, wants_baseline
from edgetpu_build.engine.outcome import MemberOutcome, Output, SegmentOutcome
from edgetpu_build.engine.plan import Member, Unit
from edgetpu_build.errors import Diagnostic
from edgetpu_build.figure import Figures, estimated, exact

FIGURES = Figures(
    off_chip=exact(2048),
    on_chip_used=exact(4096),
    cpu_operators=exact(3),
    edgetpu_operators=exact(5),
    subgraphs=exact(2),
    latency_ms=exact(8.0),
)


def output(size: int = 100) -> Output:
    return Output(path="o", sha256="0" * 64, size=size)


def member(name: str = "a", figures: Figures = FIGURES, **more: Any) -> MemberOutcome:
    return MemberOutcome(**{"name": name, "source": "s", "outputs": (output(),), "figures": figures} | more)


def unit(*budgets: Budget, kind: Any = "model", budget: Budget | None = None) -> Unit:
    members = tuple(
        Member(name=name, source="s", outputs=("o",), budget=own, line=7)
        for name, own in zip("abc", budgets, strict=False)
    )
    return Unit(name="u", kind=kind, members=members, options=Options(), budget=budget or Budget(), line=5)


def judged(budget: Budget, *members: MemberOutcome, **options: Any) -> tuple[Diagnostic, ...]:
    return judge(unit(budget), members or (member(),), **options)


KEPT = {
    "off_chip": 2048,
    "on_chip": 4096,
    "cpu_operators": 3,
    "min_edgetpu_operators": 5,
    "subgraphs": 2,
    "artifact_size": 100,
    "latency": 0.008,
}


@pytest.mark.parametrize("field", KEPT)
def test_a_bound_that_is_just_kept_says_nothing(field: str) -> None:
    assert judged(Budget(**{field: KEPT[field]})) == ()  # type: ignore[arg-type]


@pytest.mark.parametrize("field", KEPT)
def test_one_that_is_just_broken_fails_with_a_way_out(field: str) -> None:
    step = 1 if field == "min_edgetpu_operators" else -1e-9 if field == "latency" else -1
    (told,) = judged(Budget(**{field: KEPT[field] + step}))  # type: ignore[arg-type]
    assert (told.code, told.severity, told.exit_code) == ("ETB101", "error", 1)
    assert told.hint
    assert told.unit == "u"


def test_the_message_has_both_figures_and_the_line_of_the_key() -> None:
    (told,) = judged(Budget(off_chip=1024, lines={"off-chip": 12}))
    assert told.message == ("`a` streams 2.00KiB of parameters from off-chip memory per inference, budget 1.00KiB")
    assert (told.file, told.line, told.key) == ("pyproject.toml", 12, "budget.off-chip")


def test_without_a_line_the_table_is_named() -> None:
    assert judged(Budget(off_chip=0))[0].line == 7


class TestGuesses:
    GUESS = replace(FIGURES, off_chip=estimated(2048))

    def test_it_decides_and_says_so(self) -> None:
        (kept,) = judged(Budget(off_chip=4096), member(figures=self.GUESS))
        assert (kept.code, kept.severity) == ("ETB102", "note")
        (broken,) = judged(Budget(off_chip=1), member(figures=self.GUESS))
        assert (broken.code, broken.severity) == ("ETB101", "error")
        assert "(estimated)" in broken.message

    def test_strictly_it_fails_even_when_kept(self) -> None:
        (told,) = judged(Budget(off_chip=4096, strict_figures=True), member(figures=self.GUESS))
        assert (told.code, told.severity, told.exit_code) == ("ETB102", "error", 1)

    def test_an_unknown_figure_breaks_nothing_but_is_told(self) -> None:
        (told,) = judged(Budget(latency=1.0), member(figures=Figures()))
        assert (told.code, told.severity) == ("ETB102", "note")
        (told,) = judged(Budget(latency=1.0, strict_figures=True), member(figures=Figures()))
        assert (told.code, told.severity) == ("ETB102", "error")


class TestSegments:
    def segmented(self) -> MemberOutcome:
        pieces = tuple(
            SegmentOutcome(
                index=i,
                outputs=(output(size),),
                operators=(),
                figures=replace(FIGURES, off_chip=exact(off), latency_ms=exact(ms), cpu_operators=exact(1)),
            )
            for i, (size, off, ms) in enumerate([(100, 0, 3.0), (200, 900, 9.0)])
        )
        total = replace(FIGURES, off_chip=exact(900), cpu_operators=exact(2))
        return member(figures=total, segments=pieces, outputs=(output(100), output(200)))

    @pytest.mark.parametrize("budget", [{"off_chip": 800}, {"artifact_size": 150}, {"latency": 0.005}])
    def test_memory_size_and_time_are_judged_each(self, budget: dict[str, Any]) -> None:
        (told,) = judged(Budget(**budget), self.segmented())
        assert told.message.startswith("segment 1 of `a` ")

    def test_a_file_of_each_is_not_added_up(self) -> None:
        assert judged(Budget(artifact_size=200), self.segmented()) == ()

    def test_operators_are_counted_together(self) -> None:
        (told,) = judged(Budget(cpu_operators=1), self.segmented())
        assert told.message.startswith("`a` leaves 2 operators")


class TestGroups:
    def test_the_groups_own_applies_to_the_sum(self) -> None:
        group = unit(Budget(off_chip=2048), Budget(), kind="group", budget=Budget(off_chip=4095, artifact_size=200))
        (told,) = judge(group, (member("a"), member("b")))
        assert told.message.startswith("group `u` streams 4.00KiB")
        assert told.line == 5

    def test_members_keep_theirs_too(self) -> None:
        group = unit(Budget(), Budget(off_chip=1), kind="group")
        (told,) = judge(group, (member("a"), member("b")))
        assert told.message.startswith("`b` streams")


class TestGrowth:
    def test_it_is_measured_against_the_baseline(self) -> None:
        before = {"a": replace(FIGURES, off_chip=exact(1000))}
        assert judged(Budget(growth=1048), baseline=before) == ()
        (told,) = judged(Budget(growth=1047), baseline=before)
        assert (told.code, told.key) == ("ETB101", "budget.growth")

    def test_less_is_no_growth(self) -> None:
        assert judged(Budget(growth=0), baseline={"a": replace(FIGURES, off_chip=exact(9999))}) == ()

    def test_a_new_model_has_not_grown(self) -> None:
        assert judged(Budget(growth=0), baseline={"z": FIGURES}) == ()
        assert judged(Budget(growth=0)) == ()

    def test_between_guesses_it_is_a_guess(self) -> None:
        before = {"a": replace(FIGURES, off_chip=estimated(2000))}
        (told,) = judged(Budget(growth=100), baseline=before)
        assert (told.code, told.severity) == ("ETB102", "note")

    def test_only_then_a_baseline_is_wanted(self) -> None:
        assert wants_baseline([unit(Budget(growth=0))])
        assert wants_baseline([unit(Budget(), Budget(), kind="group", budget=Budget(growth=0))])
        assert not wants_baseline([unit(Budget(off_chip=0))])


class TestNothingMapped:
    NONE = replace(FIGURES, edgetpu_operators=exact(0))

    def test_it_fails_with_the_first_reason(self) -> None:
        operators = (
            OperatorResult(index=4, name="CONV_2D", target="cpu", rule="R", reason="it is float", hint="quantise it"),
        )
        (told,) = nothing_mapped(unit(Budget()), (member(figures=self.NONE, operators=operators),))
        assert (told.code, told.exit_code, told.hint, told.rule) == ("ETB308", 3, "quantise it", "R")
        assert told.message.endswith("operator 4 (CONV_2D): it is float")

    def test_also_where_no_reason_is_known(self) -> None:
        (told,) = nothing_mapped(unit(Budget()), (member(figures=self.NONE),))
        assert "min = 0" in told.hint

    def test_a_budget_of_none_allows_it(self) -> None:
        assert nothing_mapped(unit(Budget(min_edgetpu_operators=0)), (member(figures=self.NONE),)) == ()
        assert nothing_mapped(unit(Budget()), (member(),)) == ()

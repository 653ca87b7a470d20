from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.engine.outcome import Outcome, UnitOutcome
from edgetpu_build.figure import exact
from edgetpu_build.report import human
from edgetpu_build.report.style import Style, width
from tests.support import outcomes

ASCII = Style(unicode=False)

WHOLE = """\
model         state         on-chip   off-chip  on CPU  segments    time
detector      ✓ compiled   3.40 MiB  390.6 KiB       1         1  812 ms  █████▒░░░░░░
backbone      ✓ cached    24.40 MiB        0 B       0         4    3 ms
  segment 0                6.10 MiB        0 B       0                    ██████████░░
  segment 1                6.10 MiB        0 B       0                    ██████████░░
  segment 2                6.10 MiB        0 B       0                    ██████████░░
  segment 3                6.10 MiB        0 B       0                    ██████████░░
front-door    · fresh     ~5.00 MiB  ~1.00 MiB       2         1          ████████▒▒░░
  门口                    ~3.00 MiB       ~0 B       0                    █████░░░░░░░
  classifier              ~2.00 MiB  ~1.00 MiB       2                    ███▒▒░░░░░░░
broken        ✗ failed                                         1   10 ms
~ estimated  █ on-chip  ▒ streamed  ░ free

detector: off-chip 0 B → 390.6 KiB (worse), CPU operators 0 → 1 (worse)

detector: 1 operator on the CPU, first 1 SOFTMAX (rule `softmax-length`): 20000 elements in a row, at most 16384

4 units: 1 compiled, 1 cached, 1 fresh, 1 failed, 2 errors in 4.2 s; wrote `edgetpu.lock`"""


def test_a_build_as_a_person_sees_it():
    assert human.render(outcomes.build()) == WHOLE


def test_without_unicode_the_same_facts_stand_in_ascii():
    plain = human.render(Outcome(command="build", units=(outcomes.detector(),)), ASCII)
    assert plain.isascii()
    assert "+ compiled" in plain
    assert "0 B -> 390.6 KiB (worse)" in plain


def test_colour_adds_nothing_but_colour():
    coloured = human.render(outcomes.build(), Style(color=True))
    assert coloured != WHOLE
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == WHOLE


@pytest.mark.parametrize("columns", [44, 60, 72, 80, 100, 200])
def test_tables_keep_within_the_terminal(columns):
    lines = human.render(outcomes.build(), Style(width=columns)).split("\n\n")[0].splitlines()
    assert max(map(width, lines)) <= columns
    assert all(title in lines[0] for title in ("model", "state", "on-chip", "off-chip"))


def test_explain_puts_the_recorded_sentence_below_each_unit():
    lines = human.render(outcomes.build(), explain=True).splitlines()
    assert (
        lines[lines.index(next(line for line in lines if line.startswith("detector"))) + 1] == "    its source changed"
    )
    assert "    found in the store" in lines


def test_nothing_to_do_takes_one_line():
    assert human.render(outcomes.fresh(3)) == "3 units up to date"
    assert human.render(outcomes.fresh(1)) == "1 unit up to date"


def test_nothing_to_do_is_shown_in_full_on_request():
    assert "model-2" in human.render(outcomes.fresh(3), verbose=True)


def test_a_long_table_leaves_out_what_is_fresh():
    many = outcomes.fresh(100)
    text = human.render(Outcome(command="build", units=(*many.units, outcomes.detector())))
    assert "detector" in text
    assert "model-7" not in text
    assert text.endswith("101 units: 1 compiled, 100 fresh")


def test_a_units_name_cannot_move_the_cursor():
    text = human.render(Outcome(command="build", units=(outcomes.detector(name="a\x1b[2Jb\nc"),)))
    assert "a\\x1b[2Jb\\nc" in text
    assert "\x1b" not in text


def test_removed_files_are_named():
    outcome = Outcome(command="build", units=(outcomes.detector(),), removed=("old_edgetpu.tflite",))
    assert human.summary(outcome) == "1 unit: 1 compiled; removed `old_edgetpu.tflite`"


def test_a_failed_unit_claims_no_figures():
    text = human.render(Outcome(command="build", units=(outcomes.broken(),)))
    assert "?" not in text
    assert "✗ failed" in text


@given(on=st.integers(0, 20 << 20), off=st.integers(0, 200 << 20), room=st.integers(0, 8 << 20), unicode=st.booleans())
def test_bars_have_one_width_and_show_every_part(on, off, room, unicode):
    figures = outcomes.figures(on, off)
    bar = human._bar(replace(figures, on_chip_available=exact(room)), Style(unicode=unicode))
    cached, streamed = ("█", "▒") if unicode else ("#", "%")
    if not bar:
        assert not room or on > room
        return
    assert width(bar) == 12
    assert (cached in bar) == bool(on)
    assert (streamed in bar) == bool(off)


@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=5), st.integers(30, 120))
def test_any_names_make_aligned_rows(names, columns):
    units = tuple(UnitOutcome(name=n, kind="model", state="stale", why="") for n in names)
    lines = human.table(list(human.rows.of(units)), Style(width=columns)).splitlines()
    marks = {width(line[: line.index("! stale")]) for line in lines[1:] if line.count("! stale") == 1}
    assert len(marks) <= 1

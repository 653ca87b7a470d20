from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.errors import Diagnostic, warning
from edgetpu_build.report import github
from tests.support.outcomes import BUDGET


def test_an_annotation_stands_on_the_line_that_decides():
    properties, message = github.annotate([BUDGET])[0].removeprefix("::error ").split("::")
    assert properties == "file=pyproject.toml,line=14,title=edgetpu-build ETB101"
    assert message == (
        "detector: `off-chip` is 390.6 KiB, the budget allows 64.0 KiB%0A"
        "hint: raise `off-chip`, or split the model with `segments = 2`"
    )


def test_paths_are_relative_to_the_repository():
    (line,) = github.annotate([BUDGET], "packages/doorbell")
    assert "file=packages/doorbell/pyproject.toml,line=14," in line


def test_warnings_and_notes_have_commands_of_their_own():
    lines = github.annotate([warning("ETB107", "w"), replace(BUDGET, severity="note"), BUDGET])
    assert [line.split()[0] for line in lines] == ["::error", "::warning", "::notice"]


def test_ten_are_shown_and_of_more_the_rest_is_summed_up():
    many = [replace(BUDGET, line=i) for i in range(1, 14)]
    assert len(github.annotate(many[:10])) == 10
    lines = github.annotate(many)
    assert len(lines) == 10
    assert lines[-1] == "::error title=edgetpu-build::and 4 more errors; the log has them all"


def test_each_kind_has_ten():
    errors = [replace(BUDGET, line=i) for i in range(1, 30)]
    lines = github.annotate([*errors, *(replace(d, severity="warning") for d in errors)])
    assert [sum(line.startswith(kind) for line in lines) for kind in ("::error", "::warning")] == [10, 10]


def test_the_same_thing_is_said_once():
    assert len(github.annotate([BUDGET, BUDGET])) == 1


@given(st.text(), st.text(), st.text())
def test_whatever_a_message_holds_it_stays_one_command(message, file, hint):
    (line,) = github.annotate([Diagnostic(code="ETB211", message=message, file=file, hint=hint, line=1)])
    assert "\n" not in line
    assert "\r" not in line
    head, _, body = line[2:].partition("::")
    assert head.count(":") == 0
    assert body.replace("%25", "").replace("%0D", "").replace("%0A", "").count("%") == 0
    assert head.count(",") == (2 if file else 1)


def test_a_summary_is_cut_to_what_github_takes():
    assert github.clipped("short") == "short"
    assert len(github.clipped("ä" * (1 << 20)).encode()) <= 1 << 20

from __future__ import annotations

from edgetpu_build.engine.diff import Diff, MemberDiff
from edgetpu_build.report import difference
from edgetpu_build.report.style import Style
from tests.support.outcomes import MIB, figures

DIFF = Diff(
    rev="main",
    members=(
        MemberDiff(name="a", unit="a", before=figures(MIB, 0), after=figures(MIB, 65536), changed=True),
        MemberDiff(name="b", unit="b", before=None, after=figures(0, 0), changed=True),
        MemberDiff(name="c", unit="c", before=figures(0, 2048), after=None, changed=True),
        MemberDiff(name="d", unit="d", before=figures(), after=figures(), changed=True),
    ),
)
TEXT = """\
model  figure    before       now  difference
a      off-chip     0 B  64.0 KiB   +64.0 KiB
b      off-chip               0 B         new
c      off-chip  2.0 KiB              removed
d      content                        changed"""
MARKDOWN = """\
| model | figure | before | now | difference |
| --- | --- | --: | --: | --: |
| a | off-chip | 0 B | 64.0 KiB | **+64.0 KiB** |
| b | off-chip |  | 0 B | new |
| c | off-chip | 2.0 KiB |  | removed |
| d | content |  |  | changed |"""


def test_at_a_terminal():
    assert [line.split() for line in difference.human(DIFF).splitlines()] == [
        line.split() for line in TEXT.splitlines()
    ]
    assert len({len(line) for line in difference.human(DIFF).splitlines()}) == 1


def test_in_a_pull_request():
    assert difference.markdown(DIFF) == MARKDOWN


def test_nothing_changed():
    assert difference.human(Diff(rev="HEAD")) == "nothing changed since `HEAD`"
    assert difference.markdown(Diff(rev="HEAD")) == "No figure changed since `HEAD`."


def test_worse_is_red():
    assert "\x1b[31ma" in difference.human(DIFF, Style(color=True))


def test_for_a_program():
    data = difference.to_json(DIFF)
    assert data["rev"] == "main"
    assert [m["name"] for m in data["members"]] == ["a", "b", "c", "d"]
    assert data["members"][1]["before"] is None
    assert data["members"][0]["after"]["off_chip"] == {"value": 65536, "confidence": "exact"}

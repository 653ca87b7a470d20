from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from edgetpu_build.compiler.interface import LayerResult
from edgetpu_build.engine.why import Cause, LayerMove
from edgetpu_build.report import markdown
from tests.support import outcomes

SUMMARY = """\
### edgetpu-build build

4 units: 1 compiled, 1 cached, 1 fresh, 1 failed, 2 errors in 4.2 s; wrote `edgetpu.lock`

| model | state | on-chip | off-chip | on CPU | segments | time |
| --- | --- | --: | --: | --: | --: | --: |
| detector | compiled | 3.40 MiB | 390.6 KiB | 1 | 1 | 812 ms |
| backbone | cached | 24.40 MiB | 0 B | 0 | 4 | 3 ms |
| ↳ segment 0 |  | 6.10 MiB | 0 B | 0 |  |  |
| ↳ segment 1 |  | 6.10 MiB | 0 B | 0 |  |  |
| ↳ segment 2 |  | 6.10 MiB | 0 B | 0 |  |  |
| ↳ segment 3 |  | 6.10 MiB | 0 B | 0 |  |  |
| front-door | fresh | ~5.00 MiB | ~1.00 MiB | 2 | 1 |  |
| ↳ 门口 |  | ~3.00 MiB | ~0 B | 0 |  |  |
| ↳ classifier |  | ~2.00 MiB | ~1.00 MiB | 2 |  |  |
| broken | failed |  |  |  | 1 | 10 ms |

| model | figure | before | now | difference | why |
| --- | --- | --: | --: | --: | --- |
| detector | off-chip | 0 B | 390.6 KiB | **+390.6 KiB** | its source changed |
| detector | CPU operators | 0 | 1 | **+1** | as above |

- **error**: pyproject.toml:14: detector: \\`off-chip\\` is 390.6 KiB, the budget allows 64.0 KiB (ETB101)
- **error**: broken: \\`models/b.tflite\\` is a Git LFS pointer (ETB303)
"""


def test_a_jobs_summary():
    assert markdown.summary(outcomes.build()) == SUMMARY


def test_nothing_to_do_needs_no_table_of_changes():
    assert "difference" not in markdown.summary(outcomes.fresh(2))


def test_a_cause_that_is_known_goes_before_why_it_was_built():
    layer = LayerResult(index=3, name="CONV_2D", bytes=400_000, placement="cached", reason="")
    gone = replace(layer, placement="streamed", reason="it does not fit")
    cause = Cause(layers=(LayerMove(before=layer, after=gone),), seen=True)
    assert "| 1 layer streams now (390.6 KiB: 3 CONV_2D): it does not fit |" in markdown.summary(
        outcomes.build(), {"detector": cause}
    )


@given(st.text())
def test_no_cell_ends_its_row(text):
    cell = markdown.cell(text)
    assert "\n" not in cell
    assert "<" not in cell
    assert cell.replace("\\\\", "").replace("\\|", "").count("|") == 0

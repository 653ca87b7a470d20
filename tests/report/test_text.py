from __future__ import annotations

import pytest

from edgetpu_build.figure import UNKNOWN, estimated, exact
from edgetpu_build.report import text


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (65536, "64.0 KiB"), (6815744, "6.50 MiB"), (-2048, "-2.0 KiB")],
)
def test_sizes(amount, shown):
    assert text.size(amount) == shown


def test_how_sure_a_figure_is_can_be_seen():
    assert text.figure(exact(3)) == "3"
    assert text.figure(estimated(3)) == "~3"
    assert text.figure(UNKNOWN) == "?"
    assert text.figure(exact(0), text.size) == "0 B"


@pytest.mark.parametrize(("amount", "shown"), [(2, "+2"), (-2, "-2"), (0, "0")])
def test_differences_carry_their_sign(amount, shown):
    assert text.signed(amount) == shown


def test_plurals():
    assert [text.plural(n, "unit") for n in (0, 1, 2)] == ["0 units", "1 unit", "2 units"]

"""The shortest report: nothing to do. Apart from the others, so that the commonest answer loads none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgetpu_build import noop

if TYPE_CHECKING:
    from edgetpu_build.engine.outcome import Outcome


def nothing_to_do(outcome: Outcome) -> str:
    """The line of the quick answer (``noop``) if every unit was fresh and nothing else is to be told, else ""."""
    told = outcome.all_diagnostics or outcome.written or outcome.removed or outcome.lock_changed
    if told or not outcome.units or any(unit.state != "fresh" for unit in outcome.units):
        return ""
    return noop.summary(len(outcome.units))

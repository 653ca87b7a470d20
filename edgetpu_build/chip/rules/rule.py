"""What a rule is, and the words of Google's compiler that each leads to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from edgetpu_build.chip.case import Case
from edgetpu_build.tflite.model import Tensor

MAPPED = "Mapped to Edge TPU"
ONE_SUBGRAPH = "More than one subgraph is not supported"
DATA_TYPE = "Operation is working on an unsupported data type"
LIMIT = "Operation is otherwise supported, but not mapped due to some unspecified limitation"
UNSUPPORTED = "Operation not supported"
VERSION = "Operation version not supported"
RANK = "Tensor has unsupported rank (up to 3 innermost dimensions mapped)"
NOT_CONSTANT = "Filter, bias, or other param is not constant at compile-time"
TWO_DIMENSIONAL = "For example, a fully-connected or softmax layer with 2D output"
UNIT_STRIDES = "Only Strided-Slice with unitary strides supported"

Evidence = Literal["measured", "fitted", "documented"]
EVIDENCE: dict[Evidence, str] = {
    "measured": "seen in public compiles, none against it",
    "fitted": "the form follows from few models; the number is a guess between two that were seen",
    "documented": "from Google's documentation alone; nobody was seen to break it",
}
DOUBTS: dict[Evidence, str] = {
    "measured": "",
    "fitted": " (a limit fitted on few models)",
    "documented": " (documented, never seen refused)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """What was found instead, and what to do about it. ``tensor`` is the name of the one at fault, "" if none is."""

    observed: str
    tensor: str = ""
    hint: str = ""


Test = Callable[[Case], Broken | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """``must`` is the sentence that has to hold; ``known`` says where that is known from.

    ``kinds``: the operators that it is about, all if empty. ``test``: None for a rule about the graph, which placement
    applies.
    """

    id: str
    status: str
    must: str
    known: str
    evidence: Evidence
    test: Test | None = None
    kinds: tuple[str, ...] = ()

    def finding(self, case: Case) -> Finding | None:
        """None where the operator keeps the rule."""
        if self.test is None or (self.kinds and case.kind not in self.kinds):
            return None
        found = self.test(case)
        if found is None:
            return None
        reason = f"{found.observed}, but {self.must}{DOUBTS[self.evidence]}"
        return Finding(rule=self.id, status=self.status, reason=reason, hint=found.hint, tensor=found.tensor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A broken rule of one operator, ready to be shown."""

    rule: str
    status: str
    reason: str
    hint: str
    tensor: str


def rule(name: str, status: str, evidence: Evidence, *kinds: str) -> Callable[[Test], Rule]:
    """Makes a rule of its test: the docstring's first sentence must hold, what follows "Known:" tells the source.

    Both are formatted from the constants of the test's module.
    """

    def make(test: Test) -> Rule:
        text = " ".join((test.__doc__ or name).format_map(test.__globals__).split())
        must, _, known = text.partition(" Known: ")
        return Rule(id=name, status=status, must=must, known=known, evidence=evidence, test=test, kinds=kinds)

    return make


def about(tensor: Tensor, found: str, hint: str) -> Broken:
    """A finding about a tensor, by its name."""
    return Broken(observed=f"`{tensor.name}` {found}", tensor=tensor.name, hint=hint)

"""Which operator a word belongs to: by its constants, then by the order in which operators run.

Many words of different operators hold the same constants. That does no harm where the new ones are the same too.
Where they are not, the order decides: convolutions run in the order of their parameters, the words of one follow each
other, and what stands ``STRIDE`` words behind a word belongs to the same operator (no exception in the public
artifacts whose words are all told apart by value). Where several operators are still possible, nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgetpu_build.compiler.reweight.blobs import refused
from edgetpu_build.compiler.reweight.constants import MOVE, Role
from edgetpu_build.compiler.reweight.graphs import Graph
from edgetpu_build.compiler.reweight.stream import Constants, Requantisation

STRIDE = 17
Candidate = tuple[int, int]  # operator, position among its roles
Entry = tuple[Requantisation, tuple[Candidate, ...]]


@dataclass(frozen=True, slots=True)
class Word:
    """A requantisation, the operators that it may belong to, and its new constants."""

    found: Requantisation
    candidates: tuple[Candidate, ...]
    new: Constants


class Roles:
    """The roles of all operators with the old numbers, and with the new ones."""

    def __init__(
        self, old: Graph, new: Graph, before: dict[int, tuple[Role, ...]], after: dict[int, tuple[Role, ...]]
    ) -> None:
        self.old, self.new, self.before, self.after = old, new, before, after
        self._by_constants: dict[Constants, list[Candidate]] = {}
        for operator, roles in before.items():
            if [_form(role) for role in roles] != [_form(role) for role in after[operator]]:
                raise refused(f"{old.name(operator)} leaves other words with the new numbers")
            for position, role in enumerate(roles):
                self._by_constants.setdefault(role.constants, []).append((operator, position))

    def candidates(self, found: Requantisation) -> tuple[Candidate, ...]:
        """The roles that explain a word."""
        known = self._by_constants.get(found.constants, ())
        return tuple(c for c in known if self.before[c[0]][c[1]].fits(found))

    def role(self, candidate: Candidate) -> Role:
        return self.before[candidate[0]][candidate[1]]

    def constants(self, candidate: Candidate) -> Constants:
        """What the candidate's word becomes."""
        return self.after[candidate[0]][candidate[1]].constants


def words(
    streams: Sequence[Sequence[Requantisation]],
    roles: Roles,
    schedule: Sequence[int],
    hints: Sequence[Mapping[int, tuple[Candidate, ...]]] = (),
) -> list[list[Word]]:
    """Every word of every executable with its new constants; ETB323 for one that nothing explains, or that two
    operators claim.

    ``schedule``: the convolutions in the order in which they run; empty if that is not known. ``hints``: whose words
    these are, where that is known (on the way back): they must explain them too.
    """
    named = [_explained(found, roles) for found in streams]
    _require([entry for entries in named for entry in entries], roles)
    if hints:
        named = [_hinted(entries, known) for entries, known in zip(named, hints, strict=True)]
    return [_resolved(entries, roles, schedule) for entries in named]


def _hinted(entries: list[Entry], known: Mapping[int, tuple[Candidate, ...]]) -> list[Entry]:
    if [word.at for word, _ in entries] != [*known]:
        raise refused("constants are not found again in the new instructions")
    for word, candidates in entries:
        if not set(known[word.at]) <= set(candidates):
            raise refused(f"word {word.at} of the new instructions is not explained by the new model")
    return [(word, known[word.at]) for word, _ in entries]


def _explained(found: Sequence[Requantisation], roles: Roles) -> list[Entry]:
    """Every word with the candidates that have its constants."""
    entries = [(word, roles.candidates(word)) for word in found if not word.foreign]
    for word, candidates in entries:
        if not word.regular:
            raise refused(f"word {word.at} of the instructions has an unknown form")
        if not candidates and not _moves(word):
            raise refused(f"word {word.at} of the instructions holds constants that no operator explains")
    return entries


def _resolved(entries: list[Entry], roles: Roles, schedule: Sequence[int]) -> list[Word]:
    if any(len(_outcomes(word, candidates, roles)) > 1 for word, candidates in entries):
        entries = _in_order(entries, roles, schedule)
    return [_word(word, candidates, roles) for word, candidates in entries]


def _form(role: Role) -> tuple[object, ...]:
    return role.name, role.lanes, role.arrays, role.function, role.paired


def _outcomes(word: Requantisation, candidates: tuple[Candidate, ...], roles: Roles) -> set[Constants]:
    new = {roles.constants(candidate) for candidate in candidates}
    return new | {MOVE} if _moves(word) else new


def _moves(word: Requantisation) -> bool:
    """Whether the word may be one that only moves bytes: these have four lanes in all known files."""
    return word.constants == MOVE and word.lanes == 4 and not word.arrays


def _word(word: Requantisation, candidates: tuple[Candidate, ...], roles: Roles) -> Word:
    outcomes = _outcomes(word, candidates, roles)
    if len(outcomes) != 1:
        names = ", ".join(
            f"{roles.old.name(operator)}: {roles.role((operator, position)).name}"
            for operator, position in candidates[:4]
        )
        raise refused(f"the constants of word {word.at} may belong to {names or 'a copy'}, which now differ")
    return Word(word, candidates, outcomes.pop())


def _require(named: list[Entry], roles: Roles) -> None:
    """Every operator that must have left words has some."""
    seen = {(operator, roles.role((operator, position)).name) for _, found in named for operator, position in found}
    for operator, mine in roles.before.items():
        needed = {role.name for role in mine if role.needed}
        if needed and not any((operator, name) in seen for name in needed):
            raise refused(f"{roles.old.name(operator)}: its constants ({', '.join(sorted(needed))}) are nowhere")


def _in_order(named: list[Entry], roles: Roles, schedule: Sequence[int]) -> list[Entry]:
    """Only the candidates that the order of execution leaves. Where a word that value alone tells apart contradicts the
    order, all stay.
    """
    rank = {operator: number for number, operator in enumerate(schedule)}
    chain = {i for i, (_, found) in enumerate(named) if found and all(_heavy(c, roles, rank) for c in found)}
    if any(i not in chain and any(_heavy(c, roles, rank) for c in found) for i, (_, found) in enumerate(named)):
        return named
    steps = sorted(chain)
    possible = _paths([(named[i][0].at, {rank[c[0]] for c in named[i][1]}) for i in steps], len(schedule))
    if possible is None:
        return named
    result, last, chained = [], {-1}, dict(zip(steps, possible, strict=True))
    reach = _Reach(roles.old, rank)
    for i, (word, found) in enumerate(named):
        if i in chained:
            last = chained[i]
            kept = tuple(c for c in found if rank[c[0]] in last)
        else:
            kept = tuple(c for c in found if reach.allows(c[0], roles.role(c).name, last))
        if found and not kept:
            return named
        result.append((word, kept))
    return result


def _heavy(candidate: Candidate, roles: Roles, rank: dict[int, int]) -> bool:
    return candidate[0] in rank and roles.role(candidate).name == "weights"


def _paths(chain: list[tuple[int, set[int]]], count: int) -> list[set[int]] | None:
    """Of each word of convolutions, the ranks that it has in some order of execution: from the first to the last, each
    at least once, none again after the next. None if there is no such order.
    """
    forward: list[set[int]] = []
    for number, (at, ranks) in enumerate(chain):
        if not number:
            reachable = {0}
        else:
            before = forward[-1]
            reachable = before if at - chain[number - 1][0] == STRIDE else before | {rank + 1 for rank in before}
        forward.append(ranks & reachable)
    backward: list[set[int]] = []
    for number in range(len(chain) - 1, -1, -1):
        at, _ = chain[number]
        if not backward:
            reachable = {count - 1}
        else:
            after = backward[-1]
            reachable = after if chain[number + 1][0] - at == STRIDE else after | {rank - 1 for rank in after}
        backward.append(forward[number] & reachable)
    backward.reverse()
    return backward if chain and all(backward) else None


class _Reach:
    """Owns what convolutions an operator's data come from and go to."""

    def __init__(self, graph: Graph, rank: dict[int, int]) -> None:
        self._graph, self._rank = graph, rank
        self._producer = {t: i for i, operator in enumerate(graph.operators) for t in operator.outputs}
        self._readers: dict[int, list[int]] = {}
        for i, operator in enumerate(graph.operators):
            for tensor in operator.inputs:
                self._readers.setdefault(tensor, []).append(i)
        self._from: dict[int, int] = {}
        self._to: dict[int, int] = {}

    def allows(self, operator: int, name: str, last: set[int]) -> bool:
        """Whether a word of ``operator`` may follow a word of one of the convolutions ``last``."""
        mine = self._graph.operators[operator]
        if name.startswith("input"):
            return self._made_by(mine.inputs[0]) <= max(last) and self._rank.get(operator, min(last)) >= min(last)
        made = max((self._made_by(tensor) for tensor in mine.inputs if tensor >= 0), default=-1)
        read = min((self._read_by(tensor) for tensor in mine.outputs), default=len(self._rank))
        return made <= max(last) and read > min(last)

    def _made_by(self, tensor: int) -> int:
        """The last convolution that must have run before ``tensor`` is there."""
        known = self._from.get(tensor)
        if known is None:
            operator = self._producer.get(tensor, -1)
            if operator < 0:
                known = -1
            elif operator in self._rank:
                known = self._rank[operator]
            else:
                inputs = self._graph.operators[operator].inputs
                known = max((self._made_by(t) for t in inputs if t >= 0), default=-1)
            self._from[tensor] = known
        return known

    def _read_by(self, tensor: int) -> int:
        """The first convolution that cannot run before ``tensor`` is there."""
        known = self._to.get(tensor)
        if known is None:
            known = len(self._rank)
            for reader in self._readers.get(tensor, ()):
                further = self._graph.operators[reader].outputs
                ranks = [self._rank[reader]] if reader in self._rank else map(self._read_by, further)
                known = min(known, *ranks)
            self._to[tensor] = known
        return known

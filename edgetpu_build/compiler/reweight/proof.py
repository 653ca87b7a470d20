"""From an artifact, the model that it was made of and a new one to the new one's artifact: proven, or refused.

parameters     made from the old model they are the artifact's, byte for byte; then made from the new one
instructions   every constant in them is explained by an operator of the old model, then replaced
the rest       scales, zero points, constants of operators on the CPU, names; a token derived from the parameters
the way back   the same from the new model to the old gives the artifact that came in, byte for byte
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from edgetpu_build.compiler.package import decode
from edgetpu_build.compiler.reweight import blobs, container, loose, numerics
from edgetpu_build.compiler.reweight.assign import Candidate, Roles, Word, words
from edgetpu_build.compiler.reweight.blobs import Place, refused
from edgetpu_build.compiler.reweight.constants import MOVE, RULES, Role, point, roles
from edgetpu_build.compiler.reweight.container import SILICON, Program
from edgetpu_build.compiler.reweight.graphs import Graph, renumbered
from edgetpu_build.compiler.reweight.numerics import Pair
from edgetpu_build.compiler.reweight.repack import renamed, repacked
from edgetpu_build.compiler.reweight.stream import Stream
from edgetpu_build.errors import error
from edgetpu_build.tflite.model import Model, Subgraph
from edgetpu_build.tflite.reader import read

CACHING = 1  # type of an executable that only loads parameters
GENERATIONS = {10: ("1.0",), 12: ("15.0", "14.1", "2.1", "2.0"), 13: ("16.0",), 14: ("16.0",)}
"""Compilers by the runtime version that their files ask for."""


NEWEST = "16.0"
"""The compiler that can be asked for files of older runtimes: these look as if an older one had made them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """What was proven of operator ``index``: bytes of parameters, words of instructions and what these are for."""

    index: int
    kind: str
    parameters: int = 0
    words: int = 0
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reweighted:
    """``data``: the new artifact. ``generation``: the compiler whose layout it has. ``parameters``: bytes.

    ``constants``: words of instructions that hold some; ``shared``: those that several operators have alike.
    """

    data: bytes = field(repr=False)
    generation: str
    operators: tuple[Proven, ...]
    parameters: int
    constants: int
    shared: int
    token: int


@dataclass(frozen=True, slots=True)
class _Side:
    """A model, with everything of it that an artifact holds."""

    graph: Graph
    blobs: list[bytes]
    roles: dict[int, tuple[Role, ...]]

    @classmethod
    def of(cls, graph: Graph) -> _Side:
        return cls(graph, blobs.blobs_of(graph), {index: roles(graph, index) for index in sorted(graph.mapped)})


@dataclass(frozen=True, slots=True)
class _Trace:
    """What was done to one executable: the operators of each word, and immediates and operands before and after."""

    words: dict[int, tuple[Candidate, ...]]
    immediates: dict[int, tuple[int, int]]
    scalars: dict[int, tuple[int, int]]


def prove(old: Model, compiled: Model, new: Model) -> Reweighted:
    """The compiled file of ``old`` with the numbers of ``new``.

    ETB322 if the models differ in more than numbers, ETB323 if anything about the artifact is not understood.
    """
    for model in (old, new):
        if len(model.subgraphs) != 1:
            raise error("ETB305", f"a model with {len(model.subgraphs)} subgraphs cannot be reweighted")
    main = renumbered(old.main, new.main)
    tensors = zip(old.main.tensors, main.tensors, strict=True)
    pairs = {mine.name: Pair(mine, theirs) for mine, theirs in tensors}
    if len(pairs) != len(main.tensors):
        raise refused("two tensors of the old model have one name")
    runtime = _checked(compiled)
    _known_names(compiled, pairs)
    if _lacks_room(compiled, pairs):
        compiled = read(repacked(compiled, {}, room=True))
    generations = GENERATIONS.get(runtime, ())
    before = _understood(old.main, compiled, frozenset(_absorbed(old.main, compiled)), generations)
    after = _Side.of(Graph(main, before.graph.mapped, before.graph.generation))
    _newer_agree(old.main, main, before, after)
    traces: list[_Trace] = []
    result = _turned(compiled, (before, after), pairs, traces)
    back = {name: Pair(pair.new, pair.old) for name, pair in pairs.items()}
    if _turned(read(result.data), (after, before), back, traces, token=_token(compiled)).data != bytes(compiled.raw):
        raise refused("the way back does not give the artifact that came in")
    there = {tensor.name for tensor in compiled.main.tensors}
    names = {name: pair.new.name for name, pair in pairs.items() if name in there and name != pair.new.name}
    return replace(result, data=renamed(read(result.data), names)) if names else result


def _checked(compiled: Model) -> int:
    """The runtime version that the artifact asks for; ETB302 where a package in it is damaged."""
    operators = [o for o in compiled.main.operators if o.custom_code == SILICON]
    packages = [decode(o.custom_options or b"") for o in operators]
    if not packages:
        raise refused("the compiled file holds no Edge TPU operator")
    return max(package.min_runtime_version for package in packages)


def _known_names(compiled: Model, pairs: Mapping[str, Pair]) -> None:
    """Every tensor that the artifact names is one of the old model's."""
    programs = container.programs(compiled.raw, compiled)
    names = [str(name, "utf-8", "backslashreplace") for program in programs for name in program.names()]
    for name in (*names, *(tensor.name for tensor in compiled.main.tensors)):
        if name and name not in pairs:
            raise refused(f"`{name}` of the artifact is no tensor of the old model")


def _lacks_room(compiled: Model, pairs: Mapping[str, Pair]) -> bool:
    """Whether a zero point that is left out, since it is 0, becomes another."""
    return any(
        not numerics.place("zero_point") and name in pairs and point(pairs[name].new) != 0
        for program in container.programs(compiled.raw, compiled)
        for name, numerics in program.numerics()
    )


def _token(compiled: Model) -> int:
    return next((p.token for p in container.programs(compiled.raw, compiled) if p.token), 0)


def _absorbed(old: Subgraph, compiled: Model) -> Iterator[int]:
    """The operators that are not in the compiled file any more."""
    left = {
        compiled.main.tensors[tensor].name
        for operator in compiled.main.operators
        if operator.custom_code != SILICON
        for tensor in operator.outputs
    }
    for index, operator in enumerate(old.operators):
        if any(old.tensors[tensor].name not in left for tensor in operator.outputs):
            if operator.kind not in RULES:
                raise refused(f"what operator {index} ({operator.kind}) leaves in instructions is not known")
            yield index


def _understood(old: Subgraph, compiled: Model, mapped: frozenset[int], generations: Sequence[str]) -> _Side:
    """The old model in the generation whose layout of its parameters is what the artifact holds."""
    stored = [program.parameters for program in container.programs(compiled.raw, compiled)]
    for generation in generations:
        graph = Graph(old, mapped, generation)
        if sum(layer.size for layer in graph.layers) == sum(map(len, stored)):
            side = _Side.of(graph)
            if blobs.places(side.blobs, stored) is not None:
                return side
    raise refused("the parameters made from the old model are not those of the artifact; was it made of this model?")


def _newer_agree(old: Subgraph, new: Subgraph, before: _Side, after: _Side) -> None:
    """16.0 can be asked for files that look like older ones: then its layout must be the same for both models."""
    chosen = before.graph.generation
    if chosen == NEWEST:
        return
    newest = [_sizes(Graph(main, before.graph.mapped, NEWEST)) for main in (old, new)]
    if newest[0] == _sizes(before.graph) and newest[1] != _sizes(after.graph):
        raise refused(f"whether {chosen} or {NEWEST} made the artifact is open, and they lay out the new model apart")


def _sizes(graph: Graph) -> list[int]:
    return [layer.size for layer in graph.layers]


def _turned(
    compiled: Model, sides: tuple[_Side, _Side], pairs: Mapping[str, Pair], traces: list[_Trace], token: int = 0
) -> Reweighted:
    """The compiled file with the numbers of the second side where it has those of the first.

    ``traces``: empty on the way there, which fills it; ``token``: what to write, derived where it is 0.
    """
    before, after = sides
    data = bytearray(compiled.raw)
    view = memoryview(data)
    programs = container.programs(view, compiled)
    places = blobs.places(before.blobs, [program.parameters for program in programs])
    if places is None:
        raise refused("the parameters are not those of the model")
    found = blobs.replaced(before.graph, after.graph, (before.blobs, after.blobs), places)
    for place, fresh in found:
        programs[place.executable].parameters[place.start : place.start + len(fresh)] = fresh
    done = _instructions([p for p in programs if p.type != CACHING], sides, places, traces)
    numerics.replace_all(view, compiled, programs, pairs)
    fresh_token = token or _derived(programs)
    for program in programs:
        program.set_token(fresh_token)
    return Reweighted(
        data=bytes(data),
        generation=before.graph.generation,
        operators=tuple(_proven(before, done)),
        parameters=sum(len(program.parameters) for program in programs),
        constants=len(done),
        shared=sum(len({operator for operator, _ in word.candidates}) > 1 for word in done),
        token=fresh_token,
    )


def _instructions(
    programs: Sequence[Program], sides: tuple[_Side, _Side], places: Sequence[Place], traces: list[_Trace]
) -> list[Word]:
    """Replaces every constant in the instructions."""
    before, after = sides
    named = Roles(before.graph, after.graph, before.roles, after.roles)
    schedule = _schedule(before.graph, places) if len(programs) == 1 else ()
    streams = [Stream(b"".join(program.bitstreams)) for program in programs]
    known = {role.constants for mine in before.roles.values() for role in mine}
    for stream in streams:
        if (odd := next(stream.lookalikes(known), None)) is not None:
            raise refused(f"word {odd} of the instructions holds known constants in an unknown form")
    hints = [trace.words for trace in traces]
    done = words([stream.requantisations() for stream in streams], named, schedule, hints)
    if traces:
        for stream, trace in zip(streams, traces, strict=True):
            _restore(stream, trace)
    else:
        traces += [_replace(stream, mine, sides) for stream, mine in zip(streams, done, strict=True)]
    for program, stream, mine in zip(programs, streams, done, strict=True):
        for word in mine:
            if word.new != word.found.constants:
                stream.put(word.found, word.new)
        start, fresh = 0, stream.data()
        for chunk in program.bitstreams:
            chunk[:] = fresh[start : start + len(chunk)]
            start += len(chunk)
    return [word for mine in done for word in mine]


def _replace(stream: Stream, done: Sequence[Word], sides: tuple[_Side, _Side]) -> _Trace:
    """Replaces immediates and operands; gives what was done."""
    graphs = (sides[0].graph, sides[1].graph)
    foreign = [found.at for found in stream.requantisations() if found.foreign]
    immediates, operands = dict(stream.immediates()), dict(stream.scalars())
    changes = dict(loose.immediates([*immediates.items()], done, foreign, graphs))
    moved = dict(loose.scalars(operands, done, graphs))
    for at, value in changes.items():
        stream.put_immediate(at, value)
    for at, operand in moved.items():
        stream.put_scalar(at, operand)
    return _Trace(
        words={word.found.at: word.candidates for word in done},
        immediates={at: (value, changes.get(at, value)) for at, value in immediates.items()},
        scalars={at: (operands[at], operand) for at, operand in moved.items()},
    )


def _restore(stream: Stream, trace: _Trace) -> None:
    """Takes back what was done to immediates and operands; ETB323 where they are not what that should have made."""
    immediates, operands = dict(stream.immediates()), dict(stream.scalars())
    if immediates != {at: after for at, (_, after) in trace.immediates.items()}:
        raise refused("immediates are not found again in the new instructions")
    for at, (before, _) in trace.immediates.items():
        stream.put_immediate(at, before)
    for at, (before, after) in trace.scalars.items():
        if operands.get(at) != after:
            raise refused("an operand of the scalar core is not found again in the new instructions")
        stream.put_scalar(at, before)


def _schedule(graph: Graph, places: Sequence[Place]) -> list[int]:
    """The convolutions in the order of their parameters; none if these lie in several executables."""
    heavy = [p for p in places if getattr(graph.layers[p.layer].pieces[0], "header", None) is not None]
    if len({place.executable for place in heavy}) != 1:
        return []
    return [graph.layers[place.layer].index for place in sorted(heavy, key=lambda place: place.start)]


def _derived(programs: Sequence[Program]) -> int:
    """The driver must not take what it holds of another model for this one's parameters."""
    digest = sha256()
    for program in programs:
        digest.update(program.parameters)
    return int.from_bytes(digest.digest()[:8], "little") or 1


def _proven(side: _Side, done: Sequence[Word]) -> Iterator[Proven]:
    counts: dict[int, int] = {}
    names: dict[int, dict[str, None]] = {}
    for word in done:
        if word.found.constants != MOVE:
            for operator, position in word.candidates:
                names.setdefault(operator, {})[side.roles[operator][position].name] = None
            for operator in {operator for operator, _ in word.candidates}:
                counts[operator] = counts.get(operator, 0) + 1
    for index in sorted(side.graph.mapped):
        yield Proven(
            index=index,
            kind=side.graph.operators[index].kind,
            parameters=sum(layer.size for layer in side.graph.layers if layer.index == index),
            words=counts.get(index, 0),
            roles=tuple(names.get(index, ())),
        )

"""Rewriting a model without losing anything: parts become custom operators, operators become a model of their own.

Work is done on the file's own tables (``Model.tree``), so whatever is in them comes along: names, quantisation,
sparsity, signatures that still apply, metadata, shared buffers, operator versions, fields that our values do not show,
and a zip behind the model. Only what nothing refers to any more leaves: tensors and constants of operators that went.
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from edgetpu_build.errors import error
from edgetpu_build.tflite import archive, schema
from edgetpu_build.tflite.flatbuffer import Table
from edgetpu_build.tflite.model import Model, Operator, Subgraph
from edgetpu_build.tflite.reader import SCHEMA
from edgetpu_build.tflite.soundness import TENSOR_REFERENCES, quantization_references
from edgetpu_build.tflite.writer import Bytes, Encoder, Pieces

_CUSTOM = schema.operator_number("CUSTOM")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Operators of the first subgraph that one custom operator replaces; ``inputs`` and ``outputs`` are its tensors."""

    operators: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    custom_code: str
    custom_options: Bytes | Pieces = field(repr=False)


def delegate(model: Model, parts: Sequence[Part]) -> bytes:
    """The model with each part replaced by one custom operator, at a place where its inputs are there and nobody waits.

    Raises ETB320 if the file holds fields that the schema does not know, ETB701 if a part depends on itself through
    operators outside of it.
    """
    main = model.main
    gone = {index for part in parts for index in part.operators}
    codes = list(model.tree.get("operator_codes", ()))
    tables, operators = model.tree["subgraphs"][0].get("operators", ()), main.operators
    made: list[tuple[Table, Operator]] = []
    for node in _order(main, parts):
        if isinstance(node, int):
            made.append((tables[node], operators[node]))
        else:
            made.append((_custom(node, codes), Operator(kind="CUSTOM", inputs=node.inputs, outputs=node.outputs)))
    needed = {index for _, operator in made for index in _tensors(operator)} | {*main.inputs, *main.outputs}
    needed.update(quantization_references(*model.tree["subgraphs"][0].get("tensors", ())))
    dropped = {tensor for index in gone for tensor in _tensors(operators[index])} - needed
    kept = [index for index in range(len(main.tensors)) if index not in dropped]
    return _write(model, _Draft(made, kept, main.inputs, main.outputs, codes))


def extract(model: Model, operators: Iterable[int], inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
    """A model of these operators of the first subgraph alone, fed by ``inputs`` and giving ``outputs``, in this order.

    Signatures stay if all that they name is among these; everything else as in ``delegate``.
    """
    return _write(model, _segment(model, sorted(operators), inputs, outputs))


def program(
    model: Model, operators: Iterable[int], inputs: Sequence[int], outputs: Sequence[int], without: Iterable[int]
) -> tuple[Pieces, dict[int, int]]:
    """``extract`` for a machine: no metadata, signatures or appendix, and no bytes for the constants in ``without``.

    Comes in pieces, to be joined, and with it the new index of every tensor that is in it.
    """
    _refuse_unknown(model)
    draft = _segment(model, sorted(operators), inputs, outputs)
    bare = {key: model.tree[key] for key in ("version", "operator_codes", "subgraphs", "buffers") if key in model.tree}
    tree = _renumbered(bare, draft, frozenset(without))
    return Encoder(SCHEMA, schema.IDENTIFIER).pieces("Model", tree), _places(draft.kept)


def boundary(subgraph: Subgraph, operators: Iterable[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The tensors that a set of operators takes and gives: (inputs, outputs).

    Inputs come from other operators or are inputs of the subgraph; constants and variables are none. Outputs are what
    others take, or outputs of the subgraph. The subgraph's own inputs (outputs) come first, in its order, the rest as
    they are produced.
    """
    inside = set(operators)
    made_inside: set[int] = set()
    made_outside: set[int] = set(subgraph.inputs)
    taken_inside: set[int] = set()
    taken_outside: set[int] = set(subgraph.outputs)
    for position, operator in enumerate(subgraph.operators):
        (made_inside if position in inside else made_outside).update(operator.outputs)
        (taken_inside if position in inside else taken_outside).update(operator.inputs)
    produced = [index for operator in subgraph.operators for index in operator.outputs]
    inputs, outputs = taken_inside & made_outside, made_inside & taken_outside
    return (
        tuple(dict.fromkeys(index for index in (*subgraph.inputs, *produced) if index in inputs)),
        tuple(dict.fromkeys(index for index in (*subgraph.outputs, *produced) if index in outputs)),
    )


@dataclass(frozen=True, slots=True)
class _Draft:
    """A new first subgraph, in the old numbers: operators (table, value), tensors to keep, and the operator codes."""

    operators: list[tuple[Table, Operator]]
    kept: list[int]
    inputs: Sequence[int]
    outputs: Sequence[int]
    codes: list[Table]


def _segment(model: Model, operators: list[int], inputs: Sequence[int], outputs: Sequence[int]) -> _Draft:
    tables, values = model.tree["subgraphs"][0].get("operators", ()), model.main.operators
    made = [(tables[index], values[index]) for index in operators]
    needed = {*inputs, *outputs} | {tensor for index in operators for tensor in _tensors(values[index])}
    stored = model.tree["subgraphs"][0].get("tensors", ())
    needed.update(quantization_references(*[stored[index] for index in needed]))
    return _Draft(made, sorted(needed), inputs, outputs, model.tree.get("operator_codes", []))


def _tensors(operator: Operator) -> Iterator[int]:
    """Every tensor that an operator refers to."""
    return (index for index in (*operator.inputs, *operator.outputs, *operator.intermediates) if index >= 0)


def _custom(part: Part, codes: list[Table]) -> Table:
    """The operator's table; its code is added to the codes unless it is there."""
    name = part.custom_code.encode()
    code = {"custom_code": name, "version": 1, "builtin_code": _CUSTOM, "deprecated_builtin_code": _CUSTOM}
    if code not in codes:
        codes.append(code)
    return {"opcode_index": codes.index(code), "inputs": b"", "outputs": b"", "custom_options": part.custom_options}


def _order(subgraph: Subgraph, parts: Sequence[Part]) -> list[int | Part]:
    """Operators outside the parts (by index) and parts, each after what it needs, otherwise in the old order."""
    owner: dict[int, Part] = {index: part for part in parts for index in part.operators}
    nodes: list[int | Part] = [i for i in range(len(subgraph.operators)) if i not in owner]
    keys: list[int] = [node for node in nodes if isinstance(node, int)]
    for part in parts:
        nodes.append(part)
        keys.append(min(part.operators))
    taken = [node.inputs if isinstance(node, Part) else subgraph.operators[node].inputs for node in nodes]
    given = [node.outputs if isinstance(node, Part) else subgraph.operators[node].outputs for node in nodes]
    maker = {tensor: number for number, tensors in enumerate(given) for tensor in tensors}
    users: list[list[int]] = [[] for _ in nodes]
    waiting = [0] * len(nodes)
    for number, tensors in enumerate(taken):
        for source in {maker[tensor] for tensor in tensors if tensor in maker}:
            users[source].append(number)
            waiting[number] += 1
    ready = [(keys[number], number) for number, count in enumerate(waiting) if not count]
    heapq.heapify(ready)
    order = []
    while ready:
        _, number = heapq.heappop(ready)
        order.append(nodes[number])
        for user in users[number]:
            waiting[user] -= 1
            if not waiting[user]:
                heapq.heappush(ready, (keys[user], user))
    if len(order) < len(nodes):
        raise error("ETB701", "operators given to one part depend on each other through operators outside of it")
    return order


def _refuse_unknown(model: Model) -> None:
    if model.unknown:
        hint = "a newer edgetpu-build may know them; an older converter does not write them"
        names = ", ".join(model.unknown)
        raise error(
            "ETB320", f"the model holds fields that would be lost, since this version does not know them: {names}", hint
        )


def _write(model: Model, draft: _Draft) -> bytes:
    _refuse_unknown(model)
    pieces = Encoder(SCHEMA, schema.IDENTIFIER).pieces("Model", _renumbered(model.tree, draft, frozenset()))
    tail = model.raw[model.flatbuffer_size :]
    if tail:
        pieces.append(archive.rebase(tail, sum(map(len, pieces))))
    return b"".join(pieces)


def _renumbered(tree: Mapping[str, object], draft: _Draft, without: frozenset[int]) -> Table:
    """The whole file with the new first subgraph: tensors, then buffers and operator codes counted afresh."""
    new: Table = dict(tree)
    old = new["subgraphs"]
    tensors = _places(draft.kept)
    new["subgraphs"] = [_main(old[0], draft, tensors, without), *old[1:]]
    new["operator_codes"] = draft.codes
    if "signature_defs" in new:
        new["signature_defs"] = _signatures(new["signature_defs"], draft, tensors)
    _compact_buffers(new, old)
    _compact_codes(new, old)
    return new


def _places(kept: Sequence[int]) -> dict[int, int]:
    """Old number to new one."""
    return {old: new for new, old in enumerate(kept)}


def _packed(indices: Iterable[int], places: Mapping[int, int]) -> bytes:
    numbers = [places[index] if index >= 0 else index for index in indices]
    return struct.pack(f"<{len(numbers)}i", *numbers)


def _main(old: Table, draft: _Draft, places: Mapping[int, int], without: frozenset[int]) -> Table:
    tensors = old.get("tensors", ())
    return {
        **old,
        "tensors": [_tensor(tensors[index], places, bare=index in without) for index in draft.kept],
        "inputs": _packed(draft.inputs, places),
        "outputs": _packed(draft.outputs, places),
        "operators": [_operator(table, value, places) for table, value in draft.operators],
    }


def _tensor(table: Table, places: Mapping[int, int], *, bare: bool) -> Table:
    if bare:
        table = {**table, "buffer": 0}
    if not quantization_references(table):
        return table
    details = dict(table["quantization"]["details"])
    details |= {name: places[details[name]] for name in TENSOR_REFERENCES if name in details}
    return {**table, "quantization": {**table["quantization"], "details": details}}


def _operator(table: Table, value: Operator, places: Mapping[int, int]) -> Table:
    new = {**table, "inputs": _packed(value.inputs, places), "outputs": _packed(value.outputs, places)}
    if value.intermediates:
        new["intermediates"] = _packed(value.intermediates, places)
    return new


def _signatures(signatures: list[Table], draft: _Draft, places: Mapping[int, int]) -> list[Table]:
    """Those that still apply, in the new numbers: what they take is fed in, what they give comes out or is made."""
    given = {*draft.inputs, *draft.outputs}.union(*(operator.outputs for _, operator in draft.operators))
    kept = []
    for signature in signatures:
        if signature.get("subgraph_index", 0) == 0:
            sides = {side: signature.get(side, []) for side in ("inputs", "outputs")}
            named = {entry.get("tensor_index", 0) for entries in sides.values() for entry in entries}
            if not named <= given:
                continue
            signature = signature | {
                side: [{**entry, "tensor_index": places[entry.get("tensor_index", 0)]} for entry in entries]
                for side, entries in sides.items()
            }
        kept.append(signature)
    return kept


def _compact_buffers(new: Table, old: list[Table]) -> None:
    """Drops the buffers of dropped tensors, unless something else refers to them; number 0 is empty by convention."""
    before = {tensor.get("buffer", 0) for tensor in old[0].get("tensors", ())}
    subgraphs, metadata = new["subgraphs"], new.get("metadata", [])
    listed = struct.unpack(f"<{len(new.get('metadata_buffer', b'')) // 4}i", new.get("metadata_buffer", b""))
    after = {tensor.get("buffer", 0) for subgraph in subgraphs for tensor in subgraph.get("tensors", ())}
    after |= {entry.get("buffer", 0) for entry in metadata} | {*listed, 0}
    buffers = new.get("buffers", [])
    kept = [index for index in range(len(buffers)) if index in after or index not in before]
    places = _places(kept)
    new["buffers"] = [buffers[index] for index in kept]
    new["subgraphs"] = [_pointing(subgraph, "tensors", "buffer", places) for subgraph in subgraphs]
    if metadata:
        new["metadata"] = _pointing(new, "metadata", "buffer", places)["metadata"]
    if listed:
        new["metadata_buffer"] = _packed(listed, places)


def _compact_codes(new: Table, old: list[Table]) -> None:
    """Drops the codes of operators that went."""
    before = {operator.get("opcode_index", 0) for operator in old[0].get("operators", ())}
    after = {op.get("opcode_index", 0) for subgraph in new["subgraphs"] for op in subgraph.get("operators", ())}
    kept = [index for index in range(len(new["operator_codes"])) if index in after or index not in before]
    places = _places(kept)
    new["operator_codes"] = [new["operator_codes"][index] for index in kept]
    new["subgraphs"] = [_pointing(subgraph, "operators", "opcode_index", places) for subgraph in new["subgraphs"]]


def _pointing(table: Table, field_name: str, pointer: str, places: Mapping[int, int]) -> Table:
    """The table with ``pointer`` moved in each of its ``field_name``; what points to 0 by default stays so."""
    if field_name not in table:
        return table
    moved = [{**entry, pointer: places[entry[pointer]]} if pointer in entry else entry for entry in table[field_name]]
    return {**table, field_name: moved}

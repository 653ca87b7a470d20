"""A compiled file as one model that LiteRT runs: every Edge TPU operator gives way to its program's operators.

Tensors of the file keep their numbers (an application asks for them by number); those of programs come behind. The
model is kept in pieces around the constants that lie in parameter memory, so that other bytes there cost one join.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from edgetpu_build.compiler.artifact import Program
from edgetpu_build.runtime.constants import size_of
from edgetpu_build.runtime.refusal import refuse, unprepared
from edgetpu_build.tflite import schema
from edgetpu_build.tflite.flatbuffer import Table
from edgetpu_build.tflite.model import Model, Operator, Tensor
from edgetpu_build.tflite.reader import SCHEMA
from edgetpu_build.tflite.soundness import quantization_references
from edgetpu_build.tflite.writer import Encoder, Pieces


@dataclass(frozen=True, slots=True, kw_only=True)
class Inlined:
    """``places``: piece number -> (operator in the file, tensor of its program) whose bytes belong there."""

    pieces: Pieces = field(repr=False)
    places: Mapping[int, tuple[int, int]]

    def model(self, constants: Mapping[int, Mapping[int, bytes | memoryview]]) -> bytes:
        """The file for LiteRT. ``constants``: by operator in the compiled file, then by tensor of its program."""
        pieces = list(self.pieces)
        for number, (operator, tensor) in self.places.items():
            pieces[number] = constants[operator][tensor]
        return b"".join(pieces)


def inline(model: Model, programs: Mapping[int, Program]) -> Inlined:
    """``programs``: what takes the place of which operator of the first subgraph.

    RuntimeError where a program does not fit its operator, or either holds what this version does not know.
    """
    if model.unknown:
        raise refuse(f"the file holds what this version does not know: {', '.join(model.unknown)}", code="ETB320")
    draft = _Draft(model)
    for index, operator in enumerate(model.main.operators):
        if index in programs:
            draft.add(index, operator, programs[index])
        else:
            draft.operators.append(draft.subgraph["operators"][index])
    return draft.finish()


class _Draft:
    """Owns the lists of the new file while they grow."""

    def __init__(self, model: Model) -> None:
        self.tree: Table = dict(model.tree)
        self.file_tensors = model.main.tensors
        self.subgraph: Table = dict(self.tree["subgraphs"][0])
        self.tensors: list[Table] = list(self.subgraph.get("tensors", ()))
        self.buffers: list[Table] = list(self.tree.get("buffers", ())) or [{}]
        self.codes: list[Table] = list(self.tree.get("operator_codes", ()))
        self.operators: list[Table] = []
        self.blanks: dict[int, tuple[int, int]] = {}  # id of a blank constant -> where its bytes come from
        self.held: list[bytes] = []

    def add(self, index: int, operator: Operator, program: Program) -> None:
        main, table = program.model.main, program.model.tree["subgraphs"][0]
        self._check(operator, program)
        first_code, first_buffer = len(self.codes), len(self.buffers)
        self.codes += program.model.tree.get("operator_codes", ())
        self.buffers += program.model.tree.get("buffers", ())
        places = dict(zip((*main.inputs, *main.outputs), (*operator.inputs, *operator.outputs), strict=True))
        relocated = {relocation.tensor for relocation in program.relocations}
        for number, tensor in enumerate(table.get("tensors", ())):
            if number not in places:
                places[number] = len(self.tensors)
                buffer = first_buffer + tensor.get("buffer", 0)
                if number in relocated:
                    buffer = self._blank(index, number, size_of(main.tensors[number]))
                self.tensors.append({**tensor, "buffer": buffer})
        for entry, value in zip(table.get("operators", ()), main.operators, strict=True):
            self.operators.append(_moved(entry, value, places, first_code))

    def _check(self, operator: Operator, program: Program) -> None:
        """The file's tensors must be those that the program takes and gives."""
        main = program.model.main
        if program.model.unknown:
            raise unprepared(f"its program holds what this version does not know: {', '.join(program.model.unknown)}")
        if len(main.outputs) > len(operator.outputs):
            raise unprepared("Execuable has more outputs than TfLite node.")
        for what, theirs, ours in (
            ("inputs", operator.inputs, main.inputs),
            ("outputs", operator.outputs, main.outputs),
        ):
            if len(theirs) != len(ours):
                raise unprepared(f"{len(theirs)} {what} of the operator, {len(ours)} of its executable")
            for outer, inner in zip(theirs, ours, strict=True):
                if outer < 0 or not _alike(self.file_tensors[outer], main.tensors[inner]):
                    raise unprepared(f"the operator's {what} are not those of its executable")
        relocated = {relocation.tensor for relocation in program.relocations}
        ends = {*main.inputs, *main.outputs}
        stored = program.model.tree["subgraphs"][0].get("tensors", ())
        if relocated & ends or len(ends) < len(main.inputs) + len(main.outputs) or quantization_references(*stored):
            raise unprepared("its program is damaged: constants and results share a tensor")

    def _blank(self, operator: int, tensor: int, size: int) -> int:
        """A buffer whose bytes come later; every one is an object of its own, so that it can be found again."""
        blank = bytes(bytearray(size))
        self.held.append(blank)
        self.blanks[id(blank)] = (operator, tensor)
        self.buffers.append({"data": blank})
        return len(self.buffers) - 1

    def finish(self) -> Inlined:
        self.subgraph |= {"tensors": self.tensors, "operators": self.operators}
        self.tree |= {
            "subgraphs": [self.subgraph, *self.tree["subgraphs"][1:]],
            "buffers": self.buffers,
            "operator_codes": self.codes,
        }
        pieces = Encoder(SCHEMA, schema.IDENTIFIER).pieces("Model", self.tree)
        places = {number: self.blanks[id(p)] for number, p in enumerate(pieces) if id(p) in self.blanks}
        return Inlined(pieces=[b"" if n in places else piece for n, piece in enumerate(pieces)], places=places)


def _alike(outer: Tensor, inner: Tensor) -> bool:
    return (outer.type, outer.shape) == (inner.type, inner.shape)


def _moved(table: Table, value: Operator, places: Mapping[int, int], first_code: int) -> Table:
    """The operator's table with the new numbers of its tensors and its code."""
    new = {
        **table,
        "opcode_index": first_code + table.get("opcode_index", 0),
        "inputs": _packed(value.inputs, places),
        "outputs": _packed(value.outputs, places),
    }
    if value.intermediates:
        new["intermediates"] = _packed(value.intermediates, places)
    return new


def _packed(indices: Iterable[int], places: Mapping[int, int]) -> bytes:
    numbers: Sequence[int] = [places[index] if index >= 0 else index for index in indices]
    return struct.pack(f"<{len(numbers)}i", *numbers)

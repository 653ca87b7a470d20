"""What Google's compiler drops, put back into what it wrote: metadata, signatures and a zip behind the model.

Only entries are added: operators, tensors and custom options of the compiled file stay as they are, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from edgetpu_build.errors import error
from edgetpu_build.tflite import archive, schema
from edgetpu_build.tflite.flatbuffer import Table
from edgetpu_build.tflite.model import Model
from edgetpu_build.tflite.reader import SCHEMA, read
from edgetpu_build.tflite.writer import Encoder


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """``lost``: keys of signatures that name tensors which the compiled file does not have any more."""

    data: bytes = field(repr=False)
    lost: tuple[str, ...] = ()


def restore(compiled: Model, original: Model) -> Restored:
    """The compiled file with what only the original has, read again and compared before it is given out.

    What the compiled file has itself stays. Raises ETB320 if it holds fields that the schema does not know, ETB701 if
    what was written does not read as it should.
    """
    if compiled.unknown:
        names = ", ".join(compiled.unknown)
        raise error("ETB320", f"the compiled file holds fields that this version does not know: {names}")
    tree: Table = dict(compiled.tree)
    _metadata(tree, compiled, original)
    lost = _signatures(tree, compiled, original)
    pieces = Encoder(SCHEMA, schema.IDENTIFIER).pieces("Model", tree)
    tail = compiled.raw[compiled.flatbuffer_size :] or original.raw[original.flatbuffer_size :]
    if tail:
        pieces.append(archive.rebase(tail, sum(map(len, pieces))))
    data = b"".join(pieces)
    _verify(read(data, label="the restored file"), compiled, original)
    return Restored(data=data, lost=tuple(lost))


def _metadata(tree: Table, compiled: Model, original: Model) -> None:
    there = {name for name, _ in compiled.metadata}
    buffers, entries = list(tree.get("buffers", ())), list(tree.get("metadata", ()))
    for entry, (name, buffer) in zip(original.tree.get("metadata", ()), original.metadata, strict=True):
        if name not in there:
            buffers.append(original.tree["buffers"][buffer])
            entries.append({**entry, "buffer": len(buffers) - 1})
    if entries:
        tree["buffers"], tree["metadata"] = buffers, entries


def _signatures(tree: Table, compiled: Model, original: Model) -> list[str]:
    """By the names of tensors: the compiled file numbers them afresh."""
    places = {tensor.name: index for index, tensor in enumerate(compiled.main.tensors)}
    there = {signature.key for signature in compiled.signatures}
    entries, lost = list(tree.get("signature_defs", ())), []
    for table, signature in zip(original.tree.get("signature_defs", ()), original.signatures, strict=True):
        if signature.key in there:
            continue
        sides = {side: list(_moved(table.get(side, ()), original, places)) for side in ("inputs", "outputs")}
        if signature.subgraph != 0 or None in (*sides["inputs"], *sides["outputs"]):
            lost.append(signature.key)
        else:
            entries.append({**table, **{side: moved for side, moved in sides.items() if side in table}})
    if entries:
        tree["signature_defs"] = entries
    return lost


def _moved(entries: list[Table], original: Model, places: Mapping[str, int]) -> Iterator[Table | None]:
    for entry in entries:
        index = places.get(original.main.tensors[entry.get("tensor_index", 0)].name)
        yield None if index is None else {**entry, "tensor_index": index}


def _verify(found: Model, compiled: Model, original: Model) -> None:
    graphs = zip(found.subgraphs, compiled.subgraphs, strict=True)
    options = all(
        [op.custom_options for op in one.operators] == [op.custom_options for op in other.operators]
        and [t.name for t in one.tensors] == [t.name for t in other.tensors]
        for one, other in graphs
    )
    wanted = _contents(original) | _contents(compiled)
    if not options or any(_contents(found).get(name) != data for name, data in wanted.items()):
        raise error("ETB701", "restored metadata did not read back as they were written")


def _contents(model: Model) -> dict[str, bytes]:
    buffers = model.tree.get("buffers", ())
    return {name: bytes(buffers[index].get("data", b"")) for name, index in model.metadata}

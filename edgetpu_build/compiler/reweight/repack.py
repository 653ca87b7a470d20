"""The same artifact laid out anew: with room for every zero point, and with the new model's names.

Google's compiler leaves out a zero point that is 0, and names have lengths: neither can be written in place. What is
laid out anew is read again and compared in everything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgetpu_build.compiler.package import IDENTIFIER, SCHEMA, decode, package_bytes
from edgetpu_build.compiler.reweight import container
from edgetpu_build.compiler.reweight.blobs import refused
from edgetpu_build.compiler.reweight.container import SILICON
from edgetpu_build.tflite import archive, flexbuffer, schema
from edgetpu_build.tflite.flatbuffer import Decoder, Table
from edgetpu_build.tflite.model import Model
from edgetpu_build.tflite.reader import SCHEMA as MODEL_SCHEMA
from edgetpu_build.tflite.reader import read
from edgetpu_build.tflite.writer import Encoder

PAGE = 4096  # packages are filled up to whole pages
_WHAT = "the Edge TPU package"


def renamed(compiled: Model, names: Mapping[str, str]) -> bytes:
    """The file with other names, in place where these are as long as before."""
    if any(len(old.encode()) != len(new.encode()) for old, new in names.items()):
        return repacked(compiled, names)
    data = bytearray(compiled.raw)
    view = memoryview(data)
    become = {old.encode(): new.encode() for old, new in names.items()}
    places = [tensor.vector("name", 1) or memoryview(b"") for tensor in container.tensors(view)]
    for program in container.programs(view, compiled):
        places += program.names()
    for place, old in [(place, bytes(place)) for place in places]:  # one string may be referred to twice
        if old in become:
            place[:] = become[old]
    result = bytes(data)
    _compare(compiled, read(result))
    return result


def repacked(compiled: Model, names: Mapping[str, str], *, room: bool = False) -> bytes:
    """The file with tensors and layers renamed and, with ``room``, all zero points and scales written out."""
    if compiled.unknown:
        raise refused(f"the artifact holds fields that this version does not know: {', '.join(compiled.unknown)}")
    renamed = {old.encode(): new.encode() for old, new in names.items() if old != new}
    tree: Table = dict(compiled.tree)
    tree["subgraphs"] = [_subgraph(table, compiled, renamed, room) for table in tree["subgraphs"]]
    pieces = Encoder(MODEL_SCHEMA, schema.IDENTIFIER).pieces("Model", tree)
    if tail := compiled.raw[compiled.flatbuffer_size :]:
        pieces.append(archive.rebase(tail, sum(map(len, pieces))))
    data = b"".join(pieces)
    _compare(compiled, read(data))
    return data


def _subgraph(table: Table, compiled: Model, renamed: Mapping[bytes, bytes], room: bool) -> Table:
    tensors = [{**tensor, "name": _name(tensor.get("name"), renamed)} for tensor in table["tensors"]]
    operators = [
        {**made, "custom_options": _options(made["custom_options"], renamed, room)}
        if operator.custom_code == SILICON
        else made
        for operator, made in zip(compiled.main.operators, table["operators"], strict=True)
    ]
    return {**table, "tensors": tensors, "operators": operators}


def _name(name: memoryview | None, renamed: Mapping[bytes, bytes]) -> bytes:
    given = bytes(name or b"")
    return renamed.get(given, given)


def _options(options: memoryview, renamed: Mapping[bytes, bytes], room: bool) -> bytes:
    """Custom options with the package in them laid out anew, as long as before where that is enough."""
    old = package_bytes(options)
    package = Decoder(SCHEMA, old, _WHAT).root("Package")
    multi = Decoder(SCHEMA, package["serialized_multi_executable"], _WHAT).root("MultiExecutable")
    multi["serialized_executables"] = [_executable(raw, renamed, room) for raw in multi["serialized_executables"]]
    package["serialized_multi_executable"] = Encoder(SCHEMA, b"").pieces("MultiExecutable", multi)
    made = Encoder(SCHEMA, IDENTIFIER).finish("Package", package)
    size = len(old) if len(made) <= len(old) else len(old) + -(-(len(made) - len(old)) // PAGE) * PAGE
    made = made.ljust(size, b"\0")
    if options[4:8] == IDENTIFIER:
        return made
    try:
        return flexbuffer.replace_string(options, "4", made)
    except ValueError as problem:
        raise refused(f"the custom options of the artifact cannot be written: {problem}") from None


def _executable(raw: memoryview, renamed: Mapping[bytes, bytes], room: bool) -> Any:
    decoder = Decoder(SCHEMA, raw, _WHAT)
    table = decoder.root("Executable")
    if decoder.unknown:
        raise refused(f"the artifact holds fields that this version does not know: {', '.join(decoder.unknown)}")
    for field in ("input_layers", "output_layers"):
        for layer in table.get(field, ()):
            layer["name"] = _name(layer.get("name"), renamed)
            if room and "numerics" in layer:
                layer["numerics"] = {"zero_point": 0, "dequantization_factor": 0.0, **layer["numerics"]}
    for chunk in table.get("instruction_bitstreams", ()):
        for offset in chunk.get("field_offsets", ()):
            _rename_meta(offset, renamed)
    for hint in table.get("dma_hints", {}).get("hints", ()):
        _rename_meta(hint.get("any_hint") or {}, renamed)
    return Encoder(SCHEMA, b"").pieces("Executable", table)


def _rename_meta(holder: Table, renamed: Mapping[bytes, bytes]) -> None:
    meta = holder.get("meta")
    if meta and "name" in meta:
        meta["name"] = _name(meta["name"], renamed)


def _compare(before: Model, after: Model) -> None:
    """Everything that the device gets is the same."""
    for old, new in zip(before.main.operators, after.main.operators, strict=True):
        if old.custom_code != SILICON or old.custom_options is None or new.custom_options is None:
            continue
        pairs = zip(decode(old.custom_options).executables, decode(new.custom_options).executables, strict=True)
        for one, other in pairs:
            same = bytes(one.parameters) == bytes(other.parameters) and one.token == other.token
            if not same or [*map(bytes, one.instructions)] != [*map(bytes, other.instructions)]:
                raise refused("the artifact laid out anew differs from what it should be")

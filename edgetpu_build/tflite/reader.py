"""Bytes to a model: what the schema calls them, as values; then ``soundness`` has the last word.

Little more is asked of a file than LiteRT asks. Whether the Edge TPU can do anything with it (quantised, a single
subgraph) is decided elsewhere.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

from edgetpu_build.errors import EdgeTpuBuildError, error
from edgetpu_build.tflite import schema, soundness
from edgetpu_build.tflite.flatbuffer import NUMBERS, Decoder, Field, Schema, Table
from edgetpu_build.tflite.model import Model, Operator, Quantization, Signature, Subgraph, Tensor

SCHEMA = Schema(schema.TABLES, schema.ENUMS, schema.UNIONS)

_FOREIGN = {
    b"PK\3\4": "a zip archive (a .keras, .task or SavedModel package)",
    b"\x89HDF": "an HDF5 file, as Keras writes it",
    b"\x1f\x8b": "gzip data",
    b"\x7fELF": "an executable",
    b"{": "JSON text",
}
_LARGE_OPTIONS = ("large_custom_options_offset", "large_custom_options_size", "custom_options")
_NOTHING = memoryview(b"")
_SIZES = {code: struct.calcsize("<" + code) for code in NUMBERS.values()}


def read(data: bytes | memoryview, *, label: str = "") -> Model:
    """The model in a .tflite file. ``label`` is what messages call it.

    Raises ETB301 where the bytes are something else, ETB303 for a Git LFS pointer, ETB307 for a shape that holds -1,
    ETB302 for anything that is out of range, contradicts itself or would take more than 2 GiB. Nothing is copied: the
    model's constants are views into ``data``.
    """
    raw = memoryview(data).toreadonly()
    what = f"`{label}`" if label else "the model"
    if raw[4:8] != schema.IDENTIFIER:
        raise _foreign(bytes(raw[:512]), len(raw), what)
    decoder = Decoder(SCHEMA, raw, what)
    tree = decoder.root("Model")
    _fetch_external(tree, decoder)
    soundness.check_spans(decoder)
    buffers = [buffer.get("data", _NOTHING) for buffer in tree.get("buffers", ())]
    codes = [_code(code) for code in tree.get("operator_codes", ())]
    soundness.check_indices(tree, what)
    model = Model(
        version=tree.get("version", 0),
        description=_text(tree.get("description")),
        subgraphs=tuple(_subgraph(subgraph, buffers, codes) for subgraph in tree.get("subgraphs", ())),
        metadata=tuple((_text(entry.get("name")), entry.get("buffer", 0)) for entry in tree.get("metadata", ())),
        signatures=tuple(_signature(signature) for signature in tree.get("signature_defs", ())),
        raw=raw,
        flatbuffer_size=_flatbuffer_size(raw, decoder.end),
        tree=tree,
        unknown=tuple(sorted(decoder.unknown)),
    )
    soundness.check(model, what)
    return model


def _foreign(head: bytes, size: int, what: str) -> EdgeTpuBuildError:
    if head.startswith(b"version https://git-lfs"):
        return error(
            "ETB303", f"{what} is a Git LFS pointer, not the model itself", "`git lfs pull` fetches what it points to"
        )
    if not size:
        return error("ETB301", f"{what} is empty")
    text = head.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        hint = "a download that answered with a web page? fetch the raw file"
        return error("ETB301", f"{what} is an HTML or XML page, not a TensorFlow Lite model", hint)
    kind = next((kind for magic, kind in _FOREIGN.items() if head.startswith(magic)), "something else")
    found = f"bytes 4 to 7 are {head[4:8]!r}, not {schema.IDENTIFIER!r}" if size >= 8 else f"it has only {size} bytes"
    return error("ETB301", f"{what} is not a TensorFlow Lite model: {found} ({kind})")


def _fetch_external(tree: Table, decoder: Decoder) -> None:
    """Constants of large models lie behind the flatbuffer: takes them in, as if they had stood where they belong."""
    for buffer in tree.get("buffers", ()):
        _take_in(buffer, ("offset", "size", "data"), "Buffer", decoder)
    for subgraph in tree.get("subgraphs", ()):
        for operator in subgraph.get("operators", ()):
            _take_in(operator, _LARGE_OPTIONS, "Operator", decoder)


def _take_in(table: Table, names: tuple[str, str, str], kind: str, decoder: Decoder) -> None:
    offset, size, field = names
    start = table.get(offset, 0)
    if start <= 1:  # converters write 1 as a placeholder while they build
        return
    end = start + table.get(size, 0)
    if end > decoder.size:
        raise decoder.damaged(kind, offset, start, f"ends at {end}, behind the end of the file ({decoder.size})")
    decoder.end = max(decoder.end, end)
    table[field] = decoder.blobs.setdefault((start, end), decoder.data[start:end])
    table.pop(offset)
    table.pop(size, None)


def _flatbuffer_size(raw: memoryview, end: int) -> int:
    """Where the appended bytes begin: zeros up to the next multiple of 16 are padding, and zeros alone no appendix."""
    padded = -(-end // 16) * 16
    while end < min(padded, len(raw)) and not raw[end]:
        end += 1
    tail = raw[end:]
    return len(raw) if len(tail) < 64 and not any(tail) else end


def _code(code: Table) -> tuple[str, int, str]:
    number = max(code.get("builtin_code", 0), code.get("deprecated_builtin_code", 0))
    return schema.operator_name(number), code.get("version", 1), _text(code.get("custom_code"))


def _subgraph(table: Table, buffers: list[memoryview], codes: list[tuple[str, int, str]]) -> Subgraph:
    return Subgraph(
        name=_text(table.get("name")),
        tensors=tuple([_tensor(tensor, buffers) for tensor in table.get("tensors", ())]),
        inputs=ints(table.get("inputs")),
        outputs=ints(table.get("outputs")),
        operators=tuple([_operator(operator, codes) for operator in table.get("operators", ())]),
    )


def _tensor(table: Table, buffers: list[memoryview]) -> Tensor:
    number = table.get("type", 0)
    buffer = table.get("buffer", 0)
    quantization = table.get("quantization")
    return Tensor(
        name=_text(table.get("name")),
        shape=ints(table.get("shape")),
        shape_signature=ints(table.get("shape_signature")),
        type=schema.TENSOR_TYPES[number] if 0 <= number < len(schema.TENSOR_TYPES) else f"TYPE_{number}",
        buffer=buffer,
        quantization=_quantization(quantization) if quantization and "scale" in quantization else None,
        is_variable=bool(table.get("is_variable", 0)),
        data=buffers[buffer] or None,
    )


def _quantization(table: Table) -> Quantization | None:
    scale = _numbers(table["scale"], "f")
    if not scale:
        return None
    raw = table.get("zero_point", _NOTHING)
    count = len(raw) // 8 or len(scale)
    zero_point = (0,) * count if bytes(raw) == bytes(len(raw)) else _numbers(raw, "q")
    return Quantization(scale=scale, zero_point=zero_point, axis=table.get("quantized_dimension", 0))


def _operator(table: Table, codes: list[tuple[str, int, str]]) -> Operator:
    kind, version, custom_code = codes[table.get("opcode_index", 0)]
    return Operator(
        kind=kind,
        version=version,
        inputs=ints(table.get("inputs")),
        outputs=ints(table.get("outputs")),
        options=_options(table),
        custom_code=custom_code if kind == "CUSTOM" else "",
        custom_options=table.get("custom_options"),
        intermediates=ints(table.get("intermediates")),
    )


def _options(operator: Table) -> Mapping[str, Any]:
    for field, union in (("builtin_options", "BuiltinOptions"), ("builtin_options_2", "BuiltinOptions2")):
        given = operator.get(field)
        if given is not None:
            table = SCHEMA.members(union)[operator[field + "_type"]]
            return {
                name: default if name not in given else convert(given[name])
                for name, default, convert in _CONVERSIONS.get(table) or _conversions(table)
            }
    return {}


_Conversion = tuple[str, Any, Callable[[Any], Any]]
_CONVERSIONS: dict[str, tuple[_Conversion, ...]] = {}


def _conversions(table: str) -> tuple[_Conversion, ...]:
    """Per field of an options table its name, its default as a value, and what makes a value of what is in the file."""
    found = []
    for field in SCHEMA.fields(table):
        convert = _conversion(field)
        default: Any = None if field.kind not in NUMBERS else convert(field.default)
        if field.kind[0] == "[":
            default = ()
        found.append((field.name, "" if field.kind == "string" else default, convert))
    return _CONVERSIONS.setdefault(table, tuple(found))


def _conversion(field: Field) -> Callable[[Any], Any]:
    if field.enum:
        names = SCHEMA.values(field.enum)
        return lambda number: names[number] if 0 <= number < len(names) else f"{field.enum}_{number}"
    if field.kind == "bool":
        return bool
    if field.kind == "string":
        return _text
    if field.kind[0] == "[" and field.element in NUMBERS:
        return lambda raw: _numbers(raw, NUMBERS[field.element])
    return lambda value: value


def _signature(table: Table) -> Signature:
    return Signature(
        key=_text(table.get("signature_key")),
        subgraph=table.get("subgraph_index", 0),
        inputs=tuple((_text(entry.get("name")), entry.get("tensor_index", 0)) for entry in table.get("inputs", ())),
        outputs=tuple((_text(entry.get("name")), entry.get("tensor_index", 0)) for entry in table.get("outputs", ())),
    )


def _text(raw: memoryview | None) -> str:
    return "" if raw is None else str(raw, "utf-8", "backslashreplace")


def _numbers(raw: memoryview, code: str) -> tuple[Any, ...]:
    return struct.unpack(f"<{len(raw) // _SIZES[code]}{code}", raw)


def ints(raw: memoryview | None) -> tuple[int, ...]:
    """The numbers of a vector of 32-bit integers; none of one that is absent."""
    return struct.unpack(f"<{len(raw) // 4}i", raw) if raw else ()

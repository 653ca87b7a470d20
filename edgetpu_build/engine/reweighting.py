"""A google unit without Google's compiler: made from the artifact of another training, if that is proven.

What a compile needs to become the base of later ones is kept in the store, in a record of its own: the source, under
the architecture's fingerprint (a graph less its numbers, the compiler, the options), and which unit it was.
"""

from __future__ import annotations

from dataclasses import replace

from edgetpu_build.compiler.interface import Identity, Options
from edgetpu_build.engine import stored
from edgetpu_build.engine.fingerprint import Input, fingerprint, ingredients
from edgetpu_build.engine.stored import Made
from edgetpu_build.errors import Diagnostic, EdgeTpuBuildError, error
from edgetpu_build.store import Record, Store

_SOURCE = "0/source"
_HINT = "compile one model of this architecture with Google's compiler"


def base_key(identity: Identity, options: Options, data: bytes) -> str | None:
    """What a base is found by; None for a file that is no model."""
    from edgetpu_build.compiler.reweight import architecture
    from edgetpu_build.tflite.reader import read

    try:
        model = read(data)
    except EdgeTpuBuildError:
        return None
    if len(model.subgraphs) != 1:
        return None
    options = replace(options, reweight="off")  # whoever made it
    return fingerprint(ingredients(identity, options, [Input(sha256=f"architecture {architecture(model.main)}")]))


def remember(store: Store, base: str, key: str, data: bytes) -> None:
    """Keep the source of a compile, so that others of its architecture can be made from it."""
    store.put(base, {_SOURCE: data}, {"unit": key}, durable=False)


def reweight(store: Store, base: str, key: str, data: bytes) -> Made:
    """The unit ``key`` of source ``data``, made from the base, and kept. ETB323 or ETB322 where that is not proven."""
    from edgetpu_build.compiler.reweight import prove
    from edgetpu_build.tflite.reader import read

    source, before = _base(store, base)
    unit = stored.from_store(before, store.read)
    if unit is None or len(unit.members) != 1 or len(unit.members[0].artifacts) != 1:
        raise _gone()
    (artifact,) = unit.members[0].artifacts
    proven = prove(read(source), read(artifact.data), read(data)).data
    members = [{**before.facts["members"][0], "masked": [stored.masked(proven)]}]
    contents = {"0/artifact": proven}
    facts = {**before.facts, "members": members, "reweighted": artifact.sha256}
    result = stored.from_store(store.put(key, contents, facts), lambda blob: contents.get(blob.name))
    if result is None:
        raise _gone()
    return result


def told(problem: EdgeTpuBuildError) -> Diagnostic:
    """Why a unit was compiled after all."""
    first = problem.diagnostics[0]
    return Diagnostic(code=first.code, message=f"not reweighted: {first.message}", severity="note")


def _base(store: Store, base: str) -> tuple[bytes, Record]:
    """Source and record of the base. A unit that was reweighted itself is none: errors must not breed."""
    record = store.peek(base)
    if record is None:
        raise error("ETB323", "the store holds no compile of a model of this architecture", _HINT)
    source = next((store.read(blob) for blob in record.blobs if blob.name == _SOURCE), None)
    before = store.peek(str(record.facts.get("unit", "")).ljust(64, "0"))
    if source is None or before is None or before.facts.get("reweighted"):
        raise _gone()
    return source, before


def _gone() -> EdgeTpuBuildError:
    return error("ETB323", "the compile that it would be made from is not in the store any more", _HINT)

"""Where the compiled models in a wheel come from, as a CycloneDX bill of materials (for `.dist-info/sboms`, PEP 770).

Made from the lock alone, so equal locks give equal text: no time, no serial number, no path of this machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from edgetpu_build.engine.lockfile import Lock, LockedMember, LockedUnit
from edgetpu_build.engine.outcome import Output

SPECIFICATION = "1.6"


def page(lock: Lock, project: str) -> str:
    """CycloneDX JSON: one machine-learning-model component a compiled file, each with its source as ancestor."""
    components = [
        _component(unit, member, output)
        for _, unit in sorted(lock.units.items())
        for member in unit.members
        for output in member.outputs
    ]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "version": 1,
        "metadata": {"component": {"type": "library", "name": project}, "tools": {"components": list(_tools(lock))}},
        "components": components,
    }
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _component(unit: LockedUnit, member: LockedMember, output: Output) -> dict[str, Any]:
    facts = {
        "unit": unit.name,
        "kind": unit.kind,
        "target": unit.target,
        "compiler": f"{unit.compiler.name} {unit.compiler.version}",
        "fingerprint": unit.fingerprint,
        "masked-sha256": output.masked_sha256,
        "arguments": _arguments(unit),
    }
    ancestor = {"type": "machine-learning-model", "name": member.source, "hashes": [_hash(member.sha256)]}
    return {
        "type": "machine-learning-model",
        "bom-ref": output.path,
        "name": output.path,
        "hashes": [_hash(output.sha256)],
        "pedigree": {"ancestors": [ancestor]},
        "properties": [{"name": f"edgetpu-build:{name}", "value": value} for name, value in facts.items() if value],
    }


def _arguments(unit: LockedUnit) -> str:
    """What Google's compiler was told; builtin's options are in the lock alone."""
    if unit.compiler.name != "google":
        return ""
    from edgetpu_build.compiler.google.command import described

    return " ".join(described(unit.options, [member.intermediate_tensors for member in unit.members]))


def _tools(lock: Lock) -> Iterator[dict[str, str]]:
    name, _, version = lock.generator.partition(" ")
    yield {"type": "application", "name": name, "version": version}
    for compiler in sorted({(unit.compiler.name, unit.compiler.version) for unit in lock.units.values()}):
        yield {"type": "application", "name": f"compiler {compiler[0]}", "version": compiler[1]}


def _hash(sha256: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": sha256}

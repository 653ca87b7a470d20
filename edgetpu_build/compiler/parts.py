"""From a forecast to what an artifact holds: parameter blobs, and where in them each constant lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from edgetpu_build.compiler.artifact import Part, Relocation
from edgetpu_build.compiler.caching import Decision
from edgetpu_build.compiler.forecast import Forecast
from edgetpu_build.tflite import surgery
from edgetpu_build.tflite.model import Subgraph


def parts(forecast: Forecast, generation: str, address: int = 0) -> list[Part]:
    """One part for each Edge TPU operator. Layers lie in the blobs in file order, as Google's compiler lays chains.

    Cached blobs stand in the on-chip memory one behind another from ``address`` on.
    """
    subgraph = forecast.model.main
    by_operator: dict[int, list[Decision]] = {}
    for decision in forecast.decisions:
        by_operator.setdefault(decision.candidate.layer.index, []).append(decision)
    found = []
    for operators, need in zip(forecast.placement.partitions, forecast.activations, strict=True):
        mine = [(place, decision) for place, index in enumerate(operators) for decision in by_operator.get(index, ())]
        inputs, outputs = surgery.boundary(subgraph, operators)
        cached, held = _blob([at for at in mine if at[1].cached], subgraph, generation, "cached")
        streamed, sent = _blob([at for at in mine if not at[1].cached], subgraph, generation, "streamed")
        found.append(
            Part(
                operators=operators,
                inputs=inputs,
                outputs=outputs,
                cached=cached,
                streamed=streamed,
                relocations=(*held, *sent),
                address=address,
                narrow_memory=int(need.per_tile.value or 0),
            )
        )
        address += len(cached)
    return found


def _blob(
    layers: Sequence[tuple[int, Decision]], subgraph: Subgraph, generation: str, kind: Literal["cached", "streamed"]
) -> tuple[bytes, list[Relocation]]:
    """The bytes of the layers (place in the program, decision), and where each constant lies in them.

    A relocation's ``layout`` names generation and place ("16.0:7"): what ``parameters.layout`` says of these unpacks
    the bytes.
    """
    chunks: list[bytes] = []
    relocations: list[Relocation] = []
    offset = 0
    for place, decision in layers:
        layer = decision.candidate.layer
        chunks.append(layer.blob())
        layout = f"{generation}:{place}"
        relocations += [
            Relocation(tensor=index, blob=kind, offset=offset, size=layer.size, layout=layout)
            for index in dict.fromkeys(subgraph.operators[layer.index].inputs)
            if index >= 0 and subgraph.tensors[index].data is not None and index not in layer.absent
        ]
        offset += layer.size
    return b"".join(chunks), relocations

"""Makes google.jsonl.gz: what Google's compiler did with public models, reduced to facts and figures.

Use:  python tests/fidelity/make_data.py ../shared/reference/corpus One JSON object a line. ``{"graph": KEY, "ops":
[...], "tensors": [...], "inputs": [...], "outputs": [...]}`` describes an original (no weights, no tensor names);
``{"row": ID, ...}`` is one compile of it: placement, bytes, printed figures. Only facts are kept; the files they were
read from belong to their authors.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).with_name("google.jsonl.gz")
RENAMED = {"dilation_hfactor": "dilation_h_factor", "dilation_wfactor": "dilation_w_factor"}
NOT_OURS = {"quantized_bias_type"}
ROW_KEYS = (
    "source", "family", "kind", "segment", "set", "runtime", "cached", "streamed", "tpu_ops", "cpu_ops", "n_custom_ops",
    "compiled_with", "compiled_with_sure", "order", "original_is_segment", "placement_doubtful", "memory_doubtful",
    "printed",
)  # fmt: skip
TENSOR_KEYS = (
    "scales",
    "scale",
    "zp",
    "qdim",
    "bytes",
    "range",
    "values",
    "same",
    "scale_same",
    "shape_sig",
    "variable",
)


def compiler_of(row: dict[str, Any]) -> str | None:
    """The compiler's version as major.minor; None where it is older than 1.0."""
    version = row.get("generation") or (row.get("log") or {}).get("compiler_version")
    if not version:
        old = "2.0" if row.get("description") == "Exported from Interpreter." else "15.0"
        version = {14: "16.0", 13: "16.0", 12: old, 10: "1.0"}.get(row.get("runtime", 0))
    return version and ".".join(version.split(".")[:2])


def tensor_facts(tensor: dict[str, Any]) -> dict[str, Any]:
    facts = {"shape": tensor["shape"], "type": tensor["dtype"]}
    return facts | {key: tensor[key] for key in TENSOR_KEYS if key in tensor}


def operator_facts(op: dict[str, Any]) -> dict[str, Any]:
    facts = {"op": op["op"], "in": op["inputs"], "out": op["outputs"]}
    if op.get("version", 1) != 1:
        facts["version"] = op["version"]
    if op.get("custom"):
        facts["custom"] = op["custom"]
    options = {RENAMED.get(key, key): value for key, value in (op.get("options") or {}).items() if key not in NOT_OURS}
    return facts | ({"options": options} if options else {})


def graph_facts(key: str, graph: dict[str, Any]) -> dict[str, Any]:
    return {
        "graph": key,
        "inputs": graph["inputs"],
        "outputs": graph["outputs"],
        "ops": [operator_facts(op) for op in graph["ops"]],
        "tensors": [tensor_facts(tensor) for tensor in graph["tensors"]],
    }


def row_facts(row: dict[str, Any]) -> dict[str, Any]:
    facts = {"row": row["id"], "graph": Path(row["graph"]).stem, "compiler": compiler_of(row)}
    facts |= {key: row[key] for key in ROW_KEYS if row.get(key) not in (None, [], False)}
    if row.get("log"):
        facts["log"] = row["log"]["operators"]
    if row.get("executables"):
        facts["executables"] = [
            [e["type"], e.get("params"), e.get("narrow_per_tile"), e.get("instr_bytes")] for e in row["executables"]
        ]
    return facts


def main(corpus: Path) -> None:
    lines: list[dict[str, Any]] = []
    for folder in (corpus, corpus / "printed"):
        rows = [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines() if line.strip()]
        rows = [row for row in rows if row.get("graph") and not row.get("doubts") and compiler_of(row)]
        paths = sorted({row["graph"] for row in rows})
        lines += [graph_facts(Path(path).stem, json.loads((folder / path).read_text())) for path in paths]
        lines += [row_facts(row) for row in rows]
    text = "".join(json.dumps(line, separators=(",", ":"), sort_keys=True) + "\n" for line in lines)
    TARGET.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

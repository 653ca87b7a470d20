"""Real models, where they lie beside the repository: ``../shared/reference/corpus``. Tests skip without them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parents[2].parent / "shared" / "reference" / "corpus"


def real(suffix: str) -> list[Path]:
    """Files of the corpus that end so: "original.tflite", "edgetpu.tflite"."""
    return sorted((CORPUS / "real").glob(f"*{suffix}"))


def rows() -> dict[str, dict[str, Any]]:
    """What is known of each compiled file, by its name."""
    index = CORPUS / "real" / "INDEX.jsonl"
    return {row["compiled"]: row for row in map(json.loads, index.read_text().splitlines())} if index.exists() else {}


def graphs() -> list[Path]:
    """Graph facts of real models, for ``models.build``."""
    return sorted((CORPUS / "graphs").glob("*.json"))

"""Names: the program sees ours only, the user his own only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from edgetpu_build.compiler.google.command import OUT


def model(position: int) -> str:
    """The stem of an input: no blank, bracket, dash or letter that a shell or a script could stumble over."""
    return f"model{position}"


def restored(text: str, labels: Sequence[str]) -> str:
    """The program's words with the user's names instead of ours: outputs by their stems, inputs as they were given."""
    for position in reversed(range(len(labels))):
        stem = PurePath(labels[position]).name.removesuffix(".tflite")
        ours = model(position)
        text = text.replace(f"{OUT}/{ours}_", f"{stem}_").replace(f"{ours}_segment_", f"{stem}_segment_")
        text = text.replace(f"{ours}_edgetpu", f"{stem}_edgetpu").replace(f"{ours}.tflite", labels[position])
    return text


def with_slots(log: str) -> str:
    """A `.log` with slots where its two paths stand; "" for none."""
    lines = log.split("\n")
    slots: dict[str, str] = {"Input: ": "Input: {input}", "Output: ": "Output: {output}"}
    for number, line in enumerate(lines[:4]):
        for head, slot in slots.items():
            if line.startswith(head):
                lines[number] = slot
    return "\n".join(lines)

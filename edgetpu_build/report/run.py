"""`run` for a person and for a program: what came out, and what the devices did for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from edgetpu_build.report import text
from edgetpu_build.report.style import PLAIN, Style, printable

if TYPE_CHECKING:
    from edgetpu_build.runtime.session import Output, Run, Used

FEW = 8  # values that a line has room for


def human(run: Run, style: Style = PLAIN) -> str:
    lines = [f"{style.paint(printable(', '.join(run.files)), 'bold')}: {text.plural(run.inferences, 'inference')}"]
    if run.made_up:
        lines.append(f"made-up input: {printable(', '.join(run.made_up))} (`--input FILE` gives one)")
    for output in run.outputs:
        lines += _output(output)
    lines += [_device(used) for used in run.devices]
    return "\n".join(lines)


def to_json(run: Run) -> dict[str, Any]:
    """The command's own keys: files, inferences, made_up, outputs, devices."""
    document = asdict(run)
    del document["warnings"]
    return document


def _output(output: Output) -> Iterator[str]:
    yield f"{printable(output.name)}: {output.dtype} {list(output.shape)}, sha256 {output.sha256[:16]}"
    for found in output.classes:
        yield f"  {found.score:8.4f}  {found.id:>5}  {printable(found.label)}".rstrip()
    if output.values and not output.classes:
        shown = ", ".join(f"{value:g}" for value in output.values[:FEW])
        yield f"  {shown}{', ...' if len(output.values) > FEW else ''}"


def _device(used: Used) -> str:
    head = f"device {used.name} ({used.type})"
    if used.stats is None:
        return head
    stats = used.stats
    told = [
        f"{text.plural(stats['parameter_loads'], 'load')} of {text.size(stats['parameter_bytes_sent'])}",
        f"{text.size(stats['streamed_bytes'])} streamed",
        text.plural(stats["wipes"], "wipe"),
        text.plural(stats["overlaps"], "overlap"),
    ]
    return f"{head}: {', '.join(told)}, token {stats['token'] or 'none'}"

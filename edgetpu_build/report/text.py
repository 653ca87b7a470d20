"""Numbers as people read them: "6.50 MiB", "~12", "?", "+412 KiB". Every report prints them alike."""

from __future__ import annotations

from collections.abc import Callable

from edgetpu_build.figure import Figure

LEGEND = {"~": "estimated", "?": "unknown"}


def size(amount: float) -> str:
    """Bytes, three figures or so: "0 B", "412 B", "64.0 KiB", "6.50 MiB"."""
    if abs(amount) >= 1 << 30:
        return f"{amount / (1 << 30):.2f} GiB"
    if abs(amount) >= 1 << 20:
        return f"{amount / (1 << 20):.2f} MiB"
    if abs(amount) >= 1 << 10:
        return f"{amount / (1 << 10):.1f} KiB"
    return f"{amount:.0f} B"


def count(amount: float) -> str:
    return f"{amount:.0f}"


def milliseconds(amount: float) -> str:
    return f"{amount:.2f} ms"


def figure(value: Figure, render: Callable[[float], str] = count) -> str:
    """`~` before an estimate, `?` for what nobody knows."""
    if value.value is None:
        return "?"
    return ("~" if value.confidence == "estimated" else "") + render(value.value)


def signed(amount: float, render: Callable[[float], str] = count) -> str:
    """With its sign: "+64.0 KiB", "-2"."""
    return ("+" if amount > 0 else "-" if amount < 0 else "") + render(abs(amount))


def plural(amount: int, noun: str) -> str:
    """ "1 unit", "4 units"."""
    return f"{amount} {noun}" if amount == 1 else f"{amount} {noun}s"

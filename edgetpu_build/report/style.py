"""How much a place to print can show: colour, characters beyond ASCII, width. And text measured as a terminal does."""

from __future__ import annotations

from dataclasses import dataclass

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}


@dataclass(frozen=True, slots=True)
class Style:
    """``width`` None: no limit (a pipe or a file). Nothing may depend on colour to be understood."""

    color: bool = False
    unicode: bool = True
    width: int | None = None

    def paint(self, text: str, *names: str) -> str:
        """The text in the named colours, or untouched."""
        if not self.color or not text:
            return text
        return f"\x1b[{';'.join(_CODES[name] for name in names)}m{text}\x1b[0m"

    def glyph(self, fancy: str, plain: str) -> str:
        return fancy if self.unicode else plain


PLAIN = Style()


def printable(text: str) -> str:
    """Control characters as `\\x1b`: a file's name must not move the cursor or forge a line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def width(text: str) -> int:
    """Columns that a terminal needs: 2 for wide characters, 0 for combining ones."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """Filled with blanks to ``columns``; ``right`` aligns to the right."""
    blanks = " " * max(0, columns - width(text))
    return blanks + text if right else text + blanks


def shorten(text: str, columns: int, mark: str = "…") -> str:
    """The text in at most ``columns``, the middle left out: names differ at their ends."""
    if width(text) <= columns:
        return text
    head, tail = text, ""
    keep = max(0, columns - width(mark))
    while width(head) > keep - keep // 2:
        head = head[:-1]
    for character in reversed(text[len(head) :]):
        if width(tail) + width(character) > keep // 2:
            break
        tail = character + tail
    return head + mark + tail

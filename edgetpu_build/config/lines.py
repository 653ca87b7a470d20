"""Where each key of a TOML text stands: tomllib gives values without places, and every error of ours wants a line.

One pass over a text that tomllib has already accepted, hence no errors here. A path is a tuple of keys and, inside
arrays, positions: ``("tool", "edgetpu", "groups", "door", "models", 1)``.
"""

from __future__ import annotations

import re

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*(?:([A-Za-z0-9_-]+)|"((?:[^"\\\n]|\\.)*)"|'([^'\n]*)')[ \t]*""")
_LONG = {
    '"""': re.compile(r'"""(?:[^"\\]|\\.|"(?!"")|\\\n)*?"{3,5}', re.DOTALL),
    "'''": re.compile(r"'''(?:[^']|'(?!''))*?'{3,5}", re.DOTALL),
}
_SHORT = {'"': re.compile(r'"(?:[^"\\\n]|\\.)*"'), "'": re.compile(r"'[^'\n]*'")}
_BARE = re.compile(r"[^,\]}#\r\n]+")


def key_lines(text: str) -> dict[KeyPath, int]:
    """Line (from 1) of every key, table header and array element; a table made by dotted keys stands at its first."""
    scan = _Scan(text)
    scan.document()
    return scan.lines


def sections(text: str) -> list[tuple[KeyPath, int]]:
    """Tables in the order of their headers, each with the offset where its last statement ends; the first is ()."""
    scan = _Scan(text)
    scan.document()
    return scan.sections


def spans(text: str) -> dict[KeyPath, tuple[int, int]]:
    """Where each value begins and ends, as offsets."""
    scan = _Scan(text)
    scan.document()
    return scan.spans


class _Scan:
    """A position in the text, and the lines found so far."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self.tables: dict[KeyPath, int] = {}  # arrays of tables -> how many elements
        self.spans: dict[KeyPath, tuple[int, int]] = {}
        self.sections: list[tuple[KeyPath, int]] = [((), 0)]
        self._counted = 0
        self._line = 1

    def document(self) -> None:
        here: KeyPath = ()
        while self._skip():
            if self.text[self.at] == "[":
                here = self._header()
                self.sections.append((here, self.at))
            else:
                self._assignment(here)
                self.sections[-1] = (here, self.at)

    def _skip(self) -> bool:
        """Over blanks, newlines and comments; False at the end."""
        self.at = _BLANK.match(self.text, self.at).end()  # type: ignore[union-attr]
        return self.at < len(self.text)

    def _here(self) -> int:
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line

    def _keys(self) -> list[str]:
        keys = []
        while True:
            match = _KEY.match(self.text, self.at)
            bare, basic, literal = match.groups()  # type: ignore[union-attr]
            keys.append(_unescape(basic) if basic is not None else bare if bare is not None else literal)
            self.at = match.end()  # type: ignore[union-attr]
            if self.text[self.at] != ".":
                return keys
            self.at += 1

    def _header(self) -> KeyPath:
        line = self._here()
        brackets = 2 if self.text.startswith("[[", self.at) else 1
        self.at += brackets
        path: KeyPath = ()
        *parents, last = self._keys()
        self.at += brackets
        for key in parents:
            path = (*path, key)
            self.lines.setdefault(path, line)
            path += (self.tables[path] - 1,) if path in self.tables else ()
        path = (*path, last)
        if brackets == 1:
            self.lines[path] = line
            return path
        self.lines.setdefault(path, line)
        index = self.tables.get(path, 0)
        self.tables[path] = index + 1
        self.lines[(*path, index)] = line
        return (*path, index)

    def _assignment(self, path: KeyPath) -> None:
        line = self._here()
        for key in self._keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self.at += 1  # the equals sign
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        self._skip()
        start = self.at
        first = self.text[start]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        else:
            pattern = _LONG.get(self.text[self.at : self.at + 3]) or _SHORT.get(first) or _BARE
            self.at = pattern.match(self.text, self.at).end()  # type: ignore[union-attr]
        self.spans[path] = (start, self.at)

    def _array(self, path: KeyPath) -> None:
        index = 0
        while self._more("]"):
            self.lines[(*path, index)] = self._here()
            self._value((*path, index))
            index += 1

    def _inline_table(self, path: KeyPath) -> None:
        while self._more("}"):
            self._assignment(path)

    def _more(self, end: str) -> bool:
        """Past the opening bracket or the comma to the next element; False past the closing bracket."""
        self._skip()
        if self.text[self.at] != end:
            self.at += 1
            self._skip()
        if self.text[self.at] != end:
            return True
        self.at += 1
        return False


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    from edgetpu_build.config.toml import loads

    return str(loads(f'key = "{text}"')["key"])

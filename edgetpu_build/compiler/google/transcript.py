"""What Google's program prints and logs, of every version seen (1.0 to 16.0), as values.

One reader for both: terminal output and `.log` files share their table. Lines may come indented, quoted or wrapped by
a page that they were pasted in; what is not understood is kept in ``unread``, never guessed at. A program that runs
elsewhere (container, ssh) may add lines of its own: they end up there, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Literal

from edgetpu_build.compiler.text import Attempt, Row
from edgetpu_build.figure import UNKNOWN, Figure, exact

Form = Literal["terminal", "log"]
STEP = 64
"""Bytes: room in the tiles is always a multiple of it."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A size as printed: between ``low`` and ``high`` bytes, for it has two decimals of a unit."""

    text: str
    low: float
    high: float

    def figure(self) -> Figure:
        """Exact where only one multiple of 64 bytes prints so (up to 1 MiB), else the printed value and its range."""
        first = int(-(-self.low // STEP)) * STEP
        if first <= self.high < first + STEP:
            return exact(first)
        return Figure(round((self.low + self.high) / 2), "estimated", self.low, self.high)

    def holds(self, size: float) -> bool:
        """Whether a size would be printed so."""
        return self.low <= size <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What is told of one model or segment. Paths as printed; None for what was not."""

    source: str = ""
    output: str = ""
    log: str = ""
    source_size: Printed | None = None
    output_size: Printed | None = None
    available: Printed | None = None
    used: Printed | None = None
    remaining: Printed | None = None
    off_chip: Printed | None = None
    subgraphs: int | None = None
    operators: int | None = None
    mapped: int | None = None
    on_cpu: int | None = None
    warned: bool = False
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A line that tells of trouble. ``kind``: see ``MESSAGES``; ``detail``: what varies in it."""

    kind: str
    text: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """Everything between one version line and the next.

    ``milliseconds``: one a good compile (segments and searches have several). ``succeeded``: whether 16.0 said so at
    the end, None where nothing was said. ``step``: of a delegate search, 0 without. ``timer``: seconds, 0 without.
    """

    version: str = ""
    form: Form = "terminal"
    blocks: tuple[Block, ...] = ()
    milliseconds: tuple[int, ...] = ()
    messages: tuple[Message, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    step: int = 0
    timer: int = 0
    succeeded: bool | None = None
    unread: tuple[str, ...] = ()

    @property
    def trouble(self) -> tuple[Message, ...]:
        """Messages that explain a failure, those that merely state it last."""
        return tuple(sorted(self.messages, key=lambda message: message.kind in ("failed", "prepare")))


MESSAGES: tuple[tuple[str, str], ...] = (
    ("reason", r"Compilation failed: (.+)"),
    ("failed", r"Compilation failed!"),
    ("timeout", r"Compilation timeout\..*"),
    ("internal", r"Internal compiler error\. Aborting!"),
    ("model", r"Invalid model: ?(.*)"),
    ("not-quantised", r"Model not quantized\.?"),
    ("not-parsed", r"Model could not be parsed\.?"),
    ("lists", r"The number of lists given to intermediate_tensors .*"),
    ("dynamic", r"ERROR: Attempting to use a delegate that only supports static-sized tensors .*"),
    ("custom", r"ERROR: Encountered unresolved custom op: ([^.]*)\..*"),
    ("flex", r"ERROR: Regular TensorFlow ops are not supported by this interpreter\..*"),
    ("prepare", r"ERROR: (Node number .+ failed to prepare\.?)"),
    ("version", r"ERROR: (Didn't find op for builtin opcode .+)"),
    ("opcode", r"ERROR: Op builtin_code out of range: (\d+).*"),
    ("registration", r"ERROR: Registration failed\..*"),
    ("restored", r"ERROR: Restored original execution plan after delegate application failure\..*"),
    ("empty", r"ERROR: Did not get operators, tensors, or buffers in subgraph .*"),
    ("unsupported", r"loc\(.*\): error: (.+)"),
    ("error", r"ERROR: (.+)"),
    ("aborted", r"(?:.*: )?terminat(?:e|ing) (?:called|with uncaught exception).*"),
    ("crashed", r".*(?:Segmentation fault|core dumped|Illegal instruction|Aborted|Bus error|Killed).*"),
)
_MESSAGES = tuple((kind, re.compile(pattern)) for kind, pattern in MESSAGES)
HARMLESS = ("failed", "restored")

_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_SIZE = re.compile(r"([0-9]+)(?:\.([0-9]+))?\s*(B|KiB|MiB|GiB)")
_SIZES = {
    "Input size": "source_size",
    "Output size": "output_size",
    "On-chip memory available for caching model parameters": "available",
    "On-chip memory used for caching model parameters": "used",
    "On-chip memory remaining for caching model parameters": "remaining",
    "Off-chip memory used for streaming uncached model parameters": "off_chip",
    "Off-chip memory used for streaming uncached parameters": "off_chip",
}
_COUNTS = {
    "Number of Edge TPU subgraphs": "subgraphs",
    "Total number of operations": "operators",
    "Number of operations that will run on Edge TPU": "mapped",
    "Number of operations that will run on CPU": "on_cpu",
}
_PATHS = {"Output model": "output", "Output": "output", "Operation log": "log"}
_BANNER = re.compile(r"(?:^|.*\s)Edge TPU Compiler version ([0-9][0-9.]*[0-9])(?:\s.*)?$")
_GOOD = re.compile(r"Models? compiled successfully in (\d+) ms[.!]?")
_TIMER = re.compile(r"Started a compilation timeout timer of (\d+) seconds\.")
_STEP = re.compile(r"Searching for valid delegate with step (\d+)")
_TRY = re.compile(r"Try to compile segment with (\d+) ops?")
_HEAD = re.compile(r"Operator\s+Count\s+Status")
_ROW = re.compile(r"([A-Za-z][\w-]*)\s+(\d+)\s+(\S.*)")
_CHATTER = re.compile(
    r"See the operation log file for individual operation details\."
    r"|Compilation child process completed within timeout period\."
    r"|INFO: .*|WARNING: .*"
)
_NOT_ALL = "Model successfully compiled but not all operations are supported by the Edge TPU."
_MARKS = re.compile(r"^(?:\s*[>#*|]+\s?)+")
_STATUS_WORDS = ("Mapped", "Operation", "More than", "Tensor", "Filter", "Only", "For example")


def read(text: str) -> tuple[Transcript, ...]:
    """Every run in a text, in order: one a version line. Text without any is one run if something in it is understood.

    >>> read("Edge TPU Compiler version 16.0.384591198")[0].version
    '16.0.384591198'
    """
    readers: list[_Reader] = []
    for line in map(_plain, text.split("\n")):
        banner = _BANNER.match(line)
        if banner:
            readers.append(_Reader(banner[1]))
        elif line:
            if not readers:
                readers.append(_Reader(""))
            readers[-1].take(line)
    found = (reader.done() for reader in readers)
    return tuple(run for run in found if run.version or run.blocks or run.messages)


def row(line: str) -> Row | None:
    """One line of the operator table."""
    found = _ROW.fullmatch(line)
    return Row(found[1], int(found[2]), found[3].strip()) if found else None


def printed(text: str) -> Printed | None:
    """The size in a text such as "6.50MiB": what would be printed so, ties included."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        return None
    unit, digits = _UNITS[found[3]], found[2] or ""
    value = float(f"{found[1]}.{digits or 0}") * unit
    half = unit / 10 ** len(digits) / 2 if unit > 1 else 0
    return Printed(text.strip(), max(0.0, value - half), value + half)


def _plain(line: str) -> str:
    """Without what a page put around it."""
    return _MARKS.sub("", line).strip(" \t\r`*_")


@dataclass(slots=True)
class _Reader:
    """Owns what was read of one run so far."""

    version: str
    form: Form = "terminal"
    blocks: list[Block] = field(default_factory=list)
    milliseconds: list[int] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    step: int = 0
    timer: int = 0
    succeeded: bool | None = None
    unread: list[str] = field(default_factory=list)
    in_table: bool = False

    def done(self) -> Transcript:
        return Transcript(
            version=self.version,
            form=self.form,
            blocks=tuple(self.blocks),
            milliseconds=tuple(self.milliseconds),
            messages=tuple(self.messages),
            attempts=tuple(self.attempts),
            step=self.step,
            timer=self.timer,
            succeeded=self.succeeded,
            unread=tuple(self.unread),
        )

    def take(self, line: str) -> None:
        if not any(reads(line) for reads in (self._field, self._state, self._search, self._table, self._message)):
            self.unread.append(line)

    def _field(self, line: str) -> bool:
        name, colon, value = line.partition(":")
        value = value.strip()
        if not colon:
            return False
        if name in ("Input model", "Input"):
            self.form = "terminal" if name == "Input model" else "log"
            self.blocks.append(Block(source=value))
        elif name in _PATHS:
            self._set(_PATHS[name], value)
        elif name in _SIZES and printed(value):
            self._set(_SIZES[name], printed(value))
        elif name in _COUNTS and value.isdigit():
            self._set(_COUNTS[name], int(value))
        else:
            return False
        self.in_table = False
        return True

    def _set(self, name: str, value: object) -> None:
        """Into the last block; a page that lost a block's head still shows where the next begins."""
        if not self.blocks or (name in ("used", "operators") and getattr(self.blocks[-1], name) is not None):
            self.blocks.append(Block())
        self.blocks[-1] = replace(self.blocks[-1], **{name: value})  # type: ignore[arg-type]

    def _state(self, line: str) -> bool:
        if found := _GOOD.fullmatch(line):
            self.milliseconds.append(int(found[1]))
        elif found := _TIMER.fullmatch(line):
            self.timer, self.in_table = int(found[1]), False
        elif line == "Compilation succeeded!":
            self.succeeded, self.in_table = True, False
            self._searched(failed=False)
        elif line.startswith(_NOT_ALL):
            self._set("warned", value=True)
        else:
            return bool(_CHATTER.fullmatch(line))
        return True

    def _search(self, line: str) -> bool:
        if found := _STEP.fullmatch(line):
            self.step = int(found[1])
        elif found := _TRY.fullmatch(line):
            self._searched(failed=True)
            self.attempts.append(Attempt(operators=int(found[1])))
        elif line.startswith("Intermediate tensors:"):
            names = tuple(filter(None, line.partition(":")[2].strip().split(",")))
            if self.attempts:
                self.attempts[-1] = replace(self.attempts[-1], intermediate_tensors=names)
        else:
            return False
        return True

    def _searched(self, *, failed: bool, reason: str = "") -> None:
        """What became of the last try: the next one starts only where it failed."""
        if self.attempts and failed:
            last = self.attempts[-1]
            self.attempts[-1] = replace(last, failed=True, reason=reason or last.reason)

    def _table(self, line: str) -> bool:
        if _HEAD.fullmatch(line):
            self.in_table = True
            return True
        found = row(line)
        if found and (self.in_table or found.status.startswith(_STATUS_WORDS)):
            if not self.blocks:
                self.blocks.append(Block())
            self.blocks[-1] = replace(self.blocks[-1], rows=(*self.blocks[-1].rows, found))
            return True
        return self.in_table and self._wrapped(line)

    def _wrapped(self, line: str) -> bool:
        """The rest of a status that a page broke: its start and this make a status that is known."""
        rows = self.blocks[-1].rows if self.blocks else ()
        if not rows or _told(line):
            return False
        whole = f"{rows[-1].status} {line}"
        if not any(status.startswith(whole) for status in STATUSES):
            return False
        self.blocks[-1] = replace(self.blocks[-1], rows=(*rows[:-1], replace(rows[-1], status=whole)))
        return True

    def _message(self, line: str) -> bool:
        message = _told(line)
        if message is None:
            return False
        self.in_table = False
        self.messages.append(message)
        if message.kind in ("failed", "internal", "timeout"):
            self.succeeded = False
        if message.kind in ("failed", "reason"):
            self._searched(failed=True, reason=message.detail)
        return True


def _told(line: str) -> Message | None:
    for kind, pattern in _MESSAGES:
        if found := pattern.fullmatch(line):
            return Message(kind=kind, text=line, detail=(found[1] or "") if found.groups() else "")
    return None


MAPPED = "Mapped to Edge TPU"
STATUSES = (
    MAPPED,
    "Operation is working on an unsupported data type",
    "Operation is otherwise supported, but not mapped due to some unspecified limitation",
    "More than one subgraph is not supported",
    "For example, a fully-connected or softmax layer with 2D output",
    "Tensor has unsupported rank (up to 3 innermost dimensions mapped)",
    "Operation not supported",
    "Operation version not supported",
    "Filter, bias, or other param is not constant at compile-time",
    "Only Strided-Slice with unitary strides supported",
)
"""Every status that a compiler was seen to print; others are read as well."""


def memory(block: Block) -> tuple[Figure, Figure, Figure]:
    """(available, used, off-chip) in bytes: 1.0 and 2.0 tell what is available, later ones what remains of it."""
    used = block.used.figure() if block.used else UNKNOWN
    off_chip = block.off_chip.figure() if block.off_chip else UNKNOWN
    if block.available:
        return block.available.figure(), used, off_chip
    if not block.remaining or used.value is None:
        return UNKNOWN, used, off_chip
    left = block.remaining.figure()
    return _sum(left, used), used, off_chip


def _sum(one: Figure, other: Figure) -> Figure:
    value = (one.value or 0) + (other.value or 0)
    if one.confidence == other.confidence == "exact":
        return exact(value)
    low = sum((f.low if f.low is not None else f.value) or 0 for f in (one, other))
    high = sum((f.high if f.high is not None else f.value) or 0 for f in (one, other))
    return Figure(value, "estimated", low, high)

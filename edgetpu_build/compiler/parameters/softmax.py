"""SOFTMAX: a table for the last, incomplete group of four classes, as many planes as the generation has.

2 planes (15.0): integers that are 0, and the smallest where there is no class; floats, the scale of the input, and
the largest where there is no class. 3 planes (16.0): the integers twice. A fourth, a mask of 1.0, is a guess from two
models of 7 classes: it stands wherever one class is missing to a multiple of four. An unnamed build between 15.0 and
16.0 adds a row of 64 bytes for 1,001 unsigned classes, 16.0 does not: hence estimated.

Found in 38 of 38 tables bit for bit; nothing is stored where the class count is a multiple of four.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from edgetpu_build.compiler.parameters.header import f32
from edgetpu_build.compiler.parameters.layer import ALIGNMENT, Draft
from edgetpu_build.compiler.parameters.site import Site, channels, scale_of
from edgetpu_build.tflite.model import Tensor

SMALLEST = -(1 << 31)
LARGEST_FLOAT = 3.4028234663852886e38
ROW = ALIGNMENT // 4  # words in a row


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """``planes`` planes of a row of 64 bytes for every four of ``classes``."""

    what: str
    classes: int
    planes: int
    step: float
    exact: bool

    @property
    def size(self) -> int:
        return self.planes * ALIGNMENT * -(-self.classes // 4)

    def blob(self) -> bytes:
        integers = self._plane("i", 0, SMALLEST)
        floats = self._plane("f", self.step, f32(self.step * LARGEST_FLOAT))
        mask = self._plane("f", 1.0, 0.0)
        return {2: integers + floats, 3: integers * 2 + floats}.get(self.planes, integers * 2 + floats + mask)

    def unpack(self, blob: bytes | memoryview) -> dict[int, bytes]:
        return {}

    def _plane(self, code: str, value: float, filler: float) -> bytes:
        """A row of four classes is 16 words, of which the first four are used."""
        whole = array(code, [value, value, value, value] + [0] * (ROW - 4)).tobytes()
        used = self.classes % 4
        last = array(code, [value] * used + [filler] * (4 - used) + [0] * (ROW - 4)).tobytes()
        return whole * (self.classes // 4) + last


def softmax(site: Site) -> Draft | None:
    """Tables exist from 15.0 on."""
    source, classes = site.input(0), channels(site.output)
    planes = site.generation.softmax_planes
    if not planes or classes % 4 == 0:
        return None
    unsigned = source is not None and source.type == "UINT8"
    known = classes % 4 != 3
    if planes == 3 and not known:
        planes = 4
    table = Table(what="table", classes=classes, planes=planes, step=step_of(source), exact=known)
    return Draft(
        pieces=(table,),
        confidence="exact" if known and not (unsigned and classes % 4 == 1) else "estimated",
        reason=f"{planes} planes of 64 bytes for every four of {classes} classes: not a multiple of four",
    )


def step_of(source: Tensor | None) -> float:
    """The scale as the compiler finds it again from the ends of its range, in 32-bit floats."""
    scale = scale_of(source)
    given = source.quantization.zero_point if source and source.quantization else ()
    point = (*given, 0)[0] + (128 if source and source.type == "INT8" else 0)
    high, low = f32((255 - point) * scale), f32(-point * scale)
    return f32(f32(high - low) / 255)

"""TRANSPOSE_CONV: one convolution for each output phase, since with stride s an output position meets every s-th tap
only.

Sizes from the five layers of one public compile (2.0): each phase has its own multipliers and zero points. The order
of the phases in the blob is not known; here they follow one another.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgetpu_build.compiler.parameters import header
from edgetpu_build.compiler.parameters.convolution import data_of, maps
from edgetpu_build.compiler.parameters.layer import ALIGNMENT, Draft, up
from edgetpu_build.compiler.parameters.matrix import Matrix
from edgetpu_build.compiler.parameters.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """The matrices of all phases, of the same weights but different taps, without gaps between them."""

    what: str
    matrices: tuple[Matrix, ...]
    exact: bool = False

    @property
    def tensor(self) -> int:
        return self.matrices[0].tensor

    @property
    def header(self) -> header.Header:
        return self.matrices[0].header

    @property
    def size(self) -> int:
        return up(sum(matrix.used for matrix in self.matrices), ALIGNMENT)

    def blob(self) -> bytes:
        return b"".join(matrix.blob()[: matrix.used] for matrix in self.matrices).ljust(self.size, b"\0")

    def unpack(self, blob: bytes | memoryview) -> dict[int, bytes]:
        whole, found, start = bytearray(len(self.matrices[0].data)), {}, 0
        for matrix in self.matrices:
            part = bytes(blob[start : start + matrix.used]).ljust(matrix.size, b"\0")
            start += matrix.used
            found = matrix.unpack(part)
            _take(whole, found[matrix.tensor], matrix)
        return found | {self.tensor: bytes(whole)}


def _take(whole: bytearray, weights: bytes, matrix: Matrix) -> None:
    """Copies the taps that this phase holds."""
    depth, taps = matrix.runs[0], len(matrix.runs)
    for row in range(matrix.outputs):
        for tap in matrix.kept or range(taps):
            start = (row * taps + tap) * depth
            whole[start : start + depth] = weights[start : start + depth]


def transposed(site: Site) -> Draft | None:
    """Constant weights. Bytes: lanes x (phases x header + all taps)."""
    source, weights = site.input(2), site.input(1)
    if source is None or weights is None or not maps(source, weights, site.output):
        return None
    outputs, height, width, depth = weights.shape
    stride_h, stride_w = (max(1, site.operator.options.get(f"stride_{letter}", 1)) for letter in "hw")
    head = header.of(site, source, weights, 3, outputs)
    phases = [(y, x) for y in range(min(height, stride_h)) for x in range(min(width, stride_w))]
    matrices = tuple(
        Matrix(
            what="weights",
            tensor=site.number(1),
            data=data_of(weights),
            outputs=outputs,
            runs=(depth,) * (height * width),
            kept=tuple(r * width + c for r in range(y, height, stride_h) for c in range(x, width, stride_w)),
            header=head,
            zero_points=header.stored_zero_points(weights, outputs),
            flip=weights.type == "INT8",
            spatial=True,
        )
        for y, x in phases
    )
    piece = Phases(what="weights", matrices=matrices)
    return Draft(
        pieces=(piece,),
        chunks=matrices[0].chunks,
        chunk_size=sum(matrix.chunk_size for matrix in matrices),
        confidence="estimated",
        reason=f"{len(phases)} convolutions, one an output phase, of {outputs} output channels",
    )

"""Rules about how large a tensor may be: what must fit one tile, or all of them."""

from __future__ import annotations

import math

from edgetpu_build.chip.case import Case, elements, fullest_tile, inner, reduced, shape_text
from edgetpu_build.chip.facts import KIB, MIB, TILE_ACTIVATION_BYTES, TILES
from edgetpu_build.chip.rules.rule import (
    LIMIT,
    Broken,
    about,
    rule,
)

RESIZES = ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
TILE_KIB = TILE_ACTIVATION_BYTES // KIB
CHIP_ACTIVATION_MIB = TILES * TILE_ACTIVATION_BYTES // MIB
SOFTMAX_LENGTH = 16_384  # longest seen mapped; the models page says 16,000
BILINEAR_FACTOR = 8
MEAN_POSITIONS = 16_384


@rule("single-row", LIMIT, "measured")
def single_row(case: Case) -> Broken | None:
    """a tensor with a single row must not exceed the {TILE_KIB} KiB of one tile

    Known: 99 operators of 14 models, all detectors, none against. Without rows to deal out it is held whole in every
    tile. The largest seen mapped has 174,447 bytes, the smallest refused 230,400."""
    for tensor in (*case.data, *case.outputs):
        if inner(tensor)[0] == 1 and elements(tensor) > TILE_ACTIVATION_BYTES:
            hint = "keep rows and columns apart for longer (work on [1, y, x, c]), or use a smaller input"
            return about(tensor, f"of shape {shape_text(tensor)} takes {elements(tensor):,} bytes", hint)
    return None


@rule("reshape-size", LIMIT, "fitted", "RESHAPE")
def reshape_size(case: Case) -> Broken | None:
    """input and output of a RESHAPE together must fit the {TILE_KIB} KiB of one tile

    Known: none against, but only one model decides beyond rule `single-row`: 80x80x255 to
    6400x3x85 is refused, 40x40x255 to 1600x3x85 is mapped."""
    if not case.data or not case.outputs:
        return None
    needed = fullest_tile(case.data[0]) + fullest_tile(case.outputs[0])
    if needed <= TILE_ACTIVATION_BYTES:
        return None
    hint = "reshape after the model (in the application), or use a smaller input"
    return about(case.outputs[0], f"and its input take {needed:,} bytes of the fullest tile", hint)


@rule("softmax-length", LIMIT, "fitted", "SOFTMAX")
def softmax_length(case: Case) -> Broken | None:
    """SOFTMAX must not run over more than {SOFTMAX_LENGTH:,} elements

    Known: 16,384 is mapped in 8 files although the page says 16,000; nothing longer was seen."""
    if not case.outputs:
        return None
    rows, columns, length = inner(case.outputs[0])
    if (rows, columns) != (1, 1) or length <= SOFTMAX_LENGTH:
        return None
    return about(case.outputs[0], f"has {length:,} elements", "compute the softmax in the application")


@rule("transpose-size", LIMIT, "fitted", "TRANSPOSE")
def transpose_size(case: Case) -> Broken | None:
    """a TRANSPOSE must fit one tile of {TILE_KIB} KiB twice, as input and as output

    Known: 66 operators of 20 models, all YOLOv8: mapped up to 57,600 bytes, refused from 134,400 on. The exact number
    between them is a guess."""
    if not case.outputs:
        return None
    size = elements(case.outputs[0])
    if 2 * size <= TILE_ACTIVATION_BYTES:
        return None
    return about(case.outputs[0], f"has {size:,} bytes", "transpose a smaller tensor, or in the application")


@rule("resize-from-one", LIMIT, "fitted", *RESIZES)
def resize_from_one(case: Case) -> Broken | None:
    """RESIZE must not start from a single row or column

    Known: 10 operators of 10 models, all deeplabv3 (1x1 to 33x33), none against."""
    sizes = _resized(case)
    if sizes is None or min(sizes[0]) > 1 or max(sizes[1]) <= 1:
        return None
    return about(case.data[0], f"has the shape {shape_text(case.data[0])}", "broadcast it with a MUL or TILE instead")


@rule("resize-output", LIMIT, "fitted", *RESIZES)
def resize_output(case: Case) -> Broken | None:
    """the output of RESIZE must not exceed {CHIP_ACTIVATION_MIB} MiB, the activation memory of all tiles

    Known: 11 operators of 11 models, none against: one decoder (256x256x64 refused, 128x128x128 mapped), and deeplabv3
    (513x513)."""
    if _resized(case) is None or elements(case.outputs[0]) <= TILES * TILE_ACTIVATION_BYTES:
        return None
    tensor = case.outputs[0]
    return about(tensor, f"of shape {shape_text(tensor)} has {elements(tensor):,} bytes", "resize to a smaller output")


@rule("resize-factor", LIMIT, "fitted", "RESIZE_BILINEAR")
def resize_factor(case: Case) -> Broken | None:
    """RESIZE_BILINEAR must not enlarge more than {BILINEAR_FACTOR} times

    Known: deeplabv3 (33 to 513), one architecture; Google speaks of a loss of precision."""
    sizes = _resized(case)
    if sizes is None:
        return None
    factor = max(to / max(of, 1) for of, to in zip(*sizes, strict=True))
    if factor <= BILINEAR_FACTOR:
        return None
    return about(case.outputs[0], f"is {factor:g} times as large as its input", "resize in two steps")


@rule("dense-input", LIMIT, "fitted", "FULLY_CONNECTED")
def dense_input(case: Case) -> Broken | None:
    """the input of a FULLY_CONNECTED must not exceed the {TILE_KIB} KiB of one tile

    Known: 24 files of a sweep over four-dimensional inputs: 112x112x16 is refused, 64x64x16 is mapped. It agrees with
    rule `single-row`, as if the layer took its input as one row of vectors."""
    if not case.data or elements(case.data[0]) <= TILE_ACTIVATION_BYTES:
        return None
    tensor = case.data[0]
    hint = "use a CONV_2D with a 1x1 kernel for a layer at every position"
    return about(tensor, f"of shape {shape_text(tensor)} takes {elements(tensor):,} bytes", hint)


@rule("mean-size", LIMIT, "fitted", "MEAN")
def mean_size(case: Case) -> Broken | None:
    """MEAN must not average more than {MEAN_POSITIONS:,} positions

    Known: two threads: 256x128 positions are refused, 64x128 are mapped. The number between them is a guess."""
    axes = reduced(case)
    count = math.prod(case.data[0].shape[axis] for axis in axes) if axes else 0
    if count <= MEAN_POSITIONS:
        return None
    hint = "split this MEAN: average bands of rows first, then the averages"
    return about(case.data[0], f"is averaged over {count:,} positions", hint)


def _resized(case: Case) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Rows and columns before and after a RESIZE that changes them."""
    if not case.data or not case.outputs:
        return None
    before, after = inner(case.data[0])[:2], inner(case.outputs[0])[:2]
    return None if before == after else (before, after)

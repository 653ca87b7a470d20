"""Sizes of the Edge TPU that rules and arithmetic rest on, each with where it is known from.

"manual": Google's page on the Edge TPU compiler. "models page": Google's page on model requirements. "files": read from
the packages inside files that Google's compiler wrote (public repositories, compilers 1.0 to 16.0).
"""

from __future__ import annotations

KIB = 1 << 10
MIB = 1 << 20

SRAM_BYTES = 8 * MIB
"""On-chip memory for parameters and executables together (manual: "roughly 8 MB")."""

TILES = 16
"""Compute tiles, a grid of 4 x 4. Every tile holds 1/16 of the on-chip memory (files: layout of parameter blobs)."""

TILE_ROWS = 4
TILE_COLUMNS = 4
"""Rows and columns of a tensor are dealt out over the grid; channels are not (files)."""

LANES = 64
"""Output channels that a tile works on at a time, hence the unit in which weights are stored (files)."""

TILE_ACTIVATION_BYTES = 192 * KIB
"""Room for activations in one tile (files: the largest use ever written is 196,604 bytes)."""

INNER_DIMENSIONS = 3
"""Rows, columns and channels: dimensions beyond these must be 1 (models page)."""

CHANNEL_ALIGNMENT = 4
"""Channels are stored in groups of 4 bytes (files: input channels of weights are padded to it)."""

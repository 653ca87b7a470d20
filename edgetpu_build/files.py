"""Files written whole or not at all. The only fsync and rename of the project."""

from __future__ import annotations

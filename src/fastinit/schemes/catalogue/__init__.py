"""The table of schemes. A new scheme is one row in the file of its kind."""

from __future__ import annotations

from collections.abc import Mapping

from . import bias, fill, orthogonal, scaled, state_space, structured
from .row import FANS, GEOMETRY, REQUIRED, Number, Scheme, Target

__all__ = ["CATEGORIES", "FANS", "GEOMETRY", "REQUIRED", "SCHEMES", "Number", "Scheme", "Target"]

CATEGORIES: Mapping[str, tuple[Scheme, ...]] = {
    "Fills": fill.ROWS,
    "Scaled by fans": scaled.ROWS,
    "Orthogonal": orthogonal.ROWS,
    "Structured": structured.ROWS,
    "Biases": bias.ROWS,
    "State-space layers": state_space.ROWS,
}
# Every row, by each of its names.
SCHEMES: Mapping[str, Scheme] = {
    name: row for rows in CATEGORIES.values() for row in rows for name in (row.name, *row.aliases)
}

"""Tables as text."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """One line a row, the cells of each column below one another."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def shape_text(shape: tuple[int, ...]) -> str:
    """
    >>> shape_text((64, 3, 7, 7)), shape_text(())
    ('64x3x7x7', 'scalar')
    """
    return "x".join(map(str, shape)) or "scalar"

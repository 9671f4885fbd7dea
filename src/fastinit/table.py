"""Tables as text and as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import chain


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


def html_table(rows: Sequence[Sequence[str]], notes: Iterable[str] = (), most: int = 40) -> str:
    """A table for notebooks: the head, and the other rows; a long table is cut in the middle. Notes stand below it.

    >>> html_table([("name", "mean"), ("w", "0")], ["1 tensor"])
    '<table><thead><tr><th>name</th><th>mean</th></tr></thead><tbody><tr><td>w</td><td>0</td></tr></tbody></table><p>1 tensor</p>'
    """
    head, *body = [[escape(cell) for cell in row] for row in rows]
    lines = ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in body]
    if len(lines) > most:
        left_out = f'<tr><td colspan="{len(head)}">… {len(lines) - most:,} more rows …</td></tr>'
        lines = [*lines[: most - most // 2], left_out, *lines[len(lines) - most // 2 :]]
    titles = "".join(f"<th>{cell}</th>" for cell in head)
    table = f"<table><thead><tr>{titles}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return "".join(chain([table], (f"<p>{escape(note)}</p>" for note in notes)))

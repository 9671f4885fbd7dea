"""Tables and sentences as text that fits a width, and as HTML."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain

_GAP = 2


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    title
        The first line.
    cells
        One text a row.
    rank
        Where there is not enough room, the column with the highest rank is left out first. The first column stays.
    cut
        What long cells may lose: the "middle", for names, the "end", for sentences, or nothing, "".
    """

    title: str
    cells: Sequence[str]
    rank: int = 0
    cut: str = ""

    @property
    def width(self) -> int:
        return max(map(len, (self.title, *self.cells)))


def table(columns: Sequence[Column], width: int | None = None) -> list[str]:
    """The lines of a table, of at most ``width`` characters, or as wide as its cells if ``width`` is None.

    Columns that do not fit are left out, and the last line names them. Long cells are cut.

    >>> name = Column("name", ["transformer.h.0.attn.weight", "transformer.h.0.attn.bias"], cut="middle")
    >>> shape, size = Column("shape", ["768x2304", "2304"]), Column("bytes", ["7,077,888", "9,216"], rank=1)
    >>> print(*table([name, shape, size], 33), sep="\\n")
    name                     shape
    transformer…attn.weight  768x2304
    transformer…0.attn.bias  2304
    left out to fit: bytes
    """
    shown = [Column(c.title, [_printable(cell) for cell in c.cells], c.rank, c.cut) for c in columns]
    left_out: list[str] = []
    if width is not None:
        while len(shown) > 1 and sum(_least(c, width) + _GAP for c in shown) - _GAP > width:
            last = max(range(1, len(shown)), key=lambda i: (shown[i].rank, i))
            left_out.append(shown.pop(last).title)
    widths = [column.width if width is None else _least(column, width) for column in shown]
    if width is not None:
        room = width - sum(widths) - _GAP * (len(shown) - 1)
        for i in sorted(range(len(shown)), key=lambda i: shown[i].rank):
            more = min(shown[i].width - widths[i], room)
            widths[i], room = widths[i] + more, room - more
    rows = zip(*([column.title, *column.cells] for column in shown), strict=True)
    cuts = [column.cut for column in shown]
    lines = [(" " * _GAP).join(map(_cell, row, widths, cuts)).rstrip() for row in rows]
    if left_out:
        titles = [column.title for column in columns if column.title in left_out]
        lines += wrapped(f"left out to fit: {', '.join(dict.fromkeys(titles))}", width)
    return lines


def wrapped(text: str, width: int | None = None, indent: str = "  ") -> list[str]:
    """A sentence as lines of at most ``width`` characters; one line if ``width`` is None.

    >>> wrapped("fc.weight: has 3 values that are not finite", 30)
    ['fc.weight: has 3 values that', '  are not finite']
    """
    text = _printable(text)
    if width is None or len(text) <= width:
        return [text]
    return textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False)


def shape_text(shape: tuple[int, ...]) -> str:
    """
    >>> shape_text((64, 3, 7, 7)), shape_text(())
    ('64x3x7x7', 'scalar')
    """
    return "x".join(map(str, shape)) or "scalar"


def html_table(columns: Sequence[Column], notes: Iterable[str] = (), most: int = 40) -> str:
    """A table for notebooks. A long one is cut in the middle. Notes stand below it.

    >>> html_table([Column("name", ["w"]), Column("mean", ["0"])], ["1 tensor"])
    '<table><thead><tr><th>name</th><th>mean</th></tr></thead><tbody><tr><td>w</td><td>0</td></tr></tbody></table><p>1 tensor</p>'
    """
    rows = zip(*([escape(cell) for cell in column.cells] for column in columns), strict=True)
    lines = ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
    if len(lines) > most:
        left_out = f'<tr><td colspan="{len(columns)}">… {len(lines) - most:,} more rows …</td></tr>'
        lines = [*lines[: most - most // 2], left_out, *lines[len(lines) - most // 2 :]]
    titles = "".join(f"<th>{escape(column.title)}</th>" for column in columns)
    table = f"<table><thead><tr>{titles}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return "".join(chain([table], (f"<p>{escape(note)}</p>" for note in notes)))


def counted(number: int, thing: str) -> str:
    """
    >>> counted(1, "tensor"), counted(2000, "tensor")
    ('1 tensor', '2,000 tensors')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _least(column: Column, width: int) -> int:
    """The width that a column must have: that of its cells, or a share of the line where they may be cut."""
    share = {"": width, "middle": width * 2 // 5, "end": width // 4}
    return min(column.width, share[column.cut])


def _cell(text: str, width: int, cut: str) -> str:
    if len(text) > width:
        head = width - 1 if cut == "end" else width // 2
        text = f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"
    return text.ljust(width)


def _printable(text: str) -> str:
    """The text with escapes for what would move the cursor: names come from files."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)

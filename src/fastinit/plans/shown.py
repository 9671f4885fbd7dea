"""A plan's table, as people see it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from ..laws.copies import drawn_as
from ..table import Column, shape_text
from .parameter import Parameter

Rows: TypeAlias = Mapping[str, Parameter]

_LONG_NUMBER = re.compile(r"\d\.\d{8,}(e[-+]\d+)?")


def columns(rows: Rows) -> list[Column]:
    """The columns that are not empty."""
    every = [
        Column(title, [show(p, rows) for p in rows.values()], rank, cut)
        for title, show, rank, cut in _COLUMNS
    ]
    return [column for column in every if any(column.cells) or not rows]


def _fans(parameter: Parameter) -> str:
    return "-" if parameter.fans is None else f"{parameter.fans.fan_in:g}, {parameter.fans.fan_out:g}"


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.6g}"


def _distribution(parameter: Parameter, rows: Rows) -> str:
    law, name = drawn_as(parameter.distribution, parameter.name)
    text = _LONG_NUMBER.sub(_rounded, str(law))
    if name == parameter.name:
        return text
    same = name in rows and rows[name].distribution == law
    return f"the values of {name!r}" if same else f"{text}, made of the values of {name!r}"


# Title, cell, the rank by which a narrow table leaves the column out, and how the cell may be cut.
_COLUMNS: tuple[tuple[str, Callable[[Parameter, Rows], str], int, str], ...] = (
    ("name", lambda p, _: p.name, 0, "middle"),
    ("shape", lambda p, _: shape_text(p.shape), 1, ""),
    ("dtype", lambda p, _: p.dtype, 4, ""),
    ("scheme", lambda p, _: p.scheme, 2, ""),
    ("fans", lambda p, _: _fans(p), 5, ""),
    ("distribution", _distribution, 0, "middle"),
    ("lr", lambda p, _: "" if p.lr == 1 else f"{p.lr:.6g}", 3, ""),
    ("bytes", lambda p, _: f"{p.nbytes:,}", 6, ""),
    ("why", lambda p, _: p.reason, 7, "end"),
)

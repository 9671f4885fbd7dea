"""A plan as people see it: the columns of its table, and the lines below."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..laws.copies import drawn_as
from ..table import Column, counted, shape_text
from .parameter import FROZEN, Parameter

if TYPE_CHECKING:
    from .plan import Plan

_LONG_NUMBER = re.compile(r"\d\.\d{8,}(e[-+]\d+)?")


def columns(plan: Plan) -> list[Column]:
    """The columns that are not empty."""
    rows = {name: plan[name] for name in plan.stored}
    every = [
        Column(title, [show(p, plan) for p in rows.values()], rank, cut)
        for title, show, rank, cut in _COLUMNS
    ]
    return [column for column in every if any(column.cells) or not rows]


def notes(plan: Plan) -> list[str]:
    """The lines below: ties, what is left alone, totals."""
    ties = [f"{alias} is tied to {owner}" for alias, owner in plan.ties.items()]
    kept = [f"{name} is left alone: {p.reason}" for name, p in plan.unfilled.items() if p.reason == FROZEN]
    more = [f"{len(kept) - 3} others are too"] if len(kept) > 4 else []
    kept = kept[:3] + more if more else kept
    return [*ties, *kept, f"{counted(len(plan.stored), 'tensor')}, {plan.nbytes:,} bytes, {plan.source}"]


def _fans(parameter: Parameter) -> str:
    return "-" if parameter.fans is None else f"{parameter.fans.fan_in:g}, {parameter.fans.fan_out:g}"


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.6g}"


def _distribution(parameter: Parameter, plan: Plan) -> str:
    law, name = drawn_as(parameter.distribution, parameter.name)
    text = _LONG_NUMBER.sub(_rounded, str(law))
    if name == parameter.name:
        return text
    same = name in plan and plan[name].distribution == law
    return f"the values of {name!r}" if same else f"{text}, made of the values of {name!r}"


# Title, cell, the rank by which a narrow table leaves the column out, and how the cell may be cut.
_COLUMNS: tuple[tuple[str, Callable[[Parameter, Plan], str], int, str], ...] = (
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

"""Elementwise operations of torch as formulas of `fastinit.composed`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..composed import Formula


def _scaled(x: Formula, alpha: float) -> Formula:
    return x if alpha == 1 else ("mul", x, alpha)


def _clamp(self: Formula, min: Any = None, max: Any = None) -> Formula:
    low = self if min is None else ("maximum", self, min)
    return low if max is None else ("minimum", low, max)


def _div(self: Formula, other: Formula, rounding_mode: str | None = None) -> Formula:
    return ("div", self, other) if rounding_mode is None else None


# By the operation's name, with torch's own names of arguments.
FORMULAS: dict[str, Callable[..., Formula]] = {
    "add": lambda self, other, alpha=1: ("add", self, _scaled(other, alpha)),
    "sub": lambda self, other, alpha=1: ("sub", self, _scaled(other, alpha)),
    "rsub": lambda self, other, alpha=1: ("sub", other, _scaled(self, alpha)),
    "mul": lambda self, other: ("mul", self, other),
    "div": _div,
    "maximum": lambda self, other: ("maximum", self, other),
    "minimum": lambda self, other: ("minimum", self, other),
    "clamp": _clamp,
    "clamp_min": _clamp,
    "clamp_max": _clamp,
    **{name: lambda self, name=name: (name, self) for name in ("neg", "abs", "sqrt", "exp", "expm1", "log")},
}


def linear(formula: Formula) -> tuple[float, float] | None:
    """(scale, shift), where the formula is scale * x + shift."""
    if formula == "x":
        return 1.0, 0.0
    if not isinstance(formula, tuple):
        return 0.0, float(formula)
    parts = [linear(operand) for operand in formula[1:]]
    match formula[0], parts:
        case "neg", [(a, b)]:
            return -a, -b
        case "add", [(a, b), (c, d)]:
            return a + c, b + d
        case "sub", [(a, b), (c, d)]:
            return a - c, b - d
        case "mul", [(a, b), (0.0, d)]:
            return a * d, b * d
        case "mul", [(0.0, b), (c, d)]:
            return b * c, b * d
        case "div", [(a, b), (0.0, d)] if d:
            return a / d, b / d
    return None

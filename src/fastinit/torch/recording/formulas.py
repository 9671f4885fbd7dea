"""Elementwise operations as formulas of distributions: what becomes of a law when its values are scaled, cut, mapped."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np

from ...laws.composed import Expression, Transformed, evaluate, given_values
from ...laws.distributions import Distribution, Elementwise, Normal, TruncatedNormal, Uniform
from ...laws.patterns import Given

_NEAR = 1e-6  # of a width: bounds closer than that are the same, and differ by rounding


def _scaled(x: Expression, alpha: float) -> Expression:
    return x if _is(alpha, 1) else ("mul", x, alpha)


def _is(x: Expression, number: float) -> bool:
    return isinstance(x, int | float) and x == number


def _clamp(self: Expression, min: Expression = None, max: Expression = None) -> Expression:
    low = self if min is None else ("maximum", self, min)
    return low if max is None else ("minimum", low, max)


def _div(self: Expression, other: Expression, rounding_mode: str | None = None) -> Expression:
    return ("div", self, other) if rounding_mode is None else None


def _pow(self: Expression, exponent: Expression) -> Expression:
    if isinstance(self, int | float):
        return ("exp", ("mul", exponent, math.log(self))) if self > 0 else None
    if not isinstance(exponent, int | float):
        return None
    if exponent < 0:
        whole = _pow(self, -exponent)
        return None if whole is None else ("div", 1.0, whole)
    if exponent % 1 == 0.5:
        return _pow(self, exponent - 0.5) and ("mul", _pow(self, exponent - 0.5), ("sqrt", self))
    if exponent % 1 or exponent > 16:
        return None
    result: Expression = 1.0
    for _ in range(int(exponent)):
        result = self if _is(result, 1) else ("mul", result, self)
    return result


def _exp(x: Expression) -> Expression:
    return ("exp", ("minimum", x, 700.0))


def _sigmoid(self: Expression) -> Expression:
    return ("div", 1.0, ("add", 1.0, _exp(("neg", self))))


def _tanh(self: Expression) -> Expression:
    grown = ("expm1", ("minimum", ("mul", 2.0, self), 700.0))
    return ("div", grown, ("add", grown, 2.0))


def _softplus(self: Expression, beta: float = 1, threshold: float = 20) -> Expression:
    x = _scaled(self, beta)
    sum_ = ("add", ("maximum", x, 0.0), ("log1p", ("exp", ("neg", ("abs", x)))))
    return sum_ if _is(beta, 1) else ("div", sum_, beta)


def _logit(self: Expression, eps: float | None = None) -> Expression:
    x = self if eps is None else _clamp(self, eps, 1 - eps)
    return ("log", ("div", x, ("sub", 1.0, x)))


# By the operation's name, with torch's own names of arguments.
FORMULAS: dict[str, Callable[..., Expression]] = {
    "add": lambda self, other, alpha=1: ("add", self, _scaled(other, alpha)),
    "sub": lambda self, other, alpha=1: ("sub", self, _scaled(other, alpha)),
    "rsub": lambda self, other, alpha=1: ("sub", other, _scaled(self, alpha)),
    "mul": lambda self, other: ("mul", self, other),
    "div": _div,
    "addcmul": lambda self, tensor1, tensor2, value=1: (
        "add",
        self,
        _scaled(("mul", tensor1, tensor2), value),
    ),
    "lerp": lambda self, end, weight: ("add", self, ("mul", weight, ("sub", end, self))),
    "maximum": lambda self, other: ("maximum", self, other),
    "minimum": lambda self, other: ("minimum", self, other),
    "clamp": _clamp,
    "clamp_min": _clamp,
    "clamp_max": _clamp,
    "hardtanh": lambda self, min_val=-1, max_val=1: _clamp(self, min_val, max_val),
    "relu": lambda self: ("maximum", self, 0.0),
    "fmod": lambda self, other: ("fmod", self, other),
    "square": lambda self: ("mul", self, self),
    "pow": _pow,
    "reciprocal": lambda self: ("div", 1.0, self),
    "rsqrt": lambda self: ("div", 1.0, ("sqrt", self)),
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "softplus": _softplus,
    "logit": _logit,
    "log2": lambda self: ("div", ("log", self), math.log(2)),
    "log10": lambda self: ("div", ("log", self), math.log(10)),
    "erfinv": lambda self: ("erfinv", self),
    "where": lambda condition, self, other: ("where", condition, self, other),
    "masked_fill": lambda self, mask, value: ("where", mask, value, self),
    **{
        name: lambda self, name=name: (name, self)
        for name in ("neg", "abs", "sqrt", "exp", "expm1", "log", "log1p")
    },
}


def linear(formula: Expression) -> tuple[float, float] | None:
    """(scale, shift), where the formula is scale * x + shift."""
    if isinstance(formula, str):
        return 1.0, 0.0
    if isinstance(formula, Given):
        return None
    if not isinstance(formula, tuple):
        return 0.0, float(formula)
    if formula[0] not in ("neg", "add", "sub", "mul", "div"):
        return None
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
        case _:
            return None


Root: TypeAlias = tuple[float, float] | object
"""What the values at the heart of a law are of their draw: (scale, shift), or an object that stands for another function."""


def relative(root: Root, other: Root) -> tuple[float, float] | None:
    """(scale, shift) that lead from the values of the other root to those of the root; None if they are not known."""
    if root == other:
        return 1.0, 0.0
    if not isinstance(root, tuple) or not isinstance(other, tuple) or not other[0]:
        return None
    scale = root[0] / other[0]
    return scale, root[1] - scale * other[1]


def root_of(made: Distribution, inner: Distribution, root: Root, formula: Expression) -> Root:
    """The root of the law `made`, which is `law_of(formula, inner)`, by that of `inner`."""
    if isinstance(made, Transformed):
        return root
    if (scaled := linear(formula)) is not None and isinstance(root, tuple):
        return scaled[0] * root[0], scaled[0] * root[1] + scaled[1]
    return root if made == inner and scaled in (None, (1.0, 0.0)) else object()


def changed(x: Expression, by: tuple[float, float]) -> Expression:
    """scale * x + shift."""
    scaled = _scaled(x, by[0])
    return ("add", scaled, by[1]) if by[1] else scaled


def substituted(formula: Expression, x: Expression) -> Expression:
    """The formula with x in the place of its "x"."""
    if isinstance(formula, tuple):
        return (formula[0], *[substituted(operand, x) for operand in formula[1:]])
    return x if isinstance(formula, str) else formula


def law_of(formula: Expression, inner: Distribution) -> Distribution | None:
    """The law of the formula's values, `inner` being the law of x; None where there is none."""
    if (scaled := linear(formula)) is not None:
        moved = inner if scaled == (1.0, 0.0) else inner.affine(*scaled)
        if moved is not None:
            return moved
    elif isinstance(inner, Elementwise) and (known := _cut(formula, inner)) is not None:
        return known
    return Transformed(inner, formula) if "erfinv" not in _operations(formula) else None


def _operations(formula: Expression) -> set[str]:
    if not isinstance(formula, tuple):
        return set()
    return {formula[0]}.union(*[_operations(operand) for operand in formula[1:]])


def _cut(formula: Expression, inner: Elementwise) -> Distribution | None:
    """The elementwise law that the formula's values have, where it is not seen from its scale and shift.

    The inverse error function of uniform values is a truncated normal; bounds beyond those of a law change nothing.
    """
    if isinstance(inner, Uniform) and formula == ("erfinv", "x") and -1 <= inner.low < inner.high <= 1:
        low, high = _erfinv(inner.low), _erfinv(inner.high)
        std = math.sqrt(0.5)
        return Normal(0.0, std) if low == -high == -math.inf else TruncatedNormal(0.0, std, low, high)
    low, high, x = -math.inf, math.inf, formula
    while isinstance(x, tuple) and x[0] in ("maximum", "minimum"):
        operation, left, right = x
        bound, x = (right, left) if isinstance(right, int | float) else (left, right)
        if not isinstance(bound, int | float):
            return None
        low, high = (max(low, bound), high) if operation == "maximum" else (low, min(high, bound))
    if x != "x":
        return None
    least, most = inner.reach()
    if low <= least and most <= high:
        return inner
    if not isinstance(inner, TruncatedNormal | Uniform):
        return None
    near = _NEAR * (inner.high - inner.low)
    if not math.isfinite(near) or low > inner.low + near or high < inner.high - near:
        return None
    # The code's own bounds, without what rounding added to them.
    closer: dict[str, Any] = {"low": low} if abs(low - inner.low) <= near else {}
    closer |= {"high": high} if abs(high - inner.high) <= near else {}
    return replace(inner, **closer)


def _erfinv(y: float) -> float:
    if abs(y) == 1:
        return math.copysign(math.inf, y)
    return math.copysign(-NormalDist().inv_cdf((1 - abs(y)) / 2) / math.sqrt(2), y)


def given(array: np.ndarray[Any, Any]) -> Expression:
    """Given values as an operand: a number if they are all equal, without axes along which they repeat."""
    array = np.asarray(array, np.float64)
    if not np.isfinite(array).all():
        return None
    for axis in range(array.ndim):
        first = array.take([0], axis)
        if (array == first).all():
            array = first
    return float(array.reshape(())) if array.size == 1 else Given(array)


def value_of(formula: Expression) -> float | None:
    """The formula's value, if it is one number."""
    if given_values(formula) or "erfinv" in _operations(formula):
        return None
    with np.errstate(all="ignore"):
        return float(evaluate(formula, 0.0))

"""Exponential, logarithm and cosine in float64, with the same bits on every machine.

They use only +, -, *, /, exact scaling and rounding to integers, which IEEE 754 rounds the same way everywhere; NumPy's own
functions follow the machine's library. Errors stay below 2 units of the last place.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..dtypes import Floats

# ln 2 in two parts; products of the first with integers below 2^20 are exact.
_LN2_HIGH, _LN2_LOW = float.fromhex("0x1.62e42fee00000p-1"), float.fromhex("0x1.a39ef35793c76p-33")
_EXP = [1 / math.factorial(k) for k in range(2, 16)]  # of (e^x - 1 - x) / x^2
_LOG = [2 / (2 * k + 1) for k in range(1, 13)]  # of (2 artanh(x) - 2x) / x, in x^2
_COS = [(-1) ** k / math.factorial(2 * k) for k in range(1, 10)]  # of (cos x - 1) / x^2, in x^2
_SIN = [(-1) ** k / math.factorial(2 * k + 1) for k in range(1, 10)]  # of (sin x - x) / x^3, in x^2


def _polynomial(coefficients: list[float], x: Floats) -> Floats:
    result = np.full_like(x, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        result = result * x + c
    return result


def _reduced(x: ArrayLike) -> tuple[Floats, NDArray[np.int64]]:
    """e^r - 1 and k, where x = k ln 2 + r and |r| is at most half of ln 2."""
    x = np.asarray(x, np.float64)
    k = np.rint(x / math.log(2))
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    return r + r * r * _polynomial(_EXP, r), k.astype(np.int64)


def exp(x: ArrayLike) -> Floats:
    """e^x, for |x| up to 700."""
    rest, k = _reduced(x)
    result: Floats = np.ldexp(1 + rest, k)
    return result


def expm1(x: ArrayLike) -> Floats:
    """e^x - 1, with all digits near 0, for |x| up to 700."""
    rest, k = _reduced(x)
    result: Floats = np.ldexp(rest, k) + (np.ldexp(1.0, k) - 1)
    return result


def log(x: ArrayLike) -> Floats:
    """ln x, for finite x: -inf at 0, NaN below."""
    x = np.asarray(x, np.float64)
    fraction, k = np.frexp(x)
    small = fraction < math.sqrt(0.5)
    f, k = np.where(small, 2 * fraction, fraction) - 1, k - small
    # ln(1 + f) = 2 artanh(s); its leading digits, f - f^2 / 2, are added last.
    s, half_square = f / (2 + f), 0.5 * f * f
    rest = s * (half_square + s * s * _polynomial(_LOG, s * s))
    result: Floats = k * _LN2_HIGH - ((half_square - (rest + k * _LN2_LOW)) - f)
    return result if np.all(x > 0) else np.where(x > 0, result, np.where(x == 0, -math.inf, math.nan))


def log1p(x: ArrayLike) -> Floats:
    """ln(1 + x), with all digits near 0, for x > -1."""
    x = np.asarray(x, np.float64)
    y = 1 + x
    # What rounding took from x cancels in the quotient (Kahan).
    near = np.where(y == 1, 1.0, y - 1)
    result: Floats = np.where(y == 1, x, log(y) * (x / near))
    return result


def cos_of_turns(numerator: ArrayLike, denominator: int) -> Floats:
    """cos(2 pi numerator / denominator). The fraction is reduced exactly, so that zeros and ones are exact."""
    # In quarters of a turn, folded into the first one.
    quarters = 4 * (np.asarray(numerator, np.int64) % denominator)
    quarters = np.minimum(quarters, 4 * denominator - quarters)
    sign = np.where(quarters > denominator, -1.0, 1.0)
    quarters = np.minimum(quarters, 2 * denominator - quarters)
    as_sine = 2 * quarters > denominator
    x = np.where(as_sine, denominator - quarters, quarters) / denominator * (math.pi / 2)
    square = x * x
    sine, cosine = x + x * square * _polynomial(_SIN, square), 1 + square * _polynomial(_COS, square)
    return sign * np.where(as_sine, sine, cosine)

"""How far the mean and the variance of drawn values are from those of the law that they were drawn from."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ..drawing.moments import Moments, measure
from ..dtypes import Array
from ..laws import Elementwise
from ..laws.rounding import Rounded


class Deviation(NamedTuple):
    """How far the mean is off, in units of the law's std, and the variance, relative to the law's.

    ``mean_error`` and ``variance_error`` are one standard error of each.
    """

    mean: float
    variance: float
    mean_error: float
    variance_error: float


def deviation(measured: Moments, law: Elementwise | Rounded) -> Deviation:
    """The deviation of measured values, at least one, from a law with std > 0."""
    mean, std = law.moments()
    off = (measured.mean - mean) / std
    variance = measured.m2 / measured.count / std**2 + off**2 - 1
    spread = law.standard_moment(4) - 1
    return Deviation(off, variance, math.sqrt(1 / measured.count), math.sqrt(spread / measured.count))


def unit_of(law: Elementwise) -> float:
    """1, or a power of two near 1 / std if the squares of drawn values may leave a float's range."""
    std = law.moments()[1]
    if std == 0 or 1e-140 < std < 1e140:
        return 1.0
    return math.ldexp(1.0, min(max(-math.frexp(std)[1], -1000), 1000))


def measure_in(unit: float, pieces: Iterable[Array]) -> Moments:
    """The moments of the pieces' values times ``unit``."""
    return measure(pieces if unit == 1 else (piece.astype(np.float64) * unit for piece in pieces))

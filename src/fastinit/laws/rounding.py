"""What rounding to a dtype of 8 bits makes of an elementwise distribution: its moments are other ones."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from ..dtypes import DTYPES, Floats, decode, part_of
from .distributions import Elementwise


class Rounded:
    """An elementwise distribution whose values were rounded to the nearest ones of a dtype, within its bounds."""

    def __init__(self, law: Elementwise, dtype: str) -> None:
        everything = _values(dtype)
        low, high = law.reach()
        inside = (everything >= low) & (everything <= high)
        if not law.contains(high):  # then values stay below what `high` is rounded to, too
            inside &= everything < _nearest(everything, high)
        values = everything[inside] if inside.any() else np.array([_nearest(everything, law.moments()[0])])
        edges = (values[1:] + values[:-1]) / 2
        below = np.concatenate([[0.0], law.cdf(edges), [1.0]])
        self._values, self._shares = values, np.diff(below)
        self._mean = float(self._shares @ values)

    def _central(self, order: int) -> float:
        return float(self._shares @ (self._values - self._mean) ** order)

    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation after rounding."""
        return self._mean, math.sqrt(self._central(2))

    def standard_moment(self, order: int) -> float:
        """E[((x - mean) / std)**order] after rounding; NaN if all values are the same."""
        variance = self._central(2)
        return self._central(order) / variance ** (order / 2) if variance > 0 else math.nan


def rounded(law: Elementwise, dtype: str) -> Elementwise | Rounded:
    """The distribution as the dtype holds it.

    It is the distribution itself if the dtype has more than 8 bits: rounding then moves the moments by too little, or has
    too many values to look at each.
    """
    return Rounded(law, dtype) if DTYPES[part_of(dtype)].size == 1 and law.moments()[1] > 0 else law


def _nearest(values: Floats, x: float) -> float:
    """The nearest value to x; of two, the one whose last bit is 0, as every other value's is."""
    distances = np.abs(values - x)
    at = np.flatnonzero(distances == distances.min())
    return float(values[at[(at - len(values) // 2) % 2 == 0][0] if len(at) > 1 else at[0]])


@lru_cache
def _values(dtype: str) -> Floats:
    """All finite values in ascending order, with one zero."""
    positive = decode(np.arange(1 << (8 * DTYPES[dtype].size - 1)), dtype)
    positive = positive[positive <= DTYPES[dtype].largest]
    return np.concatenate([-positive[:0:-1], positive])

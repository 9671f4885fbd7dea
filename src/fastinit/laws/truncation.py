"""A unit normal variable between two bounds: its moments and probabilities, with all digits in any tail.

The textbook formulas are differences of densities over differences of probabilities. They lose all digits in far tails
and in narrow intervals. Here, the density relative to that at the bound nearest to 0 is integrated by quadrature.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from ..dtypes import Floats

_NODES = 64


class Cut(NamedTuple):
    """The variable t, where ``start`` + t is unit normal, ``below`` <= t <= ``above``, and t = 0 is nearest to the mean."""

    start: float
    below: float
    above: float

    @property
    def _ends(self) -> tuple[float, float]:
        """The bounds, brought in to where the density exp(-start t - t^2 / 2) falls to e^-80."""
        reach = 160.0 / (abs(self.start) + math.hypot(self.start, math.sqrt(160.0)))
        return max(self.below, -reach), min(self.above, reach)

    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation of t."""
        left, right = self._ends
        nodes, shares = self._shares()
        mean = float(shares @ nodes)
        # In units of the half width, so that no square underflows.
        half_width, std = 0.5 * right - 0.5 * left, math.sqrt(float(shares @ (nodes - mean) ** 2))
        return 0.5 * left + 0.5 * right + half_width * mean, half_width * std

    def standard_moment(self, order: int) -> float:
        """E[((t - mean) / std)**order]."""
        nodes, shares = self._shares()
        offsets = nodes - shares @ nodes
        return float(shares @ (offsets / math.sqrt(shares @ offsets**2)) ** order)

    def cdf(self, t: Floats) -> Floats:
        """P(variable <= t)."""
        left, right = self._ends
        result: Floats = self._mass(left, np.clip(t, left, right)) / self._mass(left, np.asarray(right))
        return result

    def _shares(self) -> tuple[Floats, Floats]:
        """Nodes in [-1, 1], which stand for the interval, and the probability of each."""
        left, right = self._ends
        nodes, weights = _gauss_legendre()
        shares = weights * self._density(0.5 * left + 0.5 * right + (0.5 * right - 0.5 * left) * nodes)
        shares /= shares.sum()
        return nodes, shares

    def _mass(self, left: float, right: Floats) -> Floats:
        nodes, weights = _gauss_legendre()
        half_width = (0.5 * right - 0.5 * left)[..., None]
        mass: Floats = (half_width * self._density(left + half_width * (1 + nodes))) @ weights
        return mass

    def _density(self, t: Floats) -> Floats:
        density: Floats = np.exp(-t * (self.start + 0.5 * t))
        return density


@cache
def _gauss_legendre() -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return nodes, weights

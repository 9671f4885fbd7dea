"""Depth rules: by what a residual projection is scaled."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

from ..laws.exact_math import log

# By what a residual projection's std or gain is multiplied, by the number of layers and its own layer, from 0. Roots alone:
# IEEE does not round other powers alike everywhere.
DEPTH_RULES: dict[str, Callable[[float, int], float]] = {
    "1/sqrt(L)": lambda n, layer: 1 / sqrt(n),
    "1/sqrt(2L)": lambda n, layer: 1 / sqrt(2 * n),
    "1/sqrt(l+1)": lambda n, layer: 1 / sqrt(layer + 1),
    "1/sqrt(2(l+1))": lambda n, layer: 1 / sqrt(2 * (layer + 1)),
    "1/L": lambda n, layer: 1 / n,
    "2/L": lambda n, layer: 2 / n,
    "(8L)^(-1/4)": lambda n, layer: 1 / sqrt(sqrt(8 * n)),
    "(9L)^(-1/4)": lambda n, layer: 1 / sqrt(sqrt(9 * n)),
    "(12L)^(-1/4)": lambda n, layer: 1 / sqrt(sqrt(12 * n)),
    "0.67 L^(-1/4)": lambda n, layer: 0.67 / sqrt(sqrt(n)),
    "sqrt(ln(2L))": lambda n, layer: sqrt(float(log(2 * n))),
}

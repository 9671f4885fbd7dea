"""Exact results on networks of finite width: the growth of a signal in ReLU and in linear layers."""

from __future__ import annotations

import math

import numpy as np

from ..arguments import positive_integer
from ..dtypes import Floats


def relu_log_moments(width: int) -> tuple[float, float]:
    """Mean and variance, over He-initialised ReLU layers of this width, of the logarithm of the signal's growth.

    Exact, given that a unit is on: with K of them on, K binomial, the growth is 2 / width times a chi-square of K.
    The mean growth is 1, but its logarithm's mean is negative: the typical network shrinks.

    >>> [round(x, 8) for x in relu_log_moments(64)]
    [-0.0401086, 0.08299735]
    """
    n = positive_integer("width", width)
    on = np.arange(1, n + 1)
    log_factorial = np.cumsum(np.log(np.arange(1, n + 1)))
    below = np.concatenate([log_factorial[-2::-1], [0.0]])
    weight = np.exp(log_factorial[-1] - log_factorial - below - n * math.log(2))
    weight /= weight.sum()
    digamma, trigamma = _polygamma(n)
    log_growth = digamma[on - 1] + 2 * math.log(2) - math.log(n)
    mean = float(weight @ log_growth)
    return mean, float(weight @ (trigamma[on - 1] + (log_growth - mean) ** 2))


def linear_lyapunov(width: int) -> Floats:
    """Growth per layer of the logarithms of the singular values of a product of normal matrices of variance 1 / width.

    (ln(2 / width) + digamma((width - k + 1) / 2)) / 2 for k = 1 ... width (Newman 1986).

    >>> linear_lyapunov(100)[[0, -1]].round(8)
    array([-0.00501667, -2.93776652])
    """
    n = positive_integer("width", width)
    exponents: Floats = 0.5 * (math.log(2 / n) + _polygamma(n)[0][::-1])
    return exponents


def largest_squared_singular_value(depth: int) -> float:
    """Of a product of so many wide square normal matrices of variance 1 / width: (L + 1)^(L + 1) / L^L.

    Pennington et al. 2017 (https://arxiv.org/abs/1711.04735).

    >>> largest_squared_singular_value(2)
    6.75
    """
    layers = positive_integer("depth", depth)
    return float((layers + 1) * (1 + 1 / layers) ** layers)


def _polygamma(count: int) -> tuple[Floats, Floats]:
    """digamma(k / 2) and trigamma(k / 2) for k = 1 ... count, by their recurrences from 1/2 and 1."""
    digamma, trigamma = np.empty((2, count))
    for first, psi, psi1 in ((0.5, -np.euler_gamma - 2 * math.log(2), math.pi**2 / 2),
                             (1.0, -np.euler_gamma, math.pi**2 / 6)):  # fmt: skip
        at = slice(round(2 * first) - 1, None, 2)
        x = first + np.arange(len(digamma[at]))
        if len(x):
            digamma[at] = psi + np.concatenate([[0.0], np.cumsum(1 / x[:-1])])
            trigamma[at] = psi1 - np.concatenate([[0.0], np.cumsum(1 / x[:-1] ** 2)])
    return digamma, trigamma

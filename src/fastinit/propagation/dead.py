"""Dead units: how many are off for every input of a batch, and when a whole layer is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ..arguments import integers, non_negative, positive_integer, real
from ..dtypes import Floats
from ..schemes.activations import Activation, ActivationFunction, as_activation
from ..schemes.quadrature import expect
from .theory import correlation


class Bounds(NamedTuple):
    """A probability's lower and upper bound."""

    lower: float
    upper: float


def dead_share(
    c: float,
    batch: int,
    *,
    activation: str | ActivationFunction = "relu",
    negative_slope: float | None = None,
    q: float = 1.0,
    bias: float = 0.0,
) -> float:
    """The share of units that give 0 for every one of ``batch`` inputs, whose h have the correlation ``c`` >= 0.

    E_m[P(f(h) = 0 | m)^batch], h ~ N(bias + m, q (1 - c)), m ~ N(0, q c). ``bias`` is a bias that all units share.
    For ReLU and no bias it is 1 / (batch + 1) at c = 1/2. Activations that are 0 nowhere but at points have no dead units.

    Raises TypeError or ValueError for c out of [0, 1], a batch below 1, a negative q or a bias that is not a number.

    >>> round(dead_share(0.5, 128) * 129, 9)
    1.0
    """
    c = shared_correlation("c", c)
    size = positive_integer("batch", batch)
    f, q, bias = as_activation(activation, negative_slope), non_negative("q", q), real("bias", bias)
    if q == 0:
        return float(f(np.array([bias]))[0] == 0)
    regions = _zero_regions(f, bias, math.sqrt(q))
    if not len(regions):
        return 0.0
    own = math.sqrt(q * (1 - c))

    def off(m: Floats) -> Floats:
        low, high = ((m[..., None] - regions[:, k]) / own for k in (0, 1))
        # As tails on the side of m, so that small probabilities keep their digits.
        inside = np.where(low > 0, _tail(high) - _tail(low), _tail(-low) - _tail(-high))
        share: Floats = inside.sum(axis=-1)
        return share

    if c == 0:
        return float(off(np.array([bias]))[0] ** size)
    if c == 1:
        size, own, c = 1, math.sqrt(0.5 * q), 0.5
    edges = tuple(regions[np.isfinite(regions)])
    return float(expect(Activation(f.name, off, edges), lambda s: s.value**size, bias, math.sqrt(q * c)))


def _tail(x: Floats) -> Floats:
    """P(Z > x) for a standard normal Z."""
    tail: Floats = 0.5 * _erfc(x / math.sqrt(2))
    return tail


_erfc = np.vectorize(math.erfc, otypes=[float])


def _zero_regions(f: Activation, mean: float, std: float) -> Floats:
    """The intervals, one a row, on which f is 0: found on a grid of 4096 points to 14 std, their ends by bisection."""
    h = mean + std * np.linspace(-14, 14, 4096)
    zero = f(h) == 0
    first, last = zero[:-1] & zero[1:], np.flatnonzero(zero[:-1] & ~zero[1:])
    starts = np.flatnonzero(first & ~np.concatenate([[False], zero[:-2]]))
    regions = []
    for start in starts:
        later = last[last > start]
        low = _edge(f, float(h[start]), float(h[start - 1])) if start else -math.inf
        high = _edge(f, float(h[later[0]]), float(h[later[0] + 1])) if len(later) else math.inf
        regions.append((low, high))
    return np.array(regions).reshape(-1, 2)


def _edge(f: Activation, inside: float, outside: float) -> float:
    """Where f stops being 0 between two points."""
    while True:
        middle = 0.5 * (inside + outside)
        if middle in (inside, outside):
            return float(middle)
        inside, outside = (middle, outside) if f(np.array([middle]))[0] == 0 else (inside, middle)


def dead_ray(widths: int | Iterable[int]) -> float:
    """The probability that a ReLU network without biases gives 0 for an input, with hidden layers of these widths.

    Exactly 1 - prod(1 - 2^-width): a layer is off when all its units are.

    >>> dead_ray([2, 2])
    0.4375
    """
    sizes = [positive_integer("widths", n) for n in integers("widths", widths)]
    return -math.expm1(sum(math.log1p(-(2.0**-n)) for n in sizes))


def dead_network(width: int, hidden: int) -> Bounds:
    """Bounds on the probability that a ReLU network of one input is constant, with ``hidden`` layers of one width.

    Lu et al. 2019 (https://arxiv.org/abs/1903.06733), weights symmetric and biases 0; the lower one is exact for two
    hidden layers.

    >>> dead_network(2, 2).lower
    0.15625
    """
    n, layers = positive_integer("width", width), positive_integer("hidden", hidden)
    one, both = 1 - 2.0**-n, 1 - 2.0 ** (1 - n) - (n - 1) * 4.0**-n
    share = (1 - 2.0 ** (1 - n)) * one / (1 + (n - 1) * 2.0**-n)
    lower = 1 - one ** (layers - 1) + share * (both ** (layers - 1) - one ** (layers - 1))
    return Bounds(lower, dead_ray([n] * layers))


def shared_correlation(argument: str, value: float) -> float:
    """A correlation that a batch of any size can share, or the error that names `argument`."""
    number = correlation(argument, value)
    if number < 0:
        raise ValueError(f"{argument} must be at least 0, which a whole batch can share, got {value!r}")
    return number

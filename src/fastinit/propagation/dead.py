"""Dead units: how many are off for every input of a batch, and when a whole layer is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ..activations import Activation, Function, Real, as_activation
from ..distributions import non_negative, real
from ..fans import integers
from ..gaussian import expect
from .theory import correlation


class Bounds(NamedTuple):
    """A probability's lower and upper bound."""

    lower: float
    upper: float


def dead_share(
    c: float,
    batch: int,
    *,
    activation: str | Function = "relu",
    param: float | None = None,
    q: float = 1.0,
    bias: float = 0.0,
) -> float:
    """The share of units that give 0 for every one of ``batch`` inputs, whose h have the correlation ``c`` >= 0.

    E_m[P(f(h) = 0 | m)^batch], h ~ N(bias + m, q (1 - c)), m ~ N(0, q c). ``bias`` is a bias that all units share.
    For ReLU and no bias it is 1 / (batch + 1) at c = 1/2. Activations that are 0 nowhere but at points have no dead units.

    Raises TypeError or ValueError for c out of [0, 1], a batch below 1, a negative q or a bias that is no number.

    >>> round(dead_share(0.5, 128) * 129, 9)
    1.0
    """
    if correlation("c", c) < 0:
        raise ValueError(f"c must be at least 0: a batch has no common negative correlation, got {c!r}")
    (size,) = positive("batch", [batch])
    q, bias = non_negative("q", q), real("bias", bias)
    f = as_activation(activation, param)
    off = Activation(f.name, lambda h: (f(h) == 0).astype(float), f.kinks)

    def alone(m: Real) -> Real:
        return expect(off, lambda s: s.value, mean=m, std=math.sqrt(q * (1 - c))) if c < 1 else off(m)

    if q == 0 or c == 0:
        return float((off if q == 0 else alone)(np.array([bias]))[0] ** size)
    return float(expect(Activation(f.name, alone, f.kinks), lambda s: s.value**size, bias, math.sqrt(q * c)))


def dead_ray(widths: int | Iterable[int]) -> float:
    """The probability that a ReLU network without biases gives 0 for an input, with hidden layers of these widths.

    Exactly 1 - prod(1 - 2^-width): a layer is off when all its units are.

    >>> dead_ray([2, 2])
    0.4375
    """
    return -math.expm1(sum(math.log1p(-(2.0**-n)) for n in positive("widths", widths)))


def dead_network(width: int, hidden: int) -> Bounds:
    """Bounds on the probability that a ReLU network of one input is constant, with ``hidden`` layers of one width.

    Lu et al. 2019 (https://arxiv.org/abs/1903.06733), weights symmetric and biases 0; the lower one is exact for two
    hidden layers.

    >>> dead_network(2, 2).lower
    0.15625
    """
    n, layers = positive("width", [width])[0], positive("hidden", [hidden])[0]
    one, both = 1 - 2.0**-n, 1 - 2.0 ** (1 - n) - (n - 1) * 4.0**-n
    share = (1 - 2.0 ** (1 - n)) * one / (1 + (n - 1) * 2.0**-n)
    lower = 1 - one ** (layers - 1) + share * (both ** (layers - 1) - one ** (layers - 1))
    return Bounds(lower, dead_ray([n] * layers))


def positive(argument: str, value: int | Iterable[int]) -> tuple[int, ...]:
    """One or several integers of at least 1, or the error that names `argument`."""
    numbers = integers(argument, value)
    if min(numbers, default=1) < 1:
        raise ValueError(f"{argument} must be at least 1, got {value!r}")
    return numbers

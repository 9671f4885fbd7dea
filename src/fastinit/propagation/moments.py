"""Second moments of an activation and of its derivative, for one normal input and for pairs."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..dtypes import Floats
from ..schemes.activations import Activation, ActivationFunction
from ..schemes.quadrature import expect

# Below this std of h, rounding hides a function's slope: moments of slopes go on as a straight line in std.
LEAST_STD = 1e-4


def second_moment(f: Activation, q: float) -> float:
    """E[f(h)^2] for h ~ N(0, q)."""
    if q == 0:
        return float(f(np.zeros(1))[0] ** 2)
    return float(expect(f, lambda s: s.value**2, std=math.sqrt(q)))


def second_moment_slope(f: Activation, q: float) -> float:
    """d E[f(h)^2] / dq, by Gaussian integration by parts: no derivative of f, and jumps count."""
    return _from_zero(lambda std: expect(f, lambda s: (s.z**2 - 1) * s.value**2, std=std) / (2 * std**2), q)


def slope_moment(f: Activation, q: float) -> float:
    """E[f'(h)^2] for h ~ N(0, q)."""
    return max(_from_zero(lambda std: expect(f, lambda s: s.slope**2, std=std), q), 0.0)


def pair_moment(f: Activation, q: float, c: float) -> float:
    """E[f(u) f(v)] for u, v ~ N(0, q) with correlation c, to 1e-9 of E[f(u)^2]."""
    if c in (-1, 1):
        return float(expect(f, lambda s: s.value * f(c * s.h), std=math.sqrt(q)))
    own, whole = math.sqrt(q * (1 - abs(c))), second_moment(f, q)
    rms = math.sqrt(whole)
    return _paired(f, lambda h: expect(f, lambda s: s.value, h, own, floor=rms), q, c, whole)


def pair_slope(f: Activation, q: float, c: float) -> float:
    """E[f'(u) f'(v)], which is the derivative of `pair_moment` by the covariance q c; jumps count for |c| < 1."""
    if c == 1:
        return slope_moment(f, q)
    if c == -1:
        # The slopes of the odd and the even part are half the sum and half the difference of f'(h) and f'(-h).
        odd, even = (_part(f, sign) for sign in (-1, 1))
        return slope_moment(odd, q) - slope_moment(even, q)
    own, whole = math.sqrt(q * (1 - abs(c))), second_moment(f, q)
    rms = math.sqrt(whole)
    # E[f'] by parts, in place of a derivative of f.
    return _paired(f, lambda h: expect(f, lambda s: s.z * s.value, h, own, floor=rms), q, c, whole) / own**2


def _part(f: Activation, sign: int) -> Activation:
    """The even (sign 1) or odd (sign -1) part of a function."""
    kinks = (*f.kinks, *(-kink for kink in f.kinks))
    return Activation(f.name, lambda h: 0.5 * (f(h) + sign * f(-h)), kinks)


def _paired(f: Activation, given: ActivationFunction, q: float, c: float, whole: float) -> float:
    """E[given(m) given(+-m)] over m ~ N(0, q |c|), the part that u and v share up to the sign of c."""
    if c == 0:
        return float(given(np.zeros(1))[0] ** 2)
    # Kinks of f are smoothed over the width of what u and v do not share.
    own = math.sqrt(q * (1 - abs(c)))
    marks = (kink + width * own for kink in (0.0, *f.kinks) for width in (-8, 0, 8))
    shared = Activation(f.name, given, tuple(marks))
    std = math.sqrt(q * abs(c))
    return float(
        expect(shared, lambda s: s.value * (s.value if c > 0 else shared(-s.h)), 0, std, floor=whole)
    )


def _from_zero(moment: Callable[[float], Floats], q: float) -> float:
    std = math.sqrt(q)
    if std >= LEAST_STD:
        return float(moment(std))
    near, far = float(moment(LEAST_STD)), float(moment(2 * LEAST_STD))
    return near + (far - near) * (std / LEAST_STD - 1)

"""Moments and slopes of every activation, against mpmath, closed forms and simulation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

import fastinit as fi
from fastinit.propagation.moments import (
    pair_moment,
    pair_slope,
    second_moment,
    second_moment_slope,
    slope_moment,
)
from fastinit.schemes.activations import ACTIVATIONS, as_activation

theory = fi.propagation
EXACT = {
    "tanh": (mpmath.tanh, lambda h: mpmath.sech(h) ** 2),
    "sigmoid": (lambda h: 1 / (1 + mpmath.exp(-h)), lambda h: mpmath.sech(h / 2) ** 2 / 4),
    "gelu": (lambda h: h * mpmath.ncdf(h), lambda h: mpmath.ncdf(h) + h * mpmath.npdf(h)),
    "silu": (lambda h: h / (1 + mpmath.exp(-h)),
             lambda h: 1 / (1 + mpmath.exp(-h)) + h * mpmath.sech(h / 2) ** 2 / 4),
    "elu": (lambda h: h if h > 0 else mpmath.expm1(h), lambda h: 1 if h > 0 else mpmath.exp(h)),
    "softplus": (lambda h: mpmath.log1p(mpmath.exp(h)), lambda h: 1 / (1 + mpmath.exp(-h))),
    "hardtanh": (lambda h: max(-1, min(1, h)), lambda h: 1 if abs(h) < 1 else 0),
    "softsign": (lambda h: h / (1 + abs(h)), lambda h: (1 + abs(h)) ** -2),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("q", [1e-4, 1.0, 30.0, 1e6])
def test_moments_by_mpmath(name: str, q: float) -> None:
    function, derivative = EXACT[name]
    with mpmath.workdps(20):
        std = mpmath.sqrt(q)
        cuts = sorted(
            {-14, *(s * 2**k / std for s in (-1, 1) for k in range(-1, 6) if 2**k < 14 * std), 0, 14, -3, 3}
        )

        def mean(g: Callable[[Any], Any]) -> float:
            return float(mpmath.quad(lambda z: g(std * z) * mpmath.npdf(z), cuts))

        f = as_activation(name)
        assert second_moment(f, q) == pytest.approx(mean(lambda h: function(h) ** 2), rel=1e-8)
        assert slope_moment(f, q) == pytest.approx(mean(lambda h: derivative(h) ** 2), rel=1e-8)
        slope = mean(lambda h: h * function(h) * derivative(h)) / q
        assert second_moment_slope(f, q) == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("c", [-0.9, -0.3, 0, 0.3, 0.9, 1 - 1e-6, 1 - 1e-12])
@pytest.mark.parametrize("q", [1e-3, 1.0, 1e4])
def test_pairs_by_closed_forms(q: float, c: float) -> None:
    angle, root = math.acos(c), math.sqrt(1 - c * c)
    for relu in (as_activation("relu"), as_activation(lambda h: np.maximum(h, 0))):
        assert pair_moment(relu, q, c) == pytest.approx(
            q * (root + (math.pi - angle) * c) / (2 * math.pi), abs=1e-9 * q
        )
        assert pair_slope(relu, q, c) == pytest.approx((math.pi - angle) / (2 * math.pi), rel=1e-8)
    erf, rho = as_activation("erf"), 2 * q * c / (1 + 2 * q)
    assert pair_moment(erf, q, c) == pytest.approx(2 / math.pi * math.asin(rho), rel=1e-9, abs=1e-12)
    exact = 4 / math.pi / (1 + 2 * q) / math.sqrt(1 - rho * rho)
    assert pair_slope(erf, q, c) == pytest.approx(exact, rel=1e-8)


def test_pairs_at_the_ends() -> None:
    for name in ("gelu", "elu", "tanh", "hardtanh"):
        f = as_activation(name)
        assert pair_moment(f, 2.0, 1) == pytest.approx(second_moment(f, 2.0), rel=1e-12)
        for end in (-1, 1):
            near = end * (1 - 1e-7)
            assert pair_slope(f, 2.0, end) == pytest.approx(pair_slope(f, 2.0, near), rel=2e-3)
            line = pair_moment(f, 2.0, near) + 2.0 * (end - near) * pair_slope(f, 2.0, end)
            assert pair_moment(f, 2.0, end) == pytest.approx(line, rel=1e-8)


@pytest.mark.parametrize("name", ["cos", "gaussian", "sigmoid", "softplus"])
@pytest.mark.parametrize("q", [0.0, 1e-12, 1e-8, 1e-5])
def test_slopes_near_zero(name: str, q: float) -> None:
    """Where values hardly differ: cos and the bell go as q, the others to their slope at 0."""
    expected = {"sigmoid": 1 / 16, "softplus": 0.25}.get(name, q)
    assert slope_moment(as_activation(name), q) == pytest.approx(expected, rel=2 * q + 1e-6, abs=2e-8)


@pytest.mark.parametrize("name", ["squared_relu", "square", "cos", "gaussian", "tanhshrink"])
@pytest.mark.parametrize("q", [1e-9, 1e-12, 1e-20])
def test_a_square_is_not_negative(name: str, q: float) -> None:
    assert slope_moment(as_activation(name), q) >= 0


def test_steep_functions() -> None:
    steep = as_activation(lambda h: np.sin(30 * h))
    assert second_moment(steep, 1.0) == pytest.approx(0.5, rel=1e-9)
    assert slope_moment(steep, 1.0) == pytest.approx(450, rel=1e-9)
    assert pair_moment(steep, 1e-3, 0.5) == pytest.approx(math.exp(-0.9) * math.sinh(0.45), rel=1e-9)
    step = as_activation(lambda h: np.tanh(1e4 * h))
    assert slope_moment(step, 1.0) == pytest.approx(1e4 * 4 / 3 / math.sqrt(2 * math.pi), rel=1e-6)
    assert slope_moment(as_activation(np.sign), 1.0) < 1e-15  # a jump at 0 is flat on both sides
    kink = as_activation(lambda h: np.maximum(h - 0.3, 0))
    tail = 0.5 * math.erfc(0.3 / math.sqrt(2))
    assert slope_moment(kink, 1.0) == pytest.approx(tail, rel=1e-8)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_kinks_are_where_the_table_says(name: str) -> None:
    """With the kinks unknown, the same moments."""
    known, unknown = ACTIVATIONS[name], as_activation(ACTIVATIONS[name].function)
    assert second_moment(known, 2.0) == pytest.approx(second_moment(unknown, 2.0), rel=1e-8)
    if name != "hardshrink":  # it jumps, which has no mean square slope
        assert slope_moment(known, 2.0) == pytest.approx(slope_moment(unknown, 2.0), rel=1e-8)


def test_every_activation_has_a_theory() -> None:
    for name in ACTIVATIONS:
        m = theory.mean_field(name, weight_variance=0.5, bias_variance=0.1)
        if m.q_star < math.inf:
            assert m.q_map(m.q_star) == pytest.approx(m.q_star, rel=1e-9)
            assert m.c_map(m.c_star) == pytest.approx(m.c_star, rel=1e-7)
        if name != "exp":  # which has no limit at q_star = inf, and says so
            assert m.phase == ("ordered" if m.chi < 1 else "chaotic")


def test_limits() -> None:
    he = theory.mean_field("relu", weight_variance=2)
    assert (he.q_star, he.c_star, he.phase, he.xi_q, he.xi_c) == (1.0, 1.0, "critical", math.inf, math.inf)
    above = theory.mean_field("relu", weight_variance=3)
    assert above.q_star == math.inf and above.chi == pytest.approx(1.5) and above.phase == "chaotic"
    assert theory.mean_field("tanh", weight_variance=1).phase == "critical"
    below = theory.mean_field("tanh", weight_variance=0.5)
    assert (below.q_star, below.c_star) == (0, 1) and below.chi == pytest.approx(0.5, rel=1e-6)
    off = theory.mean_field("tanh", weight_variance=0, bias_variance=0.1)
    assert (off.q_star, off.chi, off.xi_gradient) == (pytest.approx(0.1), 0, 0)

"""The theory of a stack's signal, against networks that are drawn."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import fastinit as fi
from fastinit.schemes.activations import ACTIVATIONS

theory = fi.propagation


# width, layers, whose share of dead networks of one input another Monte Carlo gives, and that one's error.
@pytest.mark.parametrize(("n", "depth", "share", "error"), [
    (2, 3, 0.15625, 0), (2, 5, 0.4987, 0.0008), (2, 10, 0.8803, 0.0005), (3, 10, 0.5778, 0.0009), (4, 20, 0.6264, 0.0013),
])  # fmt: skip
def test_dead_networks_in_simulation(n: int, depth: int, share: float, error: float) -> None:
    rng, nets = np.random.default_rng(0), 40_000
    x = np.stack([np.ones((nets, 1)), -np.ones((nets, 1))], axis=2)
    for _ in range(depth - 1):
        x = np.maximum(rng.standard_normal((nets, n, x.shape[1])) @ x, 0)
    dead = float((x == 0).all(axis=(1, 2)).mean())
    sigma = math.sqrt(share * (1 - share) / nets)
    assert abs(dead - share) < 5 * math.hypot(sigma, error)
    bounds = theory.dead_network(n, depth - 1)
    assert bounds.lower - 5 * sigma < dead < bounds.upper + 5 * sigma


def forward(rng: Any, widths: list[int], f: Any, weight: float, bias: float) -> tuple[list[float], ...]:
    """Mean squares of h and f(h), and squared norms of dL/dh for L = v h with a random v, in one network."""
    x, kept = rng.standard_normal(widths[0]), []
    x *= math.sqrt(widths[0] / (x @ x))
    for n_in, n_out in pairwise(widths):
        w = rng.standard_normal((n_out, n_in)) * math.sqrt(weight / n_in)
        h = w @ x + rng.standard_normal(n_out) * math.sqrt(bias)
        x = f(h)
        kept.append((w, h, x))
    g = rng.standard_normal(widths[-1])
    norms = [float(g @ g)]
    for (w, *_), (_, h, _) in zip(kept[:0:-1], kept[-2::-1], strict=True):
        g = (w.T @ g) * (f(h + 1e-6) - f(h - 1e-6)) / 2e-6
        norms.append(float(g @ g))
    gradient = np.array(norms[::-1]) / norms[0]
    return (
        [float(h @ h) / len(h) for _, h, _ in kept],
        [float(x @ x) / len(x) for *_, x in kept],
        list(gradient),
    )


@pytest.mark.parametrize(
    ("name", "weight", "bias"), [("relu", 2, 0), ("tanh", 2, 0.05), ("gelu", 2.5, 0.02), ("selu", 1, 0)]
)
def test_wide_networks(name: str, weight: float, bias: float) -> None:
    """Means over networks of width 1000, within 5 errors that the theory's own bands foretell."""
    widths, nets = [1000] * 7, 6
    rng = np.random.default_rng(1)
    measured = np.log([forward(rng, widths, ACTIVATIONS[name], weight, bias) for _ in range(nets)]).mean(
        axis=0
    )
    p = theory.predict(widths, name, weight, bias)
    for got, band in zip(measured, (p.q, p.output, p.gradient), strict=True):
        spread = np.log(band.high / band.low) / (2 * 1.96)
        middle = 0.5 * np.log(band.high * band.low)
        # What is left out is of second order in 1 / width, or falls between the lines of 1 / width.
        assert (np.abs(got - middle) <= 5 * spread / math.sqrt(nets) + 5e-3).all()


@pytest.mark.parametrize(
    ("name", "weight", "bias"), [("relu", 2, 0), ("tanh", 2, 0.05), ("tanh", 4, 0.05), ("gelu", 2.5, 0.1)]
)
def test_bands(name: str, weight: float, bias: float) -> None:
    """The variance over 600 networks of width 60 is the band's, within its own sampling error and 1 / width."""
    nets = 600
    widths = [60] * 6
    rng = np.random.default_rng(2)
    measured = np.log([forward(rng, widths, ACTIVATIONS[name], weight, bias) for _ in range(nets)])
    p = theory.predict(widths, name, weight, bias)
    for got, band in zip(measured.std(axis=0), (p.q, p.output, p.gradient), strict=True):
        foretold = np.log(band.high / band.low) / (2 * 1.959963984540054)
        near = np.abs(got - foretold) <= foretold * (5 / math.sqrt(2 * nets) + 5 / 60) + 1e-12
        assert near.all()

"""Where an activation is flat: its slope as backpropagation sees it, saturated values, dead units."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..dtypes import Floats
from ..schemes.activations import Activation

# tanh is saturated beyond +-0.97, where its slope is this share of its largest.
_FLAT = 1 - 0.97**2


def slope(f: Activation, h: Floats) -> Floats:
    """f'(h) by the flatter of two one-sided differences, to 1e-6; 0 where they differ in sign.

    At kinks that is the subgradient that autograd libraries take, and a jump is flat, as in backpropagation.
    """
    with np.errstate(all="ignore"):
        value = np.asarray(f.function(h), np.float64)
        # As small as h, for kinks at 0 and signals that have almost vanished, but not so small that f does not change.
        scale = np.maximum(np.abs(h), np.minimum(np.abs(value), 1.0))
        step = 1e-6 * np.where(scale, scale, 1.0)
        left = (value - f.function(h - step)) / step
        right = (f.function(h + step) - value) / step
    flatter = np.where(np.abs(left) < np.abs(right), left, right)
    return np.where(left * right > 0, flatter, 0.0)


@lru_cache(maxsize=256)
def flat_slope(f: Activation) -> float | None:
    """The slope below which the activation is saturated, or None for one that is not flat at both ends."""
    steepest = float(np.abs(slope(f, np.linspace(-8, 8, 4097))).max())
    ends = float(np.abs(slope(f, np.array([-100.0, 100.0]))).max())
    return _FLAT * steepest if ends < _FLAT * steepest else None


def saturation(f: Activation, h: Floats) -> tuple[float | None, float]:
    """Shares of saturated values and of dead units, for h of shape (samples, units)."""
    with np.errstate(all="ignore"):
        on = np.asarray(f.function(h)) != 0
    dead = float((~on.any(axis=0)).mean())
    limit = flat_slope(f)
    return (None if limit is None else float(((np.abs(slope(f, h)) < limit) & on).mean())), dead

"""Numbers of a scheme -> an elementwise distribution."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeAlias

from ..arguments import choose, non_negative, real
from ..laws.distributions import Constant, Distribution, Normal, TruncatedNormal, Uniform, truncated_std
from .activations import ActivationFunction, as_activation
from .gains import gain as activation_gain

Fan: TypeAlias = Callable[[str], float]
Mode: TypeAlias = Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]
Kind: TypeAlias = Literal["normal", "truncated_normal", "uniform"]
Bounds: TypeAlias = Literal["sigma", "absolute"]

_MODES: dict[str, Callable[[Fan], float]] = {
    "fan_in": lambda fan: fan("fan_in"),
    "fan_out": lambda fan: fan("fan_out"),
    "fan_avg": lambda fan: 0.5 * (fan("fan_in") + fan("fan_out")),
    "fan_geo_avg": lambda fan: math.sqrt(fan("fan_in") * fan("fan_out")),
}
_KINDS: dict[str, Callable[[float], Distribution]] = {
    "normal": lambda std: Normal(0.0, std),
    "truncated_normal": lambda std: _two_sigma(std / truncated_std(-2, 2)),
    "uniform": lambda std: Uniform(-math.sqrt(3) * std, math.sqrt(3) * std),
}


def _two_sigma(std: float) -> Distribution:
    if std == 0:
        return Constant(0.0)
    return TruncatedNormal(0.0, std, -2 * std, 2 * std)


def of_variance(variance_times_fan: float, mode: Mode, distribution: Kind, fan: Fan) -> Distribution:
    """The distribution of that kind with mean 0 and variance `variance_times_fan` / fan."""
    kind = choose("distribution", distribution, _KINDS)
    return kind(math.sqrt(variance_times_fan / choose("mode", mode, _MODES)(fan)))


def scaled(fan: Fan, distribution: Kind, mode: Mode, gain: float) -> Distribution:
    """The distribution of that kind with mean 0 and std `gain` / sqrt(fan)."""
    number = non_negative("gain", gain)
    return of_variance(number * number, mode, distribution, fan)


def he(
    fan: Fan,
    distribution: Kind,
    mode: Mode,
    gain: float | None,
    activation: str | ActivationFunction,
    negative_slope: float | None,
) -> Distribution:
    """`scaled` by the gain, or by that of the activation if there is none."""
    if gain is None:
        gain = activation_gain(activation, negative_slope)
    elif negative_slope is not None:
        raise ValueError(f"gain={gain!r} and negative_slope={negative_slope!r} both say the gain: give one")
    else:
        as_activation(activation)
    return scaled(fan, distribution, mode, gain)


def truncated(mean: float, std: float, low: float, high: float, bounds: Bounds) -> Distribution:
    """The normal distribution between bounds, which are in units of `std` or those of the values."""
    mean, std = real("mean", mean), non_negative("std", std)
    low, high = real("low", low, finite=False), real("high", high, finite=False)
    if choose("bounds", bounds, {"sigma": True, "absolute": False}):
        if not low < high:
            raise ValueError(f"low must be below high, got low={low}, high={high}")
        if std == 0:
            return Constant(mean)
        low, high = mean + std * low, mean + std * high
    return TruncatedNormal(mean, std, low, high)

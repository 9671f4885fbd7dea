"""Numbers of a scheme -> an elementwise law."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..arguments import choose, non_negative, real
from ..laws.distributions import Constant, Distribution, Normal, TruncatedNormal, Uniform, truncated_std
from .gains import gain as activation_gain

Fan = Callable[[str], float]

_MODES: dict[str, Callable[[Fan], float]] = {
    "fan_in": lambda fan: fan("fan_in"),
    "fan_out": lambda fan: fan("fan_out"),
    "fan_avg": lambda fan: 0.5 * (fan("fan_in") + fan("fan_out")),
    "fan_geo_avg": lambda fan: math.sqrt(fan("fan_in") * fan("fan_out")),
}
_WIDTHS: dict[str, Callable[[float], Distribution]] = {
    "normal": lambda std: Normal(0.0, std),
    "truncated_normal": lambda std: _two_sigma(std / truncated_std(-2, 2)),
    "uniform": lambda std: Uniform(-math.sqrt(3) * std, math.sqrt(3) * std),
}


def _two_sigma(std: float) -> Distribution:
    if std == 0:
        return Constant(0.0)
    return TruncatedNormal(0.0, std, -2 * std, 2 * std)


def of_variance(variance_times_fan: float, mode: str, distribution: str, fan: Fan) -> Distribution:
    width = choose("distribution", distribution, _WIDTHS)
    return width(math.sqrt(variance_times_fan / choose("mode", mode, _MODES)(fan)))


def scaled(fan: Fan, law: str, mode: str, gain: float) -> Distribution:
    number = non_negative("gain", gain)
    return of_variance(number * number, mode, law, fan)


def he(
    fan: Fan, law: str, mode: str, gain: float | None, activation: Any, param: float | None
) -> Distribution:
    return scaled(fan, law, mode, activation_gain(activation, param) if gain is None else gain)


def truncated(mean: float, std: float, low: float, high: float, bounds: str) -> Distribution:
    mean, std = real("mean", mean), non_negative("std", std)
    low, high = real("low", low, finite=False), real("high", high, finite=False)
    if choose("bounds", bounds, {"sigma": True, "absolute": False}):
        if not low < high:
            raise ValueError(f"low must be below high, got low={low}, high={high}")
        if std == 0:
            return Constant(mean)
        low, high = mean + std * low, mean + std * high
    return TruncatedNormal(mean, std, low, high)


def uniform(low: float, high: float, eps: float | None) -> Distribution:
    if eps is not None:
        eps = non_negative("eps", eps)
        return Uniform(-eps, eps)
    return Uniform(low, high)

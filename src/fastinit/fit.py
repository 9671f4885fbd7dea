"""Do measured values follow a law? Tests of a law's shape at the level of 6 standard errors, whatever mean and std.

The bins that the kernel counts are intervals of the values before they were rounded to the tensor's dtype: coarse
dtypes are compared with what rounding makes of the law.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .distributions import Distribution, Normal, TruncatedNormal, Uniform
from .measure import Measured

Floats = NDArray[np.float64]

LEVEL = 6.0  # standard errors
_MOST_CELLS, _LEAST_IN_CELL, _LEAST_CELLS = 64, 32, 8
# A law that differs by less, as sum of (p - q)^2 / q over the cells, does for another. Values that were rounded to
# bfloat16 and are kept as float32 differ by 0.0001.
_NEGLIGIBLE = 3e-4
_MOMENTS_FROM = 10_000  # values; below, skew and kurtosis are far from normal themselves

LIKELY: dict[str, Distribution] = {
    "normal": Normal(),
    "uniform": Uniform(-1.0, 1.0),
    "truncated normal": TruncatedNormal(low=-2.0, high=2.0),
}
_erfc = np.frompyfunc(math.erfc, 1, 1)


def likely_law(measured: Measured, dtype: str) -> str | None:
    """ "constant", the name of the only law of `LIKELY` that fits, "other" where none does, None where several do."""
    if measured.count == 0:
        return None
    if measured.low == measured.high:
        return "constant"
    fitting = [name for name, law in LIKELY.items() if misfit(measured, dtype, law) is None]
    if len(fitting) > 1:
        return None
    return fitting[0] if fitting else "other"


def misfit(measured: Measured, dtype: str, law: Distribution) -> str | None:
    """How the values' shape differs from the law's, or None. Mean and std are left out: the law is fitted to them."""
    mean, std = law.moments()
    if std == 0 or not measured.std > 0:
        return None
    low, high = _reach(law, measured.count)
    # By how much the sample's std can be off.
    slack = 1 + LEVEL * std_error(measured) + spacing(measured, dtype) / measured.std
    for value, bound, sign in (
        (measured.low, (low - mean) / std, -1),
        (measured.high, (high - mean) / std, 1),
    ):
        z = (value - measured.mean) / measured.std
        if sign * z > sign * bound * slack:
            return f"reaches {z:+.2f} std, the law {bound:+.2f}"
    if measured.count >= _MOMENTS_FROM:
        skew, kurtosis, skew_error, kurtosis_error = _higher_moments(law)
        root = math.sqrt(measured.count)
        least = (
            0.02 + (spacing(measured, dtype) / measured.std) ** 2 / 4
        )  # what rounding to the dtype may add
        for name, got, want, error in (
            ("skew", measured.skew, skew, skew_error / root),
            ("kurtosis", measured.kurtosis, kurtosis, kurtosis_error / root),
        ):
            if abs(got - want) > max(LEVEL * error, least):
                return f"{name} {got:.3g}, the law's {want:.3g}"
    return _bins_misfit(measured, dtype, law)


def std_error(measured: Measured) -> float:
    """The standard error of the std, relative to it; by the values' own kurtosis, at least by the normal law's."""
    kurtosis = measured.kurtosis if measured.kurtosis > 0 else 0.0
    return math.sqrt((kurtosis + 2) / (4 * measured.count))


def spacing(measured: Measured, dtype: str) -> float:
    """How far apart the dtype's values are about one std from the mean."""
    magnitude = abs(measured.mean) + measured.std
    return math.ulp(magnitude) * 2.0 ** (52 - FRACTION[dtype])


FRACTION = {"float64": 52, "float32": 23, "float16": 10, "bfloat16": 7}


def _reach(law: Distribution, count: int) -> tuple[float, float]:
    """Between which values all of so many lie, but for a chance of 1e-9."""
    if isinstance(law, Uniform):
        return law.low, law.high
    assert isinstance(law, (Normal, TruncatedNormal))
    farthest = law.std * math.sqrt(2 * math.log(1e9 * count))  # P(|Z| > t) < exp(-t^2 / 2)
    low, high = law.mean - farthest, law.mean + farthest
    if isinstance(law, TruncatedNormal):
        # The bound holds where the cut leaves the better part of the law; a tail alone is thinner than its start.
        low, high = max(low, law.low), min(high, law.high)
        if low >= high:
            return law.low, law.high
    return low, high


def cdf(law: Distribution, x: Floats) -> Floats | None:
    """P(value < x), or None for a piece of the tail that is beyond double's range."""
    if isinstance(law, Uniform):
        return np.clip((x - law.low) / (law.high - law.low), 0.0, 1.0)
    if isinstance(law, Normal):
        return _below((x - law.mean) / law.std)
    assert isinstance(law, TruncatedNormal)
    z, low, high = ((np.asarray(v) - law.mean) / law.std for v in (x, law.low, law.high))
    if low > 0:  # upper tails, where differences keep their digits
        mirrored = cdf(TruncatedNormal(-law.mean, law.std, -law.high, -law.low), -x)
        return None if mirrored is None else 1 - mirrored
    start, end = _below(low), _below(high)
    if not end - start > 1e-300:
        return None
    result: Floats = (_below(np.clip(z, low, high)) - start) / (end - start)
    return result


def _below(z: Floats) -> Floats:
    return np.asarray(_erfc(-np.asarray(z) / math.sqrt(2.0)), np.float64) / 2


@lru_cache
def _higher_moments(law: Distribution) -> tuple[float, float, float, float]:
    """Skew, kurtosis, and their standard errors times the root of the number of values."""
    mean, std = law.moments()
    low, high = _reach(law, 1000)
    edges = np.linspace(max(low, mean - 40 * std), min(high, mean + 40 * std), 4001)
    below = cdf(law, edges)
    if below is None:
        return math.nan, math.nan, math.nan, math.nan  # no test fails by it
    z = ((edges[1:] + edges[:-1]) / 2 - mean) / std
    weight = np.diff(below)
    m3, m4, m5, m6, m8 = (float(weight @ z**power) for power in (3, 4, 5, 6, 8))
    skew = m6 - 6 * m4 + 9 + m3**2 * (9 * m4 + 35) / 4 - 3 * m3 * m5
    kurtosis = m8 - 4 * m4 * m6 + 4 * m4**3 - m4**2 + 16 * m3**2 * m4 - 8 * m3 * m5 + 16 * m3**2
    return m3, m4 - 3, math.sqrt(max(skew, 0.0)), math.sqrt(max(kurtosis, 0.0))


@lru_cache
def bin_edges(dtype: str) -> tuple[NDArray[np.intp], Floats]:
    """The finite bins in ascending order, and what is rounded apart between one and the next."""
    if dtype == "float16":
        first_infinite = 31 << 6
        starts = np.arange(1, first_infinite, dtype=np.uint16) << 4
        at, before = starts.view(np.float16), (starts - 1).view(np.float16)
    else:  # the upper half of a float32; bfloat16 is just that, float64 is counted as float32
        first_infinite = 255 << 3
        starts = np.arange(1, first_infinite, dtype=np.uint32) << 20
        last = 1 << 16 if dtype == "bfloat16" else 1
        at, before = starts.view(np.float32), (starts - np.uint32(last)).view(np.float32)
    positive = (at.astype(np.float64) + before.astype(np.float64)) / 2
    order = np.concatenate([2048 + np.arange(first_infinite)[::-1], np.arange(first_infinite)])
    return order, np.concatenate([-positive[::-1], [0.0], positive])


def _bins_misfit(measured: Measured, dtype: str, law: Distribution) -> str | None:
    """Pearson's test on cells of about equal counts, the law fitted by mean and std."""
    order, edges = bin_edges(dtype)
    cumulative = np.cumsum(measured.counts[order])
    total = int(cumulative[-1])
    wanted = min(_MOST_CELLS, total // _LEAST_IN_CELL)
    if wanted < _LEAST_CELLS:
        return None
    cuts = np.unique(np.searchsorted(cumulative, total * np.arange(1, wanted) / wanted))
    cuts = cuts[(cuts < len(edges)) & (cumulative[np.minimum(cuts, len(edges))] < total)]
    if len(cuts) + 1 < _LEAST_CELLS:
        return None
    observed = np.diff(np.concatenate([[0], cumulative[cuts], [total]])) / total
    mean, std = law.moments()
    below = cdf(law, (edges[cuts] - measured.mean) * (std / measured.std) + mean)
    if below is None:
        return None
    expected = np.maximum(np.diff(np.concatenate([[0.0], below, [1.0]])), 1e-12)
    difference = float(((observed - expected) ** 2 / expected).sum())
    freedom = len(observed) - 3
    # Wilson and Hilferty 1931.
    limit = freedom * (1 - 2 / (9 * freedom) + LEVEL * math.sqrt(2 / (9 * freedom))) ** 3
    if difference * total > limit and difference > _NEGLIGIBLE:
        return f"chi-squared {difference * total:.3g} of {len(observed)} cells, {limit:.3g} at most by chance"
    return None

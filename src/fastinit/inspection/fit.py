"""Do measured values follow a law? Tests of its shape at the level of 6 standard errors.

The bins that the kernel counts are intervals of the values before they were rounded to the tensor's dtype: coarse
dtypes are compared with what rounding makes of the law.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..dtypes import rounding_step
from ..laws.distributions import Distribution, Normal, TruncatedNormal, Uniform
from .measure import Measured

Floats = NDArray[np.float64]

LEVEL = 6.0  # standard errors
_SURE = 1e9  # that many to one against
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
    fitting = [
        name for name, law in LIKELY.items() if misfit(measured, dtype, fitted(law, measured, dtype)) is None
    ]
    if len(fitting) > 1:
        return None
    return fitting[0] if fitting else "other"


def fitted(law: Distribution, measured: Measured, dtype: str) -> Distribution:
    """The law, moved and scaled: the normal by mean and std; one within bounds by its bounds, which the farthest values
    show within a rounding, and mean and std within that."""
    if not 0 < measured.std < math.inf:
        return law
    mean, std = law.moments()
    if not isinstance(law, (Uniform, TruncatedNormal)) or math.isinf(law.low) or math.isinf(law.high):
        return _moved(law, measured.std / std, measured.mean - mean * measured.std / std)
    bounds = []
    for bound, farthest in ((law.low, measured.low), (law.high, measured.high)):
        rounding = rounding_step(farthest, dtype) / 2
        by_moments = measured.mean + measured.std * (bound - mean) / std
        bounds.append(min(max(by_moments, farthest - rounding), farthest + rounding))
    scale = (bounds[1] - bounds[0]) / (law.high - law.low)
    return _moved(law, scale, bounds[0] - law.low * scale)


def _moved(law: Distribution, scale: float, shift: float) -> Distribution:
    if isinstance(law, Uniform):
        return Uniform(law.low * scale + shift, law.high * scale + shift)
    if isinstance(law, Normal):
        return Normal(law.mean * scale + shift, law.std * scale)
    assert isinstance(law, TruncatedNormal)
    mean, std, low, high = law.parameters
    return TruncatedNormal(mean * scale + shift, std * scale, low * scale + shift, high * scale + shift)


def misfit(measured: Measured, dtype: str, law: Distribution) -> str | None:
    """How the values' shape differs from that of the law, whose mean and std they have; None where it does not."""
    if law.moments()[1] == 0 or not 0 < measured.std < math.inf:
        return None
    coarse = spacing(measured, dtype) / measured.std
    if isinstance(law, Normal):
        slack = 1 + LEVEL * std_error(measured) + coarse
        farthest = max(measured.high - law.mean, law.mean - measured.low) / law.std
        if farthest > slack * math.sqrt(2 * math.log(_SURE * measured.count)):  # P(|Z| > z) < exp(-z^2 / 2)
            return f"a value {farthest:.3g} std from the mean"
        if measured.count * math.erfc(farthest * slack / math.sqrt(2)) > math.log(_SURE):
            return f"no value farther than {farthest:.3g} std from the mean"
    if measured.count >= _MOMENTS_FROM:
        skew, kurtosis, skew_error, kurtosis_error = _higher_moments(law)
        root = math.sqrt(measured.count)
        least = 0.02 + coarse**2 / 4  # what rounding to the dtype may add
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
    return rounding_step(magnitude, dtype)


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


def _higher_moments(law: Distribution) -> tuple[float, float, float, float]:
    """Skew, kurtosis, and their standard errors times the root of the number of values."""
    if isinstance(law, Normal):
        return 0.0, 0.0, math.sqrt(6), math.sqrt(24)
    if isinstance(law, Uniform):
        return 0.0, -1.2, math.sqrt(72 / 35), math.sqrt(1.32)
    assert isinstance(law, TruncatedNormal)
    return _cut_moments(*(float(f"{(bound - law.mean) / law.std:.9g}") for bound in (law.low, law.high)))


@lru_cache
def _cut_moments(low: float, high: float) -> tuple[float, float, float, float]:
    law = TruncatedNormal(low=low, high=high)
    mean, std = law.moments()
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
    """Pearson's test on cells of about equal counts."""
    order, edges = bin_edges(dtype)
    cumulative = np.cumsum(measured.counts[order])
    total = int(cumulative[-1])
    wanted = min(_MOST_CELLS, total // _LEAST_IN_CELL)
    if wanted < _LEAST_CELLS:
        return None
    cuts, begun = [], 0
    for bin in np.unique(np.searchsorted(cumulative, total * np.arange(1, wanted) / wanted)).tolist():
        if begun + _LEAST_IN_CELL <= cumulative[bin] <= total - _LEAST_IN_CELL:
            cuts.append(bin)
            begun = cumulative[bin]
    if len(cuts) + 1 < _LEAST_CELLS:
        return None
    observed = np.diff(np.concatenate([[0], cumulative[cuts], [total]])) / total
    below = cdf(law, edges[cuts])
    if below is None:
        return None
    expected = np.maximum(np.diff(np.concatenate([[0.0], below, [1.0]])), 1e-12)
    difference = float(((observed - expected) ** 2 / expected).sum())
    freedom = len(observed) - 1
    # Wilson and Hilferty 1931.
    limit = freedom * (1 - 2 / (9 * freedom) + LEVEL * math.sqrt(2 / (9 * freedom))) ** 3
    if difference * total > limit and difference > _NEGLIGIBLE:
        return f"chi-squared {difference * total:.3g} of {len(observed)} cells, {limit:.3g} at most by chance"
    return None

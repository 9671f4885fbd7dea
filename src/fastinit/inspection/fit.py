"""Do measured values follow a law? Tests of its shape at the level of 6 standard errors.

The kernel counts values in bins. Each bin is compared with the interval of numbers that the dtype rounds into it, so that
coarse dtypes are compared with what rounding makes of the law.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..dtypes import DTYPES, Floats, decode, part_of, rounding_step
from ..laws.distributions import Elementwise, Normal, TruncatedNormal, Uniform
from ..laws.rounding import rounded
from .measure import Measured

LEVEL = 6.0  # standard errors
SURE = 1e9  # odds against chance
_ITERATIONS = 5
_MOST_CELLS, _LEAST_IN_CELL, _LEAST_CELLS = 64, 32, 8
# A law that differs by less, as sum of (p - q)^2 / q over the cells, passes for another. Values that were rounded to
# bfloat16 and are kept as float32 differ by 0.0001.
_NEGLIGIBLE = 3e-4
_MOMENTS_FROM = 10_000  # values; for fewer, skew and kurtosis are far from normally distributed

LIKELY: tuple[Elementwise, ...] = (Normal(), Uniform(-1.0, 1.0), TruncatedNormal(low=-2.0, high=2.0))


def likely_law(measured: Measured, dtype: str) -> str | None:
    """ "constant", the label of the only law of `LIKELY` that fits, "other" if none does, None if several do."""
    if measured.count == 0:
        return None
    if measured.low == measured.high:
        return "constant"
    fitting = [law.label for law in LIKELY if misfit(measured, dtype, fitted(law, measured, dtype)) is None]
    if len(fitting) > 1:
        return None
    return fitting[0] if fitting else "other"


def fitted(law: Elementwise, measured: Measured, dtype: str) -> Elementwise:
    """The law, moved and scaled to fit the values.

    A law within bounds is fitted by its bounds, which the farthest values show within 1.5 steps of the dtype, and by mean
    and std within that; any other one by mean and std.
    """
    if not 0 < measured.std < math.inf:
        return law
    mean, std = law.moments()
    by_moments = law.affine(measured.std / std, measured.mean - mean * measured.std / std)
    for _ in range(
        _ITERATIONS if DTYPES[part_of(dtype)].size == 1 else 0
    ):  # until the rounded law has these moments
        mean, std = by_moments.moments()
        rounded_mean, rounded_std = rounded(by_moments, dtype).moments()
        scale = measured.std / rounded_std if rounded_std else 1.0
        by_moments = by_moments.affine(scale, mean * (1 - scale) + measured.mean - rounded_mean)
    low, high = law.support()
    if math.isinf(low) or math.isinf(high):
        return by_moments
    bounds = []
    for bound, farthest in zip(by_moments.support(), (measured.low, measured.high), strict=True):
        # No value reaches what a uniform law's upper bound is rounded to, which is half a step away from it at most.
        slack = 1.5 * rounding_step(farthest, dtype)
        bounds.append(min(max(bound, farthest - slack), farthest + slack))
    scale = (bounds[1] - bounds[0]) / (high - low)
    return law.affine(scale, bounds[0] - low * scale)


def misfit(measured: Measured, dtype: str, law: Elementwise) -> str | None:
    """How the values' shape differs from that of the law, whose mean and std they have; None if it does not."""
    if law.moments()[1] == 0 or not 0 < measured.std < math.inf:
        return None
    coarse = spacing(measured, dtype) / measured.std
    if different := _tails_misfit(measured, law, 1 + LEVEL * std_error(measured) + coarse):
        return different
    if measured.count >= _MOMENTS_FROM:
        like = rounded(law, dtype)
        m3, m4, m5, m6, m8 = map(like.standard_moment, (3, 4, 5, 6, 8))
        # Of the sample's skew and kurtosis, times the number of values.
        variances = (
            m6 - 6 * m4 + 9 + m3**2 * (9 * m4 + 35) / 4 - 3 * m3 * m5,
            m8 - 4 * m4 * m6 + 4 * m4**3 - m4**2 + 16 * m3**2 * m4 - 8 * m3 * m5 + 16 * m3**2,
        )
        # What rounding to the dtype may add, unless that is taken into account.
        least = 0.02 + (coarse**2 / 4 if isinstance(like, Elementwise) else 0.0)
        for name, got, want, variance in (
            ("skew", measured.skew, m3, variances[0]),
            ("kurtosis", measured.kurtosis, m4 - 3, variances[1]),
        ):
            if abs(got - want) > max(LEVEL * math.sqrt(max(variance, 0.0) / measured.count), least):
                return f"{name} {got:.3g}, the law's {want:.3g}"
    return _bins_misfit(measured, dtype, law)


def _tails_misfit(measured: Measured, law: Elementwise, slack: float) -> str | None:
    """Whether the farthest value in a tail without a bound is too far, or not far enough, for the number of values."""
    mean, std = law.moments()
    for side, bound, farthest in zip((-1, 1), law.support(), (measured.low, measured.high), strict=True):
        if math.isfinite(bound):
            continue
        lower = law.affine(-side, 0.0)  # this tail as a lower one, in which `cdf` has all digits
        distance = side * (farthest - mean) / std

        def beyond(distance: float, side: int = side, lower: Elementwise = lower) -> float:
            """How many values are expected farther away than this."""
            return measured.count * float(lower.cdf(-side * mean - distance * std))

        if beyond(distance / slack) < 1 / SURE:
            return f"a value {distance:.3g} std from the mean"
        if beyond(distance * slack) > math.log(SURE):
            return f"no value farther than {distance:.3g} std from the mean"
    return None


def std_error(measured: Measured) -> float:
    """The standard error of the std, relative to it; by the values' own kurtosis, at least by the normal law's."""
    kurtosis = measured.kurtosis if measured.kurtosis > 0 else 0.0
    return math.sqrt((kurtosis + 2) / (4 * measured.count))


def spacing(measured: Measured, dtype: str) -> float:
    """How far apart the dtype's values are about one std from the mean."""
    magnitude = abs(measured.mean) + measured.std
    return rounding_step(magnitude, dtype)


@lru_cache
def bin_edges(dtype: str) -> tuple[NDArray[np.intp], Floats]:
    """The finite bins in ascending order, and the numbers at which rounding parts one from the next.

    A bin holds the values with the same upper 12 bits, or one value of a dtype that has fewer bits; float64 is counted as
    float32.
    """
    dtype = "float32" if part_of(dtype) == "float64" else part_of(dtype)
    bits = 8 * DTYPES[dtype].size
    in_bin, bins = 1 << max(bits - 12, 0), 1 << min(bits, 12)
    first = np.arange(bins // 2) * in_bin  # the first code of each bin of positive values
    first = first[decode(first, dtype) <= DTYPES[dtype].largest]
    positive = (decode(first[1:], dtype) + decode(first[1:] - 1, dtype)) / 2
    at = np.arange(len(first)) * (_core.BINS // bins)
    order = np.concatenate([_core.BINS // 2 + at[::-1], at])
    return order, np.concatenate([-positive[::-1], [0.0], positive])


def _bins_misfit(measured: Measured, dtype: str, law: Elementwise) -> str | None:
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
    expected = np.maximum(np.diff(np.concatenate([[0.0], law.cdf(edges[cuts]), [1.0]])), 1e-12)
    difference = float(((observed - expected) ** 2 / expected).sum())
    freedom = len(observed) - 1
    # Wilson and Hilferty 1931.
    limit = freedom * (1 - 2 / (9 * freedom) + LEVEL * math.sqrt(2 / (9 * freedom))) ** 3
    if difference * total > limit and difference > _NEGLIGIBLE:
        return f"chi-squared {difference * total:.3g} of {len(observed)} cells, {limit:.3g} at most by chance"
    return None

"""What looks wrong in a tensor: in itself, and against the distribution that it should have."""

from __future__ import annotations

import math

from ..checkpoints.statistics import unit_of
from ..dtypes import rounding_step
from ..laws import Distribution, Elementwise
from ..laws.rounding import rounded
from . import fit
from .measure import Measured, Source


def findings_in(source: Source, measured: Measured, law: Distribution | None) -> list[tuple[str, str]]:
    """The kind of each finding, and a message; ``law`` is None if nothing is expected."""
    found = []
    if measured.nan or measured.inf:
        found.append(("non-finite", f"{measured.nan:,} NaN and {measured.inf:,} infinite values"))
    if measured.count == 0 or not isinstance(law, Elementwise | None):
        return found  # of a structured distribution, neither moments nor rows are known
    constant = measured.low == measured.high
    if law is not None and law.moments()[1] == 0:
        value = law.moments()[0]
        if max(abs(measured.low - value), abs(measured.high - value)) > _half_step(value, source.dtype):
            found.append(("value", f"from {measured.low:g} to {measured.high:g}, expected {value:g}"))
        return found
    if constant and measured.low == 0 and (law is not None or len(source.shape) >= 2):
        if law is None or not _rounds_to_zero(law, source.dtype, measured.count):
            found.append(("zero", "all values are zero"))
        return found
    if law is not None:
        found += _against(measured, source.dtype, law)
    if measured.duplicates and not constant and not _by_chance(source, measured):
        first, second = measured.twins or (0, 0)
        found.append(
            ("duplicates", f"{measured.duplicates:,} rows repeat another; row {second} is row {first}")
        )
    return found


def _by_chance(source: Source, measured: Measured) -> bool:
    """Might two rows be equal by chance?

    Two values are equal with a probability of about spacing / (3.4 std): of normal and uniform laws it is the integral of
    the squared density, times the spacing. It is taken to be at least 2^-16, and higher if many values are zero.
    """
    if not 0 < measured.std < math.inf:
        return True
    alike = max(fit.spacing(measured, source.dtype) / (3.4 * measured.std), 2.0**-16)
    alike = min(alike + (measured.zeros / measured.count) ** 2, 1.0)
    rows, length = source.shape[0], math.prod(source.shape[1:])
    return 2 * math.log2(rows) - 1 + length * math.log2(alike) > math.log2(1e-9)


def _rounds_to_zero(law: Elementwise, dtype: str, count: int) -> bool:
    """Might ``count`` values of the law all be zero in the dtype?"""
    half = rounding_step(0.0, dtype) / 2
    zero = float(law.cdf(half) - law.cdf(-half))
    return zero > 0 and count * math.log(zero) > -math.log(fit.SURE)


def _half_step(value: float, dtype: str) -> float:
    """By how much rounding to the dtype may change the value."""
    return rounding_step(value, dtype) / 2 if value else 0.0


def _against(measured: Measured, dtype: str, law: Elementwise) -> list[tuple[str, str]]:
    found = []
    # What rounding to the dtype may add to both, in units of the std.
    ratio = fit.spacing(measured, dtype) / law.moments()[1]
    coarse = ratio * ratio / 8
    if coarse > 1 / 8 or unit_of(law) != 1:
        return []  # values farther apart than the std, or moments out of a float's range
    like = rounded(law, dtype)
    if not isinstance(like, Elementwise):
        coarse = 0.0
    mean, std = like.moments()
    error = std / math.sqrt(measured.count)
    if abs(measured.mean - mean) > fit.LEVEL * error + coarse * std:
        off = (measured.mean - mean) / error
        found.append(("mean", f"mean {measured.mean:.4g}, expected {mean:.4g} ({off:+.1f} standard errors)"))
    ratio, allowed = measured.std / std, fit.LEVEL * fit.std_error(measured) + coarse
    if abs(ratio - 1) > allowed:
        message = f"std {measured.std:.4g}, expected {std:.4g} (x {ratio:.4g}; by chance 1 +- {allowed:.2g} at most)"
        found.append(("std", message))
    # If mean or std are off, the shape is judged without them.
    shape = fit.fitted(law, measured, dtype) if found else law
    low, high = law.support()
    slack = max(_half_step(bound, dtype) for bound in (low, high))
    if measured.low < low - slack or measured.high > high + slack:
        between = f"from {measured.low:.4g} to {measured.high:.4g}"
        found.append(("range", f"{between}, expected {low:.4g} to {high:.4g}"))
    if different := fit.misfit(measured, dtype, shape):
        found.append(("distribution", f"not {law.label}: {different}"))
    return found

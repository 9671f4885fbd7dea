"""How far the mean and the variance of values are from those of a law, drawn ones and those of a file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from ..drawing.moments import Moments, measure
from ..dtypes import COMPLEX, Array, as_parts, rounding_step
from ..laws import Distribution, Elementwise
from ..laws.copies import drawn_as
from ..laws.parts import each_part, of_reals
from ..laws.rounding import Rounded, rounded
from ..plans.lint import Finding
from ..plans.parameter import Parameter

_ERRORS = 7.0  # standard errors, beyond which chance is ruled out: once in 4e11 tensors
_ENOUGH = 1000  # elements, for which sums are near enough to normal at that distance


class Deviation(NamedTuple):
    """How far the mean is off, in units of the law's std, and the variance, relative to the law's.

    ``mean_error`` and ``variance_error`` are one standard error of each.
    """

    mean: float
    variance: float
    mean_error: float
    variance_error: float


def deviation(measured: Moments, law: Elementwise | Rounded) -> Deviation:
    """The deviation of measured values, at least one, from a law with std > 0."""
    mean, std = law.moments()
    off = (measured.mean - mean) / std
    variance = measured.m2 / measured.count / std**2 + off**2 - 1
    spread = law.standard_moment(4) - 1
    return Deviation(off, variance, math.sqrt(1 / measured.count), math.sqrt(spread / measured.count))


def unit_of(law: Elementwise) -> float:
    """1, or a power of two near 1 / std if the squares of drawn values may leave a float's range."""
    std = law.moments()[1]
    if std == 0 or 1e-140 < std < 1e140:
        return 1.0
    return math.ldexp(1.0, min(max(-math.frexp(std)[1], -1000), 1000))


def measure_in(unit: float, pieces: Iterable[Array]) -> Moments:
    """The moments of the pieces' values times ``unit``."""
    return measure(pieces if unit == 1 else (piece.astype(np.float64) * unit for piece in pieces))


def unlike(row: Parameter, name: str, pieces: Callable[[], Iterator[Array]]) -> list[Finding]:
    """Findings by what the values are like; of complex ones, by what their real and imaginary parts are like."""
    law, _ = drawn_as(row.distribution, name)
    law, _ = of_reals(law, row.shape, row.dtype)
    if row.dtype not in COMPLEX:
        return _unlike(name, "", law, row.dtype, pieces)
    laws = each_part(law, row.shape) or (law, law)
    return [
        finding
        for i, where in enumerate(("in its real part ", "in its imaginary part "))
        for finding in _unlike(name, where, laws[i], row.dtype, _part(pieces, i))
    ]


def _part(pieces: Callable[[], Iterator[Array]], i: int) -> Callable[[], Iterator[Array]]:
    return lambda: (as_parts(piece)[..., i] for piece in pieces())


def _unlike(
    name: str, where: str, law: Distribution, dtype: str, pieces: Callable[[], Iterator[Array]]
) -> list[Finding]:
    measured = measure(pieces())
    if measured.nan or measured.inf:
        return [Finding(name, "bounds", f"has {where}values that are not finite")]
    if measured.count == 0 or not isinstance(law, Elementwise):
        return []
    if not (law.contains(measured.low) and law.contains(measured.high)):
        between = f"from {measured.low:.6g} to {measured.high:.6g}"
        return [Finding(name, "bounds", f"has {where}values {between}, not those of {law}")]
    if (unit := unit_of(law)) != 1:
        measured = measure_in(unit, pieces())
    like = rounded(law.affine(unit, 0.0), dtype)
    if measured.count < _ENOUGH or like.moments()[1] == 0:
        return []
    findings = []
    mean, std = law.moments()
    # Rounding moves mean and std by less than half a step, unless that is taken into account.
    step = rounding_step(mean, dtype) / std if isinstance(like, Elementwise) else 0.0
    if step > 1:
        return []
    off = deviation(measured, like)
    if abs(off.mean) > _ERRORS * off.mean_error + step / 2:
        errors = abs(off.mean) / off.mean_error
        message = f"has {where}mean {measured.mean / unit:.6g}, {errors:.1f} standard errors from {law}"
        findings.append(Finding(name, "mean", message))
    if abs(off.variance) > _ERRORS * off.variance_error + step**2:
        has = math.sqrt(measured.m2 / measured.count) / unit
        findings.append(Finding(name, "std", f"has {where}std {has:.6g}, not that of {law}"))
    return findings

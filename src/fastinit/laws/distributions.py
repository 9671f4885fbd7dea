"""The elementwise distributions: every element is drawn independently of the others, from one law.

Equal distributions draw equal bits: this is why -0.0 becomes 0.0 here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from ..arguments import non_negative, real
from ..dtypes import Floats
from .base import Distribution as Distribution
from .truncation import Cut

_erfc = np.frompyfunc(math.erfc, 1, 1)


@dataclass(frozen=True, slots=True)
class Elementwise(Distribution):
    """A law that every element follows by itself. Its parameters are numbers, which the kernels take.

    A subclass defines `moments`, `support`, `cdf`, `_standard_moment` and `_affine`. All that is said of a drawn tensor
    elsewhere (`verify`, `inspect`, `lint`, `probe`) follows from these.
    """

    may_be_infinite: ClassVar[tuple[str, ...]] = ()
    farthest: ClassVar[float] = 10.0
    """In standard deviations from the mean: values beyond are drawn with a probability below 1e-17."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = real(field.name, getattr(self, field.name), finite=field.name not in self.may_be_infinite)
            object.__setattr__(self, field.name, value)
        self._check()

    def _check(self) -> None:
        """Raise ValueError for parameters that are numbers but make no distribution."""

    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation."""
        raise NotImplementedError

    def cdf(self, x: ArrayLike) -> Floats:
        """The probability of a value of at most x."""
        raise NotImplementedError

    def standard_moment(self, order: int) -> float:
        """E[((x - mean) / std)**order]: 3 is the skew, 4 the kurtosis (3 for the normal law). NaN if std is 0.

        >>> Normal(std=0.02).standard_moment(4), Uniform(0.0, 1.0).standard_moment(4)
        (3.0, 1.8)
        """
        return self._standard_moment(order) if self.moments()[1] > 0 else math.nan

    def affine(self, scale: float, shift: float) -> Elementwise:
        """The distribution of scale * x + shift, if x has this one.

        >>> Normal(std=2.0).affine(-0.5, 1.0), Uniform(0.0, 1.0).affine(-2.0, 0.0)
        (Normal(mean=1.0, std=1.0), Uniform(low=-2.0, high=0.0))
        """
        return self._affine(scale, shift) if scale else Constant(shift)

    def reach(self) -> tuple[float, float]:
        """Bounds that no drawn value passes: those of the support, and `farthest` in a tail without a bound.

        >>> Normal(std=0.02).reach()
        (-0.2, 0.2)
        """
        mean, std = self.moments()
        low, high = self.support()
        return max(low, mean - self.farthest * std), min(high, mean + self.farthest * std)

    def contains(self, x: float) -> bool:
        """Whether the value x can be drawn.

        >>> Uniform(0.0, 1.0).contains(0.0), Uniform(0.0, 1.0).contains(1.0)
        (True, False)
        """
        low, high = self.reach()
        return low <= x <= high

    def _standard_moment(self, order: int) -> float:
        """`standard_moment` for std > 0."""
        raise NotImplementedError

    def _affine(self, scale: float, shift: float) -> Elementwise:
        """`affine` for scale != 0."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Constant(Elementwise):
    """Every element is `value`.

    >>> Constant(1).to_dict()
    {'law': 'constant', 'value': 1.0}
    """

    law: ClassVar[str] = "constant"
    value: float

    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation: `value` and 0."""
        return self.value, 0.0

    def support(self) -> tuple[float, float]:
        """`value` twice."""
        return self.value, self.value

    def cdf(self, x: ArrayLike) -> Floats:
        """The probability of a value of at most x: 0 below `value`, else 1."""
        return _step(x, self.value)

    def _affine(self, scale: float, shift: float) -> Constant:
        return Constant(scale * self.value + shift)


@dataclass(frozen=True, slots=True)
class Uniform(Elementwise):
    """Elements x with low <= x < high, all equally likely; if low == high, the constant.

    Raises ValueError if low > high.

    >>> Uniform(-0.05, 0.05).moments()
    (0.0, 0.02886751345948129)
    """

    law: ClassVar[str] = "uniform"
    low: float
    high: float

    def _check(self) -> None:
        if self.low > self.high:
            raise ValueError(f"low must not be above high, got low={self.low}, high={self.high}")

    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation: (low + high) / 2 and (high - low) / sqrt(12)."""
        # Halved before they meet: high - low may be more than the largest float.
        low, high = 0.5 * self.low, 0.5 * self.high
        return low + high, (high - low) / math.sqrt(3.0)

    def support(self) -> tuple[float, float]:
        """`low` and `high`, of which `high` itself is drawn only if it is `low`."""
        return self.low, self.high

    def contains(self, x: float) -> bool:
        """Whether the value x can be drawn: low <= x < high."""
        return self.low <= x < self.high or x == self.low

    def cdf(self, x: ArrayLike) -> Floats:
        """The probability of a value of at most x."""
        if self.low == self.high:
            return _step(x, self.low)
        # Halved as in `moments`.
        part = (0.5 * np.asarray(x, np.float64) - 0.5 * self.low) / (0.5 * self.high - 0.5 * self.low)
        return np.clip(part, 0.0, 1.0)

    def _standard_moment(self, order: int) -> float:
        return 0.0 if order % 2 else 3.0 ** (order // 2) / (order + 1)

    def _affine(self, scale: float, shift: float) -> Uniform:
        return Uniform(*sorted((scale * self.low + shift, scale * self.high + shift)))


@dataclass(frozen=True, slots=True)
class Normal(Elementwise):
    """The normal law with density exp(-((x - mean) / std)**2 / 2); if std == 0, the constant `mean`.

    Raises ValueError if std < 0.

    >>> Normal(std=0.02)
    Normal(mean=0.0, std=0.02)
    """

    law: ClassVar[str] = "normal"
    mean: float = 0.0
    std: float = 1.0

    def _check(self) -> None:
        non_negative("std", self.std)

    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation."""
        return self.mean, self.std

    def cdf(self, x: ArrayLike) -> Floats:
        """The probability of a value of at most x, with all digits in the lower tail."""
        if self.std == 0:
            return _step(x, self.mean)
        z = (np.asarray(x, np.float64) - self.mean) / self.std
        return np.asarray(_erfc(-z / math.sqrt(2.0)), np.float64) / 2

    def _standard_moment(self, order: int) -> float:
        return 0.0 if order % 2 else float(math.prod(range(1, order, 2)))

    def _affine(self, scale: float, shift: float) -> Normal:
        return Normal(scale * self.mean + shift, abs(scale) * self.std)


@dataclass(frozen=True, slots=True)
class TruncatedNormal(Elementwise):
    """Normal(mean, std) given low <= x <= high.

    `low` and `high` are values of x, not multiples of std, and may be infinite. `mean` and `std` are those of the
    normal law before it is cut; `moments` gives those after. Raises ValueError if std < 0, if low >= high, and if
    std == 0 with `mean` outside the bounds.

    >>> round(TruncatedNormal(std=0.02, low=-0.04, high=0.04).moments()[1], 12)
    0.017592513221
    """

    law: ClassVar[str] = "truncated_normal"
    may_be_infinite: ClassVar[tuple[str, ...]] = ("low", "high")
    # A tail falls at least as fast as that of the exponential law, the limit of far tails.
    farthest: ClassVar[float] = 40.0
    mean: float = 0.0
    std: float = 1.0
    low: float = -math.inf
    high: float = math.inf

    def _check(self) -> None:
        non_negative("std", self.std)
        if self.low >= self.high:
            raise ValueError(f"low must be below high, got low={self.low}, high={self.high}")
        if self.std == 0 and not self.low <= self.mean <= self.high:
            raise ValueError(f"with std=0, mean must lie within [{self.low}, {self.high}], got {self.mean}")

    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation after the cut, exact to a few units of the last place in any tail."""
        if self._fixed is not None:
            return self._fixed, 0.0
        offset, std = self._cut.moments()
        return self._near + self.std * offset, self.std * std

    def support(self) -> tuple[float, float]:
        """`low` and `high`."""
        return self.low, self.high

    def cdf(self, x: ArrayLike) -> Floats:
        """The probability of a value of at most x, with all digits in the lower tail."""
        if self._fixed is not None:
            return _step(x, self._fixed)
        return self._cut.cdf((np.asarray(x, np.float64) - self._near) / self.std)

    @property
    def _near(self) -> float:
        """The value within the bounds that is nearest to `mean`: the likeliest one."""
        return min(max(self.mean, self.low), self.high)

    @property
    def _fixed(self) -> float | None:
        """The only value, if the law is so narrow, or so far from the bounds, that it has one."""
        if self.std == 0 or math.isinf((self._near - self.mean) / self.std):
            return self._near
        return None

    @property
    def _cut(self) -> Cut:
        near, std = self._near, self.std
        return Cut((near - self.mean) / std, (self.low - near) / std, (self.high - near) / std)

    def _standard_moment(self, order: int) -> float:
        return self._cut.standard_moment(order)

    def _affine(self, scale: float, shift: float) -> TruncatedNormal:
        low, high = sorted((scale * self.low + shift, scale * self.high + shift))
        return TruncatedNormal(scale * self.mean + shift, abs(scale) * self.std, low, high)


class Words:
    """Raw words of a stream: the kernels draw them, but they are not a distribution of values."""

    law = "bits"
    parameters: tuple[float, ...] = ()


WORDS = Words()


def _step(x: ArrayLike, at: float) -> Floats:
    return np.asarray(np.asarray(x) >= at, np.float64)


def truncated_std(low: float, high: float) -> float:
    """Standard deviation of a unit normal variable given that it lies in [low, high].

    A truncated normal law whose own standard deviation shall be `s` is cut from a normal law with
    std = s / truncated_std(low, high).

    >>> round(truncated_std(-2, 2), 12)
    0.879625661034
    """
    return TruncatedNormal(0.0, 1.0, low, high).moments()[1]

"""The laws that the elements of a tensor can follow: plain data, checked once, when made.

A law knows no shape, dtype or memory. Equal laws draw equal bits: that is why -0.0 becomes 0.0 here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arguments import choose, non_negative, real

_LAWS: dict[str, type[Law]] = {}  # by the name in JSON; each class enters itself
_INFINITIES = {"inf": math.inf, "-inf": -math.inf}


@dataclass(frozen=True, slots=True)
class Law:
    """What all laws share: a name for JSON, and parameters that are the dataclass's fields."""

    law: ClassVar[str]

    def __init_subclass__(cls) -> None:
        if "law" in cls.__dict__:
            _LAWS[cls.law] = cls

    @property
    def parameters(self) -> tuple[Any, ...]:
        """The parameters in the order of the fields."""
        return tuple([getattr(self, field.name) for field in fields(self)])

    def to_dict(self) -> dict[str, Any]:
        """The law for JSON, with infinities as the strings "inf" and "-inf"; `from_dict` is the way back."""
        data: dict[str, Any] = {"law": self.law}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Law):
                value = value.to_dict()
            data[field.name] = str(value) if isinstance(value, float) and math.isinf(value) else value
        return data


@dataclass(frozen=True, slots=True)
class _Elementwise(Law):
    """A law that each element follows by itself; the parameters are numbers, which the kernels take."""

    may_be_infinite: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for field in fields(self):
            value = real(field.name, getattr(self, field.name), finite=field.name not in self.may_be_infinite)
            object.__setattr__(self, field.name, value)
        self._check()

    def _check(self) -> None:
        """Raise ValueError for parameters that are numbers but make no law."""


@dataclass(frozen=True, slots=True)
class Constant(_Elementwise):
    """Every element is `value`.

    >>> Constant(1).to_dict()
    {'law': 'constant', 'value': 1.0}
    """

    law: ClassVar[str] = "constant"
    value: float

    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation."""
        return self.value, 0.0


@dataclass(frozen=True, slots=True)
class Uniform(_Elementwise):
    """Elements x with low <= x < high, all equally likely; the constant, where low == high.

    Raises ValueError where low > high.

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


@dataclass(frozen=True, slots=True)
class Normal(_Elementwise):
    """The normal law with density exp(-((x - mean) / std)**2 / 2); the constant `mean`, where std == 0.

    Raises ValueError where std < 0.

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


@dataclass(frozen=True, slots=True)
class TruncatedNormal(_Elementwise):
    """Normal(mean, std) given low <= x <= high.

    `low` and `high` are values of x, not multiples of std, and may be infinite. `mean` and `std` are those of
    the normal law before it is cut; `moments` tells those after. Raises ValueError where std < 0, where
    low >= high, and where std == 0 with `mean` out of the bounds.

    >>> round(TruncatedNormal(std=0.02, low=-0.04, high=0.04).moments()[1], 12)
    0.017592513221
    """

    law: ClassVar[str] = "truncated_normal"
    may_be_infinite: ClassVar[tuple[str, ...]] = ("low", "high")
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
        if self.std == 0:
            return self.mean, 0.0
        near = min(max(self.mean, self.low), self.high)
        start = (near - self.mean) / self.std
        if math.isinf(start):
            return near, 0.0
        below, above = (self.low - near) / self.std, (self.high - near) / self.std
        offset, std = _cut_moments(start, below, above)
        return near + self.std * offset, self.std * std


class Words:
    """Raw words of a stream: a law of the kernels, but no distribution of values."""

    law = "bits"
    parameters: tuple[float, ...] = ()


WORDS = Words()
Distribution: TypeAlias = Constant | Uniform | Normal | TruncatedNormal


def from_dict(data: Mapping[str, Any]) -> Any:
    """The law that `to_dict` described. Raises ValueError for an unknown law or unfitting parameters.

    >>> from_dict({"law": "normal", "mean": 0.0, "std": 0.02})
    Normal(mean=0.0, std=0.02)
    """
    kind = choose("law", data.get("law"), _LAWS)
    names = [field.name for field in fields(kind)]
    if set(data) != {"law", *names}:
        raise ValueError(f"the law {kind.law!r} has the parameters {', '.join(names)}, got {dict(data)!r}")
    return kind(**{name: _from_json(data[name]) for name in names})


def as_law(value: Any) -> Any:
    """A law itself, or as `to_dict` describes it; TypeError for anything else."""
    if isinstance(value, Law):
        return value
    if not isinstance(value, Mapping):
        raise TypeError(f"a law is needed, not {value!r}")
    return from_dict(value)


def _from_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return from_dict(value)
    return _INFINITIES.get(value, value) if isinstance(value, str) else value


def truncated_std(low: float, high: float) -> float:
    """Standard deviation of a unit normal variable given that it lies in [low, high].

    A truncated normal law whose own standard deviation shall be `s` is cut from a normal law with
    std = s / truncated_std(low, high).

    >>> round(truncated_std(-2, 2), 12)
    0.879625661034
    """
    return TruncatedNormal(0.0, 1.0, low, high).moments()[1]


def _cut_moments(start: float, below: float, above: float) -> tuple[float, float]:
    """Mean and std of t, where start + t is unit normal given below <= t <= above, and t = 0 is nearest to 0.

    By quadrature of the density relative to that at `start`: the textbook formula, with its differences of
    densities over differences of probabilities, loses all digits in far tails and in narrow intervals.
    """
    # exp(-start t - t^2 / 2) falls to e^-80 within this reach of 0.
    reach = 160.0 / (abs(start) + math.hypot(start, math.sqrt(160.0)))
    left, right = max(below, -reach), min(above, reach)
    centre, half_width = 0.5 * left + 0.5 * right, 0.5 * right - 0.5 * left
    nodes, weights = _gauss_legendre(64)
    t = centre + half_width * nodes
    density = weights * np.exp(-t * (start + 0.5 * t))
    density /= density.sum()
    mean = float(density @ nodes)
    # In units of the half width, so that no square underflows.
    std = math.sqrt(float(density @ (nodes - mean) ** 2))
    return centre + half_width * mean, half_width * std


@cache
def _gauss_legendre(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return nodes, weights

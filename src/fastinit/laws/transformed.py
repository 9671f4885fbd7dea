"""Structured distributions whose values are functions of drawn ones: log-uniform, complex, ICNR."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..arguments import Sizes, choose, flag, non_negative, positive, positive_integer
from ..dtypes import Array
from .base import Distribution, as_distribution
from .distributions import Normal, Uniform
from .exact_math import exp, log
from .layout import checked_layout
from .structured import Stream, Structured, set_fields


@dataclass(frozen=True, slots=True)
class LogUniform(Structured):
    """e^u with u uniform between ln `low` and ln `high`: every power of ten between the bounds is equally likely."""

    law: ClassVar[str] = "log_uniform"
    low: float
    high: float

    def __post_init__(self) -> None:
        set_fields(self, low=positive("low", self.low), high=positive("high", self.high))
        if self.low > self.high:
            raise ValueError(f"low must not be above high, got low={self.low}, high={self.high}")

    def values(self, shape: Sizes, stream: Stream) -> Array:
        exponents = stream.draw(Uniform(float(log(self.low)), float(log(self.high))), shape)
        return np.clip(exp(exponents), self.low, self.high).astype(stream.dtype)


def check_complex(shape: Sizes) -> None:
    """Raise ValueError unless the last axis holds pairs: real and imaginary part."""
    if not shape or shape[-1] != 2:
        raise ValueError(f"complex values need a complex dtype or a last axis of length 2, got shape {shape}")


def _directions(shape: Sizes, stream: Stream) -> Array:
    """Points on the unit circle: two normal values, divided by their norm."""
    pairs = stream.draw(Normal(), shape)
    norms = np.sqrt(pairs[..., :1] * pairs[..., :1] + pairs[..., 1:] * pairs[..., 1:])
    directions: Array = pairs / np.maximum(norms, np.finfo(norms.dtype).tiny)
    return directions


@dataclass(frozen=True, slots=True)
class ComplexUniform(Structured):
    """Points of the disk of this radius, all equally likely; the last axis holds real and imaginary part."""

    law: ClassVar[str] = "complex_uniform"
    radius: float = 1.0

    def __post_init__(self) -> None:
        set_fields(self, radius=non_negative("radius", self.radius))

    def check(self, shape: Sizes) -> None:
        check_complex(shape)

    def values(self, shape: Sizes, stream: Stream) -> Array:
        directions = _directions(shape, stream)
        return self.radius * np.sqrt(stream.draw(Uniform(0.0, 1.0), (*shape[:-1], 1))) * directions


@dataclass(frozen=True, slots=True)
class ComplexTruncatedNormal(Structured):
    """Complex normal values, given that the modulus is at most 2 std; the last axis holds real and imaginary part."""

    law: ClassVar[str] = "complex_truncated_normal"
    std: float = 1.0

    def __post_init__(self) -> None:
        set_fields(self, std=non_negative("std", self.std))

    def check(self, shape: Sizes) -> None:
        check_complex(shape)

    def values(self, shape: Sizes, stream: Stream) -> Array:
        directions = _directions(shape, stream)
        # |z|^2 / std^2 is exponential, cut at 4.
        mass = float(1 - exp(-4.0))
        u = stream.draw(Uniform(0.0, 1.0), (*shape[:-1], 1)).astype(np.float64)
        radii = np.minimum(np.sqrt(-log(1 - mass * u)), 2.0)
        return (self.std * radii).astype(stream.dtype) * directions


@dataclass(frozen=True, slots=True)
class Icnr(Structured):
    """A convolution before a pixel shuffle that enlarges by `factor`: outputs of one pixel's neighbours are the same.

    These outputs are drawn once, from `inner`, and repeated, so that the enlarged image shows no checkerboard. `order`
    says which channels they are: consecutive ones ("pixel_shuffle", torch) or every n-th ("depth_to_space", TensorFlow).
    """

    law: ClassVar[str] = "icnr"
    inner: Distribution
    factor: int = 2
    order: str = "pixel_shuffle"
    layout: str | None = None
    transposed: bool = False

    def __post_init__(self) -> None:
        set_fields(self, inner=as_distribution(self.inner), factor=positive_integer("factor", self.factor))
        flag("transposed", self.transposed)
        choose("order", self.order, {"pixel_shuffle": None, "depth_to_space": None})

    def check(self, shape: Sizes) -> None:
        before = shape_before(shape, self.factor, self.layout, self.transposed)
        if isinstance(self.inner, Structured):
            self.inner.check(before)

    def values(self, shape: Sizes, stream: Stream) -> Array:
        before = shape_before(shape, self.factor, self.layout, self.transposed)
        outputs = checked_layout(shape, self.layout, self.transposed).index("o")
        times = shape[outputs] // max(before[outputs], 1)
        drawn = stream.draw(self.inner, before)
        if self.order == "pixel_shuffle":
            return np.repeat(drawn, times, outputs)
        return np.concatenate([drawn] * times, outputs)


def shape_before(shape: Sizes, factor: int, layout: str | None, transposed: bool) -> Sizes:
    """The shape of the weight that `Icnr` draws once: 1 / factor^d of the outputs, for d kernel axes."""
    positive_integer("factor", factor)
    letters = checked_layout(shape, layout, transposed)
    times = factor ** sum(letter not in "oib" for letter in letters)
    n_out = shape[letters.index("o")]
    if n_out % times:
        raise ValueError(f"factor {factor} needs outputs divisible by {times}, got {n_out}")
    return tuple(n // times if letter == "o" else n for n, letter in zip(shape, letters, strict=True))

"""Laws whose values are functions of others': log-uniform, complex, ICNR."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..arguments import choose, flag, non_negative, positive, positive_integer
from ..dtypes import Array
from .distributions import Law, Normal, Uniform, as_law
from .exact_math import exp, log
from .layout import checked_layout
from .structured import Sizes, Stream, Structured, set_fields


@dataclass(frozen=True, slots=True)
class LogUniform(Structured):
    """e^U[ln low, ln high]: every power of ten between the bounds is equally likely."""

    law: ClassVar[str] = "log_uniform"
    low: float
    high: float

    def __post_init__(self) -> None:
        set_fields(self, low=positive("low", self.low), high=positive("high", self.high))
        if self.low > self.high:
            raise ValueError(f"low must not be above high, got low={self.low}, high={self.high}")

    def check(self, shape: Sizes) -> None:
        pass

    def values(self, shape: Sizes, stream: Stream) -> Array:
        exponents = stream.draw(Uniform(float(log(self.low)), float(log(self.high))), shape)
        return np.clip(exp(exponents), self.low, self.high).astype(stream.dtype)


def check_complex(shape: Sizes) -> None:
    if not shape or shape[-1] != 2:
        raise ValueError(f"complex values need a last axis of length 2, got shape {shape}")


def _directions(shape: Sizes, stream: Stream) -> Array:
    """Points on the unit circle: two normals, divided by their norm."""
    pairs = stream.draw(Normal(), shape)
    norms = np.sqrt(pairs[..., :1] * pairs[..., :1] + pairs[..., 1:] * pairs[..., 1:])
    directions: Array = pairs / np.maximum(norms, np.finfo(norms.dtype).tiny)
    return directions


@dataclass(frozen=True, slots=True)
class ComplexUniform(Structured):
    """Real and imaginary part, along the last axis, of points equally likely on the disk of that radius."""

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
    """Real and imaginary part, along the last axis, of a complex normal variable of modulus at most 2 std."""

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
    """A law for the outputs of an image before it is enlarged by `factor` along each kernel axis, each output repeated.

    `order` says which channels make one pixel's neighbours: consecutive ones ("pixel_shuffle", torch) or every n-th
    ("depth_to_space", TensorFlow).
    """

    law: ClassVar[str] = "icnr"
    inner: Law
    factor: int = 2
    order: str = "pixel_shuffle"
    layout: str | None = None
    transposed: bool = False

    def __post_init__(self) -> None:
        set_fields(self, inner=as_law(self.inner), factor=positive_integer("factor", self.factor))
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
    """The shape of a convolution's weight without the factor^d outputs per output that d kernel axes need."""
    positive_integer("factor", factor)
    letters = checked_layout(shape, layout, transposed)
    times = factor ** sum(letter not in "oib" for letter in letters)
    n_out = shape[letters.index("o")]
    if n_out % times:
        raise ValueError(f"factor {factor} needs outputs divisible by {times}, got {n_out}")
    return tuple(n // times if letter == "o" else n for n, letter in zip(shape, letters, strict=True))

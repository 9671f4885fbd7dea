"""What the structured distributions have in common: those whose elements depend on each other or on their place.

`Structured.values` computes the whole tensor in NumPy, then the block that was asked for is taken. Everything random is
drawn from the parameter's own stream, piece after piece: a value depends only on the seed, the name, the distribution and
the whole shape.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np

from ..arguments import Sizes, flag, positive_integer, real
from ..dtypes import Array
from .base import Distribution
from .distributions import WORDS, Words
from .layout import checked_layout

Draw = Callable[[Distribution | Words, int, Sizes, str], Array]
"""(elementwise law, first index in the stream, shape, dtype) -> a new array of the stream's values from that index on."""


def neighbour(name: str, of: str) -> str:
    """The parameter ``of`` in the module of the parameter ``name``; each dot before it leads to the module that owns that one.

    >>> neighbour("net.0.weight_g", "weight_v"), neighbour("net.0.p.bias", ".weight")
    ('net.0.weight_v', 'net.0.weight')
    """
    local = of.lstrip(".")
    return ".".join([*name.split(".")[: len(local) - len(of) - 1], local])


def seen_from(name: str, other: str) -> str:
    """The parameter ``other`` as the `neighbour` of the parameter ``name``.

    >>> seen_from("target.0.weight", "critic.0.weight"), seen_from("net.0.weight_g", "net.0.weight_v")
    ('..critic.0.weight', 'weight_v')
    """
    modules, path = name.split(".")[:-1], other.split(".")
    shared = 0
    while shared < min(len(modules), len(path) - 1) and modules[shared] == path[shared]:
        shared += 1
    return "." * (len(modules) - shared) + ".".join(path[shared:])


class Stream:
    """Consecutive pieces of one parameter's stream, in float32 or float64 (``dtype``). ``where`` are further arguments of the
    library's `zeros`."""

    def __init__(
        self, draw: Draw, dtype: str, of: Callable[[str], Stream], xp: Any = np, **where: Any
    ) -> None:
        self.dtype = dtype
        self.xp = xp
        """The library of its arrays: NumPy, or torch or CuPy for a law that is `portable`."""
        self.of = of
        """The stream, from its beginning, of the parameter that is the `neighbour` of that name."""
        self._draw = draw
        self._at = 0
        self._where = where

    def draw(self, law: Distribution, shape: Sizes) -> Array:
        """New values of any distribution, from the stream's next words."""
        if isinstance(law, Structured):
            return law.values(shape, self)
        return self._piece(law, shape)

    def words(self, shape: Sizes) -> Array:
        """New random 32-bit words."""
        if self.dtype == "float64":
            return (self._piece(WORDS, shape).view(np.uint64) >> np.uint64(32)).astype(np.uint32)
        return self._piece(WORDS, shape).view(np.uint32)

    def zeros(self, shape: Sizes) -> Array:
        """A new array of zeros in the stream's dtype; takes nothing from the stream."""
        return self.xp.zeros(shape, dtype=getattr(self.xp, self.dtype), **self._where)  # type: ignore[no-any-return]

    def _piece(self, law: Distribution | Words, shape: Sizes) -> Array:
        values = self._draw(law, self._at, shape, self.dtype)
        self._at += math.prod(shape)
        return values


@dataclass(frozen=True, slots=True)
class Structured(Distribution):
    """A distribution of a whole tensor, such as an orthogonal matrix.

    `moments` is None and `support` infinite: the elements are not independent draws of one law.
    """

    portable: ClassVar[bool] = False
    """Whether `values` asks nothing of the stream's arrays that torch's and CuPy's have not. Such a law has a ``gain``, which no
    value exceeds."""

    def check(self, shape: Sizes) -> None:
        """Raise ValueError for a shape that the distribution does not have; any will do by default."""

    @abstractmethod
    def values(self, shape: Sizes, stream: Stream) -> Array:
        """The whole tensor, in the stream's dtype."""

    def affine(self, scale: float, shift: float) -> Structured | None:
        """The distribution of scale * x + shift: known if there is a gain to scale, and no shift."""
        if shift == 0 and any(field.name == "gain" for field in fields(self)):
            return replace(self, gain=scale * self.gain)  # type: ignore[attr-defined, call-arg]
        return None


@dataclass(frozen=True, slots=True)
class Grouped(Structured):
    """What each group of each stacked weight gets by itself, as convolutions have groups; what `fill` does not set is 0."""

    gain: float = 1.0
    layout: str | None = None
    groups: int = 1
    transposed: bool = False

    def __post_init__(self) -> None:
        flag("transposed", self.transposed)
        set_fields(self, gain=real("gain", self.gain), groups=positive_integer("groups", self.groups))

    def check(self, shape: Sizes) -> None:
        everything = shape[
            checked_layout(shape, self.layout, self.transposed).index("i" if self.transposed else "o")
        ]
        if everything % self.groups:
            raise ValueError(f"groups must divide {everything}, got {self.groups}")

    def values(self, shape: Sizes, stream: Stream) -> Array:
        whole = stream.zeros(shape)
        layout = checked_layout(shape, self.layout, self.transposed)
        order = canonical_order(layout)
        view = stream.xp.moveaxis(whole, tuple(order), tuple(range(len(order))))
        axis = 1 if self.transposed else 0
        for index in np.ndindex(tuple(view.shape[: layout.count("b")])):
            weight = view[index]
            size = weight.shape[axis] // self.groups
            for first in range(0, size * self.groups, size or 1):
                self.fill(weight[(slice(None),) * axis + (slice(first, first + size),)], stream)
        return whole

    def fill(self, weight: Array, stream: Stream) -> None:
        """Set one group's weights (outputs, inputs, kernel), in place."""
        raise NotImplementedError


def set_fields(law: Structured, **values: Any) -> None:
    """Store checked values in a frozen law, from its __post_init__."""
    for name, value in values.items():
        object.__setattr__(law, name, value)


def checked_axis(axis: int, shape: Sizes) -> int:
    """`axis`, counted from the front."""
    if not -len(shape) <= axis < len(shape):
        raise ValueError(f"axis {axis} is out of range for shape {shape}")
    return axis % len(shape)


def canonical_order(layout: str) -> tuple[int, ...]:
    """The axes of a weight as stacked ones, outputs, inputs, kernel."""
    stacked = [axis for axis, letter in enumerate(layout) if letter == "b"]
    kernel = [axis for axis, letter in enumerate(layout) if letter not in "oib"]
    return (*stacked, layout.index("o"), layout.index("i"), *kernel)

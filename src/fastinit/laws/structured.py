"""Structured laws: those whose elements hang together. The whole tensor is computed, then the block asked for is taken.

Everything random is drawn from the parameter's own stream, piece after piece, so that a value depends on the seed, the
name and the whole shape alone.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arguments import flag, positive_integer, real
from ..dtypes import Array
from .distributions import WORDS, Law, Words
from .layout import checked_layout

Sizes = tuple[int, ...]
Draw = Callable[[Law | Words, int, Sizes, str], Array]
"""(law, first index in the stream, shape, dtype) -> a new array of the stream's values from that index on."""


class Stream:
    """Consecutive pieces of one parameter's stream, in float32 or float64."""

    def __init__(self, draw: Draw, dtype: str, of: Callable[[str], Stream]) -> None:
        self.dtype = dtype
        self.of = of
        """The stream, from its beginning, of the parameter of that name in the same module."""
        self._draw = draw
        self._at = 0

    def draw(self, law: Law, shape: Sizes) -> Array:
        """New values of any law, behind those drawn before."""
        if isinstance(law, Structured):
            return law.values(shape, self)
        return self._piece(law, shape)

    def words(self, shape: Sizes) -> Array:
        """New random 32-bit words."""
        if self.dtype == "float64":
            return (self._piece(WORDS, shape).view(np.uint64) >> np.uint64(32)).astype(np.uint32)
        return self._piece(WORDS, shape).view(np.uint32)

    def zeros(self, shape: Sizes) -> Array:
        return np.zeros(shape, self.dtype)

    def _piece(self, law: Law | Words, shape: Sizes) -> Array:
        values = self._draw(law, self._at, shape, self.dtype)
        self._at += values.size
        return values


@dataclass(frozen=True, slots=True)
class Structured(Law):
    """A law of a whole tensor."""

    @abstractmethod
    def check(self, shape: Sizes) -> None:
        """Raise ValueError for a shape that the law does not have."""

    @abstractmethod
    def values(self, shape: Sizes, stream: Stream) -> Array:
        """The whole tensor, in the stream's dtype."""


@dataclass(frozen=True, slots=True)
class Grouped(Structured):
    """A law of each group of each stacked weight by itself, as a convolution has them; what it does not set is 0."""

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
        view = whole.transpose(canonical_order(layout))
        for index in np.ndindex(view.shape[: layout.count("b")]):
            for group in np.split(view[index], self.groups, axis=1 if self.transposed else 0):
                self.fill(group, stream)
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

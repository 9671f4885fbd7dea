"""Structured laws: those whose elements hang together. The whole tensor is computed, then the block asked for is taken.

Everything random is drawn from the parameter's own stream, piece after piece, so that a value depends on the seed, the
name and the whole shape alone.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .distributions import Law, Normal, real
from .fans import integer
from .memory import Array

Shape = tuple[int, ...]
Draw = Callable[[Law, int, Shape, str], Array]
"""(law, first index in the stream, shape, dtype) -> a new array of the stream's values from that index on."""


class Stream:
    """Consecutive pieces of one parameter's stream, in float32 or float64."""

    def __init__(self, draw: Draw, dtype: str) -> None:
        self.dtype = dtype
        self._draw = draw
        self._at = 0

    def draw(self, law: Law, shape: Shape) -> Array:
        """New values of an elementwise law, behind those drawn before."""
        values = self._draw(law, self._at, shape, self.dtype)
        self._at += values.size
        return values

    def zeros(self, shape: Shape) -> Array:
        return np.zeros(shape, self.dtype)


@dataclass(frozen=True, slots=True)
class Structured(Law):
    """A law of a whole tensor."""

    @abstractmethod
    def check(self, shape: Shape) -> None:
        """Raise ValueError for a shape that the law does not have."""

    @abstractmethod
    def values(self, shape: Shape, stream: Stream) -> Array:
        """The whole tensor, in the stream's dtype."""


def _set(law: Structured, **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(law, name, value)


@dataclass(frozen=True, slots=True)
class Orthogonal(Structured):
    """gain times a semi-orthogonal matrix of Haar's law: `axis` counts its rows, all other axes its columns.

    The shorter side's vectors are orthonormal. With `packed` > 1, so many equal blocks along `axis` are orthogonal each
    by itself: gates, heads, a fused query, key and value.
    """

    law: ClassVar[str] = "orthogonal"
    gain: float = 1.0
    axis: int = 0
    packed: int = 1

    def __post_init__(self) -> None:
        _set(self, gain=real("gain", self.gain), axis=integer("axis", self.axis))
        _set(self, packed=integer("packed", self.packed))
        if self.packed < 1:
            raise ValueError(f"packed must be at least 1, got {self.packed}")

    def check(self, shape: Shape) -> None:
        if len(shape) < 2:
            raise ValueError(f"an orthogonal tensor needs two axes or more, got shape {shape}")
        if not -len(shape) <= self.axis < len(shape):
            raise ValueError(f"axis {self.axis} is out of range for shape {shape}")
        if shape[self.axis] % self.packed:
            raise ValueError(f"packed must divide {shape[self.axis]}, got {self.packed}")

    def values(self, shape: Shape, stream: Stream) -> Array:
        rows = shape[self.axis] // self.packed
        columns = math.prod(shape) // max(shape[self.axis], 1)
        blocks = [self.gain * haar(rows, columns, stream) for _ in range(self.packed)]
        others = [n for i, n in enumerate(shape) if i != self.axis % len(shape)]
        return np.moveaxis(np.concatenate(blocks).reshape(-1, *others), 0, self.axis)


def haar(rows: int, columns: int, stream: Stream, block: int = 128) -> Array:
    """A matrix of Haar's law, rows or columns orthonormal: products of Householder reflections of normal vectors.

    No factorisation: the reflection that takes a normal vector of length n - k to the k-th axis, for k = 0, 1, ... (Stewart
    1980, https://doi.org/10.1137/0717034), `block` of them at a time in compact WY form (Schreiber and Van Loan 1989).
    """
    if rows < columns:
        return haar(columns, rows, stream, block).T
    sign = np.ones(columns, stream.dtype)
    result = stream.zeros((rows, columns))
    np.fill_diagonal(result, 1)
    starts = range(0, columns, block)
    for first in reversed(starts):
        last = min(first + block, columns)
        v = np.tril(stream.draw(Normal(), (rows - first, last - first)))
        head = np.diagonal(v).copy()
        towards = np.where(head >= 0, v.dtype.type(1), v.dtype.type(-1))
        np.fill_diagonal(v, head + towards * np.sqrt((v * v).sum(0)))
        sign[first:last] = -towards
        products = v.T @ v
        scale = 2 / np.diagonal(products)
        t = np.diag(scale)
        for j in range(1, last - first):
            t[:j, j] = -scale[j] * (t[:j, :j] @ products[:j, j])
        part = result[first:, first:]
        part -= v @ (t @ (v.T @ part))
    result *= sign
    return result
